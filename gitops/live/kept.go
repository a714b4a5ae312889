package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
)

// kept is what an earlier process served, for as long as the cluster tells nothing: what
// was lent for a while ends in it too.
type kept struct {
	mu     sync.Mutex
	bundle *bundle.Bundle // nil: none
	now    func() time.Time
	fewer  bool // something has ended in it
}

// fetch gives what is left of it; nil while nothing has ended, since then whoever kept it
// has it.
func (k *kept) fetch() (*bundle.Bundle, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bundle == nil {
		return nil, nil
	}
	if end := compiler.NextEnd(k.bundle.Mesh); !end.IsZero() && !k.now().Before(end) {
		mesh, plan, found := compiler.WithoutEnded(k.bundle.Mesh, k.now())
		if plan == nil || found.HasErrors() {
			return nil, errors.New("what was served before cannot be served without what has ended in it: " + found[0].Message)
		}
		b, err := bundle.Pack(bundle.Input{Mesh: mesh, Plan: plan})
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
func (k *kept) due() (now, later bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.bundle == nil {
		return false, false
	}
	end := compiler.NextEnd(k.bundle.Mesh)
	return !end.IsZero() && !k.now().Before(end), !end.IsZero()
}

// watchKept gives a notice whenever something ends in what was kept, until the cluster
// has told what it holds.
func (l *Live) watchKept(ctx context.Context) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		now, later := l.kept.due()
		if !later {
			return
		}
		if now {
			l.tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-l.loaded:
			return
		case <-tick.C:
		}
	}
}
