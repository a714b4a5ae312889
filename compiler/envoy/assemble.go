package envoy

import (
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// assembly puts the units of a mesh together.
type assembly struct {
	*lowering
	ports, missing []*portUnit
	roles          []*roleUnit
	run            int
	items          []*item // by place; of equal ones the first
}

func (a *assembly) plan(s *Session) (*ir.Plan, error) {
	s.items = a.collect(s.items)
	plan := &ir.Plan{Resources: a.settle(s.items)}
	s.places = a.items
	a.outbound(plan)
	a.inbound(plan)
	a.given(plan, s.scopes)
	if key := keyOf(plan, a.shared.ranged); s.late == nil || !key.same(s.of) {
		s.late, s.of = lateFacts(plan, a.shared.ranged), key
	}
	plan.Late = s.late
	return plan, a.closed(plan, false)
}

// collect is the items of all units in order; before are those of the last run.
func (a *assembly) collect(before []*item) []*item {
	var fresh []*item
	count := func(items []*item, made int) {
		for _, it := range items {
			if it.run = a.run; made == a.run || before == nil {
				fresh = append(fresh, it)
			}
		}
	}
	count(a.store.items, 0)
	for _, u := range a.ports {
		count(u.items, u.made)
	}
	for _, u := range a.missing {
		count(u.items, u.made)
	}
	for _, u := range a.roles {
		count(u.items, u.made)
	}
	slices.SortFunc(fresh, compareItems)
	out := make([]*item, 0, len(before)+len(fresh))
	for _, f := range fresh {
		at, _ := slices.BinarySearchFunc(before, f, compareItems)
		out = append(a.still(out, before[:at]), f)
		before = before[at:]
	}
	return a.still(out, before)
}

// still appends the items that this run needs.
func (a *assembly) still(out, before []*item) []*item {
	for _, it := range before {
		if it.run == a.run {
			out = append(out, it)
		}
	}
	return out
}

// settle gives each item its place; equal ones, which roles that share a service
// have, share one.
func (a *assembly) settle(items []*item) []ir.Resource {
	out := make([]ir.Resource, 0, len(items))
	a.items = make([]*item, 0, len(items))
	for i, it := range items {
		if i == 0 || !sameItem(items[i-1], it) {
			out = append(out, it.Resource)
			a.items = append(a.items, it)
		}
		it.place = ir.Ref(len(out) - 1)
	}
	return out
}

// placed is the place of a unit's item.
func placed(items []*item, r ir.Ref) ir.Ref {
	if r == ir.NoRef {
		return r
	}
	return items[r].place
}

// outbound is the cluster of every service port, and the listener of those that
// somebody may call.
func (a *assembly) outbound(plan *ir.Plan) {
	plan.Outbound = make([]ir.OutboundPort, 0, len(a.ports))
	plan.Clusters = make([]ir.Cluster, 0, len(a.ports)+len(a.missing))
	for _, u := range a.ports {
		plan.Clusters = append(plan.Clusters, ir.Cluster{Port: u.in.id, Resource: placed(u.items, u.eds), Accounts: u.in.service.Accounts})
		if u.in.called {
			plan.Outbound = append(plan.Outbound, u.placed())
		}
	}
	if len(plan.Outbound) == 0 {
		plan.Outbound = nil
	}
	if len(a.missing) == 0 {
		return
	}
	for _, u := range a.missing {
		plan.Clusters = append(plan.Clusters, ir.Cluster{Port: u.in.id, Resource: placed(u.items, u.eds)})
	}
	slices.SortFunc(plan.Clusters, func(a, b ir.Cluster) int { return a.Port.Compare(b.Port) })
}

// inbound is every role.
func (a *assembly) inbound(plan *ir.Plan) {
	ports, chains := 0, 0
	for _, u := range a.roles {
		ports += len(u.ports)
		for i := range u.ports {
			chains += len(u.ports[i].Chains)
		}
	}
	plan.Roles = make([]ir.RolePlan, len(a.roles))
	allPorts, allChains := make([]ir.InboundPlan, 0, ports), make([]ir.Ref, 0, chains)
	for i, u := range a.roles {
		role := &a.mesh.Roles[i]
		out := ir.RolePlan{Identity: role.Identity, Services: role.Services}
		first := len(allPorts)
		allPorts, allChains = u.placed(allPorts, allChains)
		if len(allPorts) > first {
			out.Ports = allPorts[first:len(allPorts):len(allPorts)]
		}
		plan.Roles[i] = out
	}
}

// given is what each identity is given, with the references to what all share.
func (a *assembly) given(plan *ir.Plan, given scopes) {
	at := func(r ir.Ref) ir.Ref { return placed(a.store.items, r) }
	all := func(refs []ir.Ref) []ir.Ref {
		out := make([]ir.Ref, len(refs))
		for i, r := range refs {
			out[i] = at(r)
		}
		return out
	}
	extra, extraOpen := all(a.shared.extra), all(a.shared.extraOpen)
	plan.Identities = given.identities
	if len(given.list) > 0 {
		plan.Scopes = make([]ir.Scope, 0, len(given.list))
	}
	for _, sc := range given.list {
		out := ir.Scope{Virtual: at(a.shared.virtual), Ranged: ir.NoRef, Extra: extra, Outbound: sc.outbound, Without: sc.without}
		if sc.leaves {
			out.Virtual, out.Ranged, out.Extra = at(a.shared.open), at(a.shared.ranged), extraOpen
		}
		plan.Scopes = append(plan.Scopes, out)
	}
	listener := at(a.shared.listener)
	for i := range plan.Roles {
		plan.Roles[i].Listener = listener
	}
}

// closed checks that whoever is sent a resource is sent everything it names: for
// each service port at the client, for each role at the server. What was checked
// in an earlier run is left out, unless all are to be checked.
func (a *assembly) closed(plan *ir.Plan, all bool) error {
	at := 0
	for i := range plan.Outbound {
		o := &plan.Outbound[i]
		for a.ports[at].in.id != o.Port || !a.ports[at].in.called {
			at++
		}
		if !all && a.ports[at].made != a.run {
			continue
		}
		if err := a.closedPort(plan, o); err != nil {
			return err
		}
	}
	checked := map[ir.Ref]bool{}
	for i := range plan.Scopes {
		sc := &plan.Scopes[i]
		if checked[sc.Virtual] && !all {
			continue
		}
		checked[sc.Virtual] = true
		if err := a.closedOver([]ir.Ref{sc.Virtual, sc.Ranged}, sc.Extra); err != nil {
			return err
		}
	}
	for i := range plan.Roles {
		if !all && a.roles[i].made != a.run {
			continue
		}
		if err := a.closedRole(plan, &plan.Roles[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *assembly) closedPort(plan *ir.Plan, o *ir.OutboundPort) error {
	sent := []ir.Ref{o.Listener, o.Route, o.Extension, o.Direct}
	for _, c := range o.Clusters {
		k, ok := slices.BinarySearchFunc(plan.Clusters, c, func(k ir.Cluster, p ir.PortID) int { return k.Port.Compare(p) })
		if !ok {
			return fmt.Errorf("listener %q needs the cluster of %s, which the plan lacks", outboundName(o.Port), c)
		}
		sent = append(sent, plan.Clusters[k].Resource)
	}
	return a.closedOver(sent, nil)
}

func (a *assembly) closedRole(plan *ir.Plan, r *ir.RolePlan) error {
	extra := []ir.Ref{}
	if len(plan.Scopes) > 0 {
		extra = plan.Scopes[0].Extra
	}
	sent := []ir.Ref{r.Listener}
	for _, p := range r.Ports {
		sent = append(append(sent, p.Route, p.Extension), p.Chains...)
	}
	return a.closedOver(sent, extra)
}
