package live

import (
	"context"
	"errors"
	"slices"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
)

// Catalog is what runs in the cluster; nil while it is not followed yet.
func (l *Live) Catalog() *kube.Provider {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.catalog
}

// Close stops following. The last bundle stays.
func (l *Live) Close() {
	l.stop()
	<-l.done
	l.watcher.ended.Wait()
	if p := l.Catalog(); p != nil {
		_ = p.Close() // it never fails
	}
}

// Changed gives a notice after Fetch gives something else.
func (l *Live) Changed() <-chan struct{} { return l.news }

// Wait waits until all that the cluster holds was compiled. The error says what is missing.
func (l *Live) Wait(ctx context.Context) error {
	select {
	case <-l.loaded:
	case <-ctx.Done():
		if !l.isLoaded() {
			return l.fault()
		}
	}
	return nil
}

func (l *Live) isLoaded() bool {
	select {
	case <-l.loaded:
		return true
	default:
		return false
	}
}

// Fetch gives the bundle of what is in force now. Before there is one it is an error. Of a
// bundle that is held because the newest cannot be had, it gives what is left once
// something ended in it, with the reason; so it does of Options.Kept.
func (l *Live) Fetch(context.Context) (*bundle.Bundle, diag.List, error) {
	l.mu.Lock()
	v := l.shown
	l.mu.Unlock()
	if v.bundle == nil || !l.isLoaded() {
		b, err := l.kept.fetch(l.overNow())
		switch {
		case err != nil:
			return nil, nil, err
		case !l.isLoaded():
			return b, nil, l.fault()
		case b != nil:
			return b, slices.Clone(v.failed), v.err
		}
	}
	switch held := len(v.failed) > 0 || v.err != nil; {
	case v.bundle == nil || held && !v.suspended && !v.fewer:
		return nil, slices.Clone(v.failed), v.err
	case held && !v.suspended:
		return v.bundle, slices.Clone(v.failed), v.err
	}
	return v.bundle, nil, nil
}

// fault is why not all is known.
func (l *Live) fault() error {
	if err := l.watcher.fault(); err != nil {
		return err
	}
	if p := l.Catalog(); p != nil && p.Err() != nil {
		return p.Err()
	}
	return errNotLoaded
}

var errNotLoaded = errors.New("the cluster has not told all that it holds")

// Leading tells whether this replica is the one that writes.
func (l *Live) Leading() bool { return l.leads.Load() }

// Loaded is closed once all that the cluster holds was compiled.
func (l *Live) Loaded() <-chan struct{} { return l.loaded }
