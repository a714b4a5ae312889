package link

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// part is a share of what a proxy is sent, by type: its identity's outbound
// side, or its role's inbound side. Proxies of one identity share theirs.
type part struct {
	sets     [Types]Set
	findings diag.List
	wrong    error // why it is withheld
	narrow   narrow
	derived  derived
}

// bound is what depends on the whole catalog but not on single endpoints. It is
// replaced when the structure of a world changes.
type bound struct {
	world    *World
	scopes   []*slot // as plan.Scopes
	bounds   []netip.Prefix
	ranges   []netip.Prefix
	findings diag.List
	proofs   sync.Map // of virtual listeners, by proofKey
}

// slot makes a scope's part when the first proxy asks for it.
type slot struct {
	once sync.Once
	done atomic.Bool
	part *part
	last *Resource // the virtual listener that was served before, nil if none was
}

// served is the virtual listener that the slot's proxies have.
func (s *slot) served(name string) *Resource {
	if s.done.Load() {
		return s.part.sets[Listener].Get(name)
	}
	return s.last
}

// newBound keeps the parts of scopes that nothing changed for.
func newBound(w, before *World) *bound {
	b := &bound{world: w, scopes: make([]*slot, len(w.plan.Scopes))}
	b.bounds, b.ranges = w.ranges()
	var kept *bound
	if before != nil {
		kept = before.bound
	}
	for i := range b.scopes {
		if kept != nil && slices.Equal(kept.ranges, b.ranges) && !w.touches(before, i) {
			b.scopes[i] = kept.scopes[i]
			continue
		}
		b.scopes[i] = &slot{}
		if kept != nil {
			b.scopes[i].last = kept.scopes[i].served(w.resource(w.plan.Scopes[i].Virtual).Name)
		}
	}
	b.findings = append(w.doubleAddresses(), w.unboundedEgress(b)...)
	return b
}

// touches tells whether a port of a scope is bound differently in an earlier world.
func (w *World) touches(before *World, scope int) bool {
	return slices.ContainsFunc(w.plan.Scopes[scope].Outbound, func(id ir.PortID) bool {
		p := w.portAt[id]
		a, b := before.services[p.service], w.services[p.service]
		return a != b && !slices.EqualFunc(a.listeners[p.port], b.listeners[p.port], func(x, y at) bool { return x.Resource == y.Resource })
	})
}

// scope is the outbound part of a scope.
func (b *bound) scope(i int) *part {
	s := b.scopes[i]
	s.once.Do(func() {
		s.part = b.world.outbound(&b.world.plan.Scopes[i], b, s.last)
		s.done.Store(true)
	})
	return s.part
}

// outbound gathers what the identities of a scope are sent for their calls.
// Ports without a listener, and what only they need, are left out.
func (w *World) outbound(s *ir.Scope, b *bound, last *Resource) *part {
	var all [Types][]*Resource
	p := &part{}
	add := func(rs ...*Resource) {
		for _, r := range rs {
			if r != nil {
				all[r.Type] = append(all[r.Type], r)
			}
		}
	}
	add(w.virtual(s, b, last, p))
	for _, r := range s.Extra {
		add(w.resource(r))
	}
	taken := map[netip.AddrPort]bool{}
	for _, id := range s.Outbound {
		at := w.portAt[id]
		plan, svc := &w.static.services[at.service].ports[at.port], w.services[at.service]
		for i, c := range plan.clusters {
			if !slices.Contains(s.Without, plan.Clusters[i]) {
				add(c)
			}
		}
		add(plan.direct)
		listening := false
		for _, l := range svc.listeners[at.port] {
			if slices.ContainsFunc(l.addresses, func(a netip.AddrPort) bool { return taken[a] }) {
				continue // Envoy refuses two listeners of one address; doubleAddresses says so
			}
			for _, a := range l.addresses {
				taken[a] = true
			}
			add(l.Resource)
			listening = true
		}
		if listening {
			add(plan.route, plan.extension)
		}
	}
	for t := range Types {
		p.sets[t] = newSet(all[t])
	}
	return p
}

// virtual is the 15001 listener. Where egress is allowed it refuses the mesh's
// own ranges; where these are not known it refuses everything.
func (w *World) virtual(s *ir.Scope, b *bound, last *Resource, p *part) *Resource {
	plain := w.resource(s.Virtual)
	if s.Ranged < 0 || w.plan.Resources[s.Ranged].Type != ir.TypeChain {
		return plain
	}
	ranges := b.ranges
	if len(b.bounds) == 0 {
		ranges = nil
	}
	body := withChain(slices.Clone(plain.Any.GetValue()), w.plan.Resources[s.Ranged].Body, onRanges(ranges))
	r := w.made(NewResource(Listener, plain.Name, body))
	err := b.proved(proofKey{s.Virtual, s.Ranged, r.Version}, func() error {
		if err := checked(r); err != nil {
			return err
		}
		return w.proveVirtual(s, r)
	})
	if err == nil {
		return r
	}
	p.findings.Add(w.withhold(plain.Name, err))
	if last != nil {
		return last
	}
	return w.servedVirtual(w.memberOf(s), plain.Name)
}

// proofKey is what a virtual listener was made of, and its digest: the many
// scopes whose listeners are equal are judged once.
type proofKey struct {
	virtual, ranged ir.Ref
	version         string
}

func (b *bound) proved(key proofKey, prove func() error) error {
	done, ok := b.proofs.Load(key)
	if !ok {
		done, _ = b.proofs.LoadOrStore(key, sync.OnceValue(prove))
	}
	return done.(func() error)()
}

// memberOf is an identity of a scope, empty if it has none.
func (s *static) memberOf(scope *ir.Scope) ir.Identity {
	for _, p := range s.plan.Identities {
		if &s.plan.Scopes[p.Scope] == scope {
			return p.Identity
		}
	}
	return ""
}
