package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
)

// kept is what an earlier process served, for as long as there is nothing else to serve:
// what was lent for a while ends in it too.
type kept struct {
	mu     sync.Mutex
	bundle *bundle.Bundle // nil: none
	fewer  bool           // something has ended in it
}

// fetch gives what is left of it; nil while nothing has ended, since then whoever kept it
// has it.
func (k *kept) fetch(over func(*ir.Grant) bool) (*bundle.Bundle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bundle == nil {
		return nil, nil
	}
	if anyOver(k.bundle.Mesh, over) {
		b, err := without(k.bundle, over)
		if err != nil {
			return nil, err
		}
		k.bundle, k.fewer = b, true
	}
	if !k.fewer {
		return nil, nil
	}
	return k.bundle, nil
}

// due tells whether something has ended in it that it still has, and whether anything is
// left that ends.
func (k *kept) due(over func(*ir.Grant) bool) (now, later bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bundle == nil {
		return false, false
	}
	return anyOver(k.bundle.Mesh, over), !compiler.NextEnd(k.bundle.Mesh).IsZero()
}

// watchKept gives a notice whenever something ends in what was kept, until there is
// something else to serve: where the Mesh names a bundle that cannot be had there is none
// although the cluster has told all.
func (l *Live) watchKept(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		now, later := l.kept.due(l.overNow())
		if !later || l.hasBundle() {
			return
		}
		if now {
			l.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func anyOver(m *ir.Mesh, over func(*ir.Grant) bool) bool {
	for i := range m.Grants {
		if g := &m.Grants[i]; !g.Until.IsZero() && over(g) {
			return true
		}
	}
	return false
}

// without is a bundle without what is over in it.
func without(b *bundle.Bundle, over func(*ir.Grant) bool) (*bundle.Bundle, error) {
	mesh, plan, found := compiler.WithoutEnded(b.Mesh, over)
	if plan == nil || found.HasErrors() {
		return nil, errors.New("what was served before cannot be served without what has ended in it: " + brief(found))
	}
	return bundle.Pack(bundle.Input{Mesh: mesh, Plan: plan})
}
