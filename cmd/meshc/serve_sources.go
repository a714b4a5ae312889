package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/oci"
)

// source sets where bundles come from, and what going back to an older one opens.
func (f *serveFlags) source() error {
	if err := f.goBack(); err != nil {
		return err
	}
	if f.follow.Fetch <= 0 {
		return usage(fmt.Errorf("--poll %s is no time to wait", f.follow.Fetch))
	}
	if len(f.sources) > 0 {
		m, err := newManifests(f.sources, f.follow.Log)
		if err != nil {
			return engine(err)
		}
		f.follow.Bundle, f.follow.Source, f.close = strings.Join(f.sources, " "), m, m.close
		return nil
	}
	if !oci.IsReference(f.follow.Bundle) {
		return nil
	}
	ref, err := f.reference(f.follow.Bundle)
	if err != nil {
		return err
	}
	f.follow.Source = oci.NewSource(ref)
	return nil
}

// manifests is a follow.Source that compiles instead of fetching.
type manifests struct {
	paths   []string
	log     *slog.Logger
	session *compiler.Session
	watcher *fsnotify.Watcher
	changed chan struct{}

	last  *bundle.Bundle
	found diag.List // that were logged
}

func newManifests(paths []string, log *slog.Logger) (*manifests, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	m := &manifests{paths: paths, log: log, session: compiler.NewSession(ir.Known{}, compiler.Options{}), watcher: w, changed: make(chan struct{}, 1)}
	go m.notice()
	return m, nil
}

func (m *manifests) close() { _ = m.watcher.Close() }

// notice turns whatever happens to the files into notices, until the watcher is closed.
func (m *manifests) notice() {
	for {
		select {
		case _, ok := <-m.watcher.Events:
			if !ok {
				return
			}
			select {
			case m.changed <- struct{}{}:
			default: // one is waiting already
			}
		case err, ok := <-m.watcher.Errors:
			if !ok {
				return
			}
			m.log.Warn("watching the manifests", "error", err)
		}
	}
}

// Changed gives a notice after the manifests changed.
func (m *manifests) Changed() <-chan struct{} { return m.changed }

// Fetch compiles the manifests as they are. What is found is logged when it is
// found first; errors among it are why there is no bundle.
func (m *manifests) Fetch(context.Context) (*bundle.Bundle, diag.List, error) {
	now, err := judgement()
	if err != nil {
		return nil, nil, err
	}
	tree, found, err := source.Load(source.Options{Paths: m.paths, RuleSets: keptRules})
	if err != nil {
		return nil, found, err
	}
	lock, faults, err := readLock(tree, m.paths)
	if err != nil {
		return nil, nil, err
	}
	m.watch(tree, lock.Path)
	m.session.At(now)
	result, more := m.session.Load(tree, lock.Known)
	found.Add(append(faults, more...)...)
	found = found.Sorted()
	m.tell(found)
	if result.Objects == 0 && !found.HasErrors() {
		return nil, nil, fmt.Errorf("no document of a kind that a mesh reads was found in it")
	}
	if result.Plan == nil || found.HasErrors() {
		return nil, faultsFirst(found), nil
	}
	b, err := bundle.Pack(bundle.Input{Mesh: result.Mesh, Plan: result.Plan, Findings: found, Judged: now.Format("2006-01-02"), Lock: lock.Known.Header})
	if err != nil {
		return nil, nil, err
	}
	if m.last == nil || m.last.Manifest.PolicyDigest != b.Manifest.PolicyDigest {
		m.last = b
	}
	return m.last, nil, nil
}

// faultsFirst puts errors before what is only worth knowing: the first is shown.
func faultsFirst(found diag.List) diag.List {
	var faults, rest diag.List
	for _, f := range found {
		if f.Severity == diag.Error {
			faults.Add(f)
		} else {
			rest.Add(f)
		}
	}
	return append(faults, rest...)
}

// tell logs what was not found the last time.
func (m *manifests) tell(found diag.List) {
	for _, f := range found.Without(m.found, func(diag.Finding) bool { return false }) {
		level := slog.LevelInfo
		switch f.Severity {
		case diag.Error:
			level = slog.LevelError
		case diag.Warning:
			level = slog.LevelWarn
		}
		m.log.Log(context.Background(), level, f.Message, "code", f.Code, "at", f.At().String(), "effect", f.Effect)
	}
	m.found = found
}

// watch watches every folder that a file of the tree lies in, those below, and
// the lock's. Adding one again does nothing.
func (m *manifests) watch(tree *source.Tree, lock string) {
	for _, name := range append(tree.Names(), lock) {
		_ = filepath.WalkDir(filepath.Dir(filepath.FromSlash(name)), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				_ = m.watcher.Add(path) // where the kernel gives no notice, the next look finds it
			}
			return nil
		})
	}
}
