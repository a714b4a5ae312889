package live

import (
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// held is a bundle that stays served though another is wanted (the Mesh is suspended, its
// bundle cannot be had, or nothing can be compiled), and what is left of it: what was lent
// for a while is given back in time whatever holds the rest.
type held struct{ all, left *bundle.Bundle }

// giveBack is a view without what is over in its bundle. The caller holds the lock.
func (l *Live) giveBack(v view) view {
	v.fewer = v.bundle != nil && v.bundle == l.shown.bundle && l.shown.fewer
	over := l.over(l.compiled.bundle)
	if v.bundle == nil || !anyOver(v.bundle.Mesh, over) {
		return v
	}
	if l.held.all == v.bundle && !anyOver(l.held.left.Mesh, over) {
		v.bundle, v.fewer = l.held.left, true
		return v
	}
	left, err := without(v.bundle, over)
	if err != nil {
		l.opts.Log.Error("what was opened for a while cannot be taken away", "error", err)
		v.err = err
		return v
	}
	l.held = held{v.bundle, left}
	v.bundle, v.fewer = left, true
	return v
}

// over tells what of a bundle is over, by what was compiled last; nil: nothing was yet.
func (l *Live) over(compiled *bundle.Bundle) func(*ir.Grant) bool {
	return func(g *ir.Grant) bool {
		if !l.endings.now().Before(g.Until) {
			return true
		}
		if compiled == nil {
			return false
		}
		ns, name, _ := strings.Cut(strings.TrimPrefix(g.Name, glassKind+"/"), "/")
		of := syntax.Name{Kind: glassKind, Namespace: ns, Name: name}
		return !l.endings.isOpen(of) || !servesGlass(compiled, of)
	}
}

// overNow is over for who does not hold the lock.
func (l *Live) overNow() func(*ir.Grant) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over(l.compiled.bundle)
}

func (l *Live) hasBundle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown.bundle != nil
}
