package envoy

import (
	"errors"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// swap is an item that takes the place of another in the session's order.
type swap struct {
	at  int
	now *item
}

// swap finds the places of a unit's new items: each takes that of an old one of its
// type and name. One with other bytes must have no namesake: neither another unit
// that shares it, nor one that it might have to stand behind now.
func (s *Session) swap(out []swap, old, now []*item, ok bool) ([]swap, bool) {
	if !ok || len(old) != len(now) {
		return nil, false
	}
	old = slices.Clone(old)
	for _, same := range []func(a, b *item) bool{sameItem, namesakes} {
		for _, n := range now {
			i := slices.IndexFunc(old, func(o *item) bool { return o != nil && same(o, n) })
			if slices.ContainsFunc(out, func(x swap) bool { return x.now == n }) || i < 0 {
				continue
			}
			at := s.find(old[i])
			if at < 0 || !sameItem(old[i], n) && s.crowded(at) {
				return nil, false
			}
			out, old[i] = append(out, swap{at, n}), nil
		}
	}
	return out, !slices.ContainsFunc(old, func(o *item) bool { return o != nil })
}

// find is the place of an item in the session's order.
func (s *Session) find(it *item) int {
	at, _ := slices.BinarySearchFunc(s.items, it, compareItems)
	for ; at < len(s.items) && sameItem(s.items[at], it); at++ {
		if s.items[at] == it {
			return at
		}
	}
	return -1
}

func namesakes(a, b *item) bool { return a.Name == b.Name && a.Type == b.Type }

func (s *Session) crowded(at int) bool {
	return at > 0 && namesakes(s.items[at-1], s.items[at]) || at+1 < len(s.items) && namesakes(s.items[at], s.items[at+1])
}

// settled puts the new items into the places of the old ones.
func (s *Session) settled(swaps []swap) []ir.Resource {
	out := s.plan.Resources
	if slices.ContainsFunc(swaps, func(x swap) bool { return !sameItem(s.items[x.at], x.now) }) {
		out = slices.Clone(out)
	}
	for _, x := range swaps {
		old := s.items[x.at]
		x.now.place, s.items[x.at] = old.place, x.now
		if !sameItem(old, x.now) {
			out[old.place] = x.now.Resource
		}
		if s.places[old.place] == old {
			s.places[old.place] = x.now
		}
	}
	return out
}

// renewPorts brings what the plan says of service ports up to date. Their clusters
// stay: these are made of nothing that a frame leaves open.
func (a *assembly) renewPorts(plan *ir.Plan, s *Session, ports []renewed[portUnit]) {
	copied := false
	for _, u := range ports {
		s.ports[u.at] = u.now
		if !u.now.in.called {
			continue
		}
		at, _ := outboundAt(plan, u.now.in.id)
		o := u.now.placed()
		if sameOutbound(&plan.Outbound[at], &o) {
			continue
		}
		if !copied {
			plan.Outbound, copied = slices.Clone(plan.Outbound), true
		}
		plan.Outbound[at] = o
	}
}

func (a *assembly) renewRoles(plan *ir.Plan, s *Session, roles []renewed[roleUnit]) {
	copied, late := false, false
	for _, u := range roles {
		s.roles[u.at] = u.now
		old := &plan.Roles[u.at]
		ports, _ := u.now.placed(nil, nil)
		if ir.EqualBy(old.Ports, ports, sameInboundPlan) {
			continue
		}
		late = late || !ir.EqualBy(old.Ports, ports, func(p, q *ir.InboundPlan) bool { return p.Services[0] == q.Services[0] })
		if !copied {
			plan.Roles, copied = slices.Clone(plan.Roles), true
		}
		plan.Roles[u.at].Ports = ports
	}
	if late {
		s.late = lateFacts(plan, a.shared.ranged)
	}
	plan.Late, s.of = s.late, keyOf(plan, a.shared.ranged)
}

// closedOnly is closed for what was lowered again.
func (a *assembly) closedOnly(plan *ir.Plan, ports []renewed[portUnit], roles []renewed[roleUnit]) error {
	var errs []error
	for _, u := range ports {
		if at, ok := outboundAt(plan, u.now.in.id); ok {
			errs = append(errs, a.closedPort(plan, &plan.Outbound[at]))
		}
	}
	for _, u := range roles {
		errs = append(errs, a.closedRole(plan, &plan.Roles[u.at]))
	}
	return errors.Join(errs...)
}

func outboundAt(plan *ir.Plan, id ir.PortID) (int, bool) {
	return slices.BinarySearchFunc(plan.Outbound, id, func(o ir.OutboundPort, id ir.PortID) int { return o.Port.Compare(id) })
}

func sameOutbound(a, b *ir.OutboundPort) bool {
	return a.Port == b.Port && a.Protocol == b.Protocol && a.Headless == b.Headless && a.Listener == b.Listener &&
		a.Route == b.Route && a.Extension == b.Extension && a.Direct == b.Direct && ir.Equal(a.Clusters, b.Clusters)
}

func sameInboundPlan(a, b *ir.InboundPlan) bool {
	return a.TargetPort == b.TargetPort && a.Protocol == b.Protocol && ir.Equal(a.Services, b.Services) &&
		ir.Equal(a.Chains, b.Chains) && a.Route == b.Route && a.Extension == b.Extension
}
