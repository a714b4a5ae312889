package link

import (
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// A resource that is not what it should be is withheld: whoever has the one that
// was served in its place last keeps it. A finding says so, and is noted once.

// After is the world of a bundle and a snapshot that is served after another; nil:
// none. What is withheld of it stays as the other has it, though bundles differ.
// What is withheld is told to note as soon as it is composed, once, from several
// goroutines at a time; nil: nobody.
func After(before *World, b *bundle.Bundle, snap *catalog.Snapshot, note func(diag.Finding)) *World {
	if before != nil && before.bundle == b {
		before.before.Store(nil) // what is served by now has all that is kept of it
		return before.With(snap)
	}
	s := newStatic(b)
	s.note = note
	if before != nil {
		before.before.Store(nil) // one world is enough to fall back on
		s.before.Store(before)
	}
	w := (&World{static: s, snapshot: &catalog.Snapshot{}}).With(snap)
	w.changed.Structure = true
	return w
}

// withholding is what a static knows of what is withheld.
type withholding struct {
	before atomic.Pointer[World] // of another bundle, what is served until then
	note   func(diag.Finding)
	noted  sync.Map // messages

	// flaw is a defect of composing that a test puts in.
	flaw func(*Resource) *Resource
}

// made is a resource as composing gave it.
func (h *withholding) made(r *Resource) *Resource {
	if h.flaw != nil {
		return h.flaw(r)
	}
	return r
}

// withhold makes the finding, and tells of it.
func (h *withholding) withhold(name string, err error) diag.Finding {
	f := withheld(name, err)
	if _, known := h.noted.LoadOrStore(f.Message, true); !known && h.note != nil {
		h.note(f)
	}
	return f
}

// servedListener is the listener of that name that the world before has for a
// service port.
func (h *withholding) servedListener(id ir.PortID, name string) []at {
	w := h.before.Load()
	if w == nil {
		return nil
	}
	place, ok := w.portAt[id]
	if !ok {
		return nil
	}
	return sameName(w.services[place.service].listeners[place.port], name)
}

// servedAssignment is the assignment that the world before has for a cluster.
func (h *withholding) servedAssignment(cluster string) *Resource {
	if w := h.before.Load(); w != nil {
		return w.Endpoints(cluster)
	}
	return nil
}

// servedVirtual is what a member of a scope was served for all that it does not list.
func (h *withholding) servedVirtual(member ir.Identity, name string) *Resource {
	w := h.before.Load()
	if w == nil {
		return nil
	}
	if scope, ok := w.scopeOf[member]; ok {
		return w.bound.scope(scope).sets[Listener].Get(name)
	}
	return nil
}

// servedInbound is the inbound part that a workload of a role was served.
func (h *withholding) servedInbound(role *ir.RolePlan, workload string) *part {
	w := h.before.Load()
	if w == nil {
		return nil
	}
	if old := w.roleOf[ir.RoleName(role.Identity, role.Services)]; old != nil {
		if p := w.inbound(old, workload); p.sets[Listener] != nil {
			return p
		}
	}
	return nil
}
