package verify

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// difference is what has to be asked again after a mesh and its plan were
// proved. Whatever the judgement of a service's ports reads leads to the service
// here: what is forgotten here can hide a defect from who compiles incrementally.
type difference struct {
	mesh0, mesh *ir.Mesh
	plan0, plan *ir.Plan
	was         []ir.Ref // of each resource: the equal one of plan0, or NoRef
	touched     *services
	roles       map[int]bool // of the plan
	scopes      map[int]bool // of the plan
	egress      bool
}

// since selects what differs from a mesh and plan that were proved.
func since(mesh0 *ir.Mesh, plan0 *ir.Plan, mesh *ir.Mesh, plan *ir.Plan) selection {
	if !sameGround(mesh0, mesh) {
		return everything(mesh, plan)
	}
	d := &difference{
		mesh0: mesh0, mesh: mesh, plan0: plan0, plan: plan, was: sameResources(plan0.Resources, plan.Resources),
		touched: &services{}, roles: map[int]bool{}, scopes: map[int]bool{},
	}
	d.policy()
	d.outbound()
	d.clients()
	d.inbound()
	d.spread()
	return d.selection()
}

// sameGround tells whether what every judgement reads is the same.
func sameGround(a, b *ir.Mesh) bool {
	x, y := a.Settings, b.Settings
	same := equal(x.ServiceRanges, y.ServiceRanges) && equal(x.PodRanges, y.PodRanges)
	x.ServiceRanges, x.PodRanges, y.ServiceRanges, y.PodRanges = nil, nil, nil, nil
	return same && sameSettings(x, y) && equal(a.Namespaces, b.Namespaces)
}

// policy is what the mesh says.
func (d *difference) policy() {
	changed(d.mesh0.Services, d.mesh.Services, func(s *ir.Service) ir.ServiceID { return s.ID }, sameService,
		func(s *ir.Service) { d.touched.add(s.ID) })
	changed(d.mesh0.Grants, d.mesh.Grants, func(g *ir.Grant) string { return g.Name }, sameGrant, func(g *ir.Grant) { d.touch(g.Ports) })
	changed(d.mesh0.Splits, d.mesh.Splits, func(s *ir.Split) string { return s.Name }, sameSplit, func(s *ir.Split) { d.touched.add(s.Root) })
	changed(d.mesh0.Roles, d.mesh.Roles, func(r *ir.Role) string { return r.Name() }, sameRole, func(r *ir.Role) {
		for _, s := range r.Services {
			d.touched.add(s)
		}
		for i := range r.Ports {
			d.touch(r.Ports[i].Services)
		}
	})
	d.egress = d.egress || !equal(d.mesh0.Identities, d.mesh.Identities)
}

func (d *difference) touch(ports []ir.PortID) {
	for _, p := range ports {
		d.touched.add(p.Service)
	}
}

// outbound is what clients are given, and where it leads.
func (d *difference) outbound() {
	led(d.plan0.Outbound, d.plan.Outbound, func(o *ir.OutboundPort) ir.PortID { return o.Port }, d.sameOutbound,
		func(o *ir.OutboundPort) { d.touched.add(o.Port.Service) })
	led(d.plan0.Clusters, d.plan.Clusters, func(c *ir.Cluster) ir.PortID { return c.Port }, func(a, b *ir.Cluster) bool {
		return a.Port == b.Port && d.same(a.Resource, b.Resource) && equal(a.Accounts, b.Accounts)
	}, func(c *ir.Cluster) { d.touched.add(c.Port.Service) })
}

func (d *difference) sameOutbound(a, b *ir.OutboundPort) bool {
	return a.Port == b.Port && a.Protocol == b.Protocol && a.Headless == b.Headless && equal(a.Clusters, b.Clusters) &&
		d.same(a.Listener, b.Listener) && d.same(a.Route, b.Route) && d.same(a.Extension, b.Extension) && d.same(a.Direct, b.Direct)
}

// same tells whether a reference of the old plan and one of the new lead to equal
// resources.
func (d *difference) same(a, b ir.Ref) bool {
	if a == ir.NoRef || b == ir.NoRef {
		return a == b
	}
	return d.was[b] == a
}

// sameRefs is never told by the place in memory, nor is anything else that holds
// references: a plan that is the same but for a resource leads elsewhere.
func (d *difference) sameRefs(a, b []ir.Ref) bool { return slices.EqualFunc(a, b, d.same) }

// clients are the identities with their scopes. Many share one: each pair of
// scopes is looked at once.
func (d *difference) clients() {
	if onePlace(d.plan0.Identities, d.plan.Identities) && onePlace(d.plan0.Scopes, d.plan.Scopes) && !slices.ContainsFunc(d.plan.Scopes, d.led) {
		return
	}
	compared := make([]int, len(d.plan.Scopes)) // 1 + the scope of plan0
	i := 0
	for j := range d.plan.Identities {
		p := &d.plan.Identities[j]
		for ; i < len(d.plan0.Identities) && d.plan0.Identities[i].Identity < p.Identity; i++ {
			d.client(&d.plan0.Scopes[d.plan0.Identities[i].Scope], nil)
		}
		if i == len(d.plan0.Identities) || d.plan0.Identities[i].Identity != p.Identity {
			d.scopes[p.Scope] = true
			d.client(nil, &d.plan.Scopes[p.Scope])
			continue
		}
		before := d.plan0.Identities[i].Scope
		i++
		if compared[p.Scope] == before+1 {
			continue
		}
		compared[p.Scope] = before + 1
		if d.client(&d.plan0.Scopes[before], &d.plan.Scopes[p.Scope]) {
			d.scopes[p.Scope] = true
		}
	}
	for ; i < len(d.plan0.Identities); i++ {
		d.client(&d.plan0.Scopes[d.plan0.Identities[i].Scope], nil)
	}
}

// led tells that a scope's own resources are others.
func (d *difference) led(s ir.Scope) bool {
	return !d.same(s.Virtual, s.Virtual) || !d.same(s.Ranged, s.Ranged) || !d.sameRefs(s.Extra, s.Extra)
}

// client touches what is given to a client anew or no longer; nil: no such client.
func (d *difference) client(before, now *ir.Scope) bool {
	var none ir.Scope
	alike := before != nil && now != nil
	if alike {
		alike = d.same(before.Virtual, now.Virtual) && d.same(before.Ranged, now.Ranged) && d.sameRefs(before.Extra, now.Extra) &&
			equal(before.Without, now.Without)
	}
	d.egress = d.egress || !alike
	if before == nil {
		before = &none
	}
	if now == nil {
		now = &none
	}
	if alike {
		if equal(before.Outbound, now.Outbound) {
			return false
		}
		changed(before.Outbound, now.Outbound, func(p *ir.PortID) ir.PortID { return *p }, func(a, b *ir.PortID) bool { return *a == *b },
			func(p *ir.PortID) { d.touched.add(p.Service) })
		return true
	}
	d.touch(before.Outbound)
	d.touch(now.Outbound)
	d.touch(before.Without)
	d.touch(now.Without)
	return true
}

// inbound is what the roles hold.
func (d *difference) inbound() {
	touch := func(r *ir.RolePlan) {
		for _, s := range r.Services {
			d.touched.add(s)
		}
		for i := range r.Ports {
			d.touch(r.Ports[i].Services)
		}
	}
	led(d.plan0.Roles, d.plan.Roles, func(r *ir.RolePlan) string { return ir.RoleName(r.Identity, r.Services) }, d.sameRolePlan, touch)
}

func (d *difference) sameRolePlan(a, b *ir.RolePlan) bool {
	return a.Identity == b.Identity && equal(a.Services, b.Services) && d.same(a.Listener, b.Listener) &&
		slices.EqualFunc(a.Ports, b.Ports, func(x, y ir.InboundPlan) bool {
			return x.TargetPort == y.TargetPort && x.Protocol == y.Protocol && equal(x.Services, y.Services) &&
				d.sameRefs(x.Chains, y.Chains) && d.same(x.Route, y.Route) && d.same(x.Extension, y.Extension)
		})
}

// spread leads from what was touched to the services whose requests are split
// to it, and to the roles that serve it.
func (d *difference) spread() {
	var roots []ir.ServiceID
	root := func(s *ir.Split) {
		if slices.ContainsFunc(s.Backends, func(b ir.Backend) bool { return d.touched.has(b.Service) }) {
			roots = append(roots, s.Root)
		}
	}
	for i := range d.mesh0.Splits {
		root(&d.mesh0.Splits[i])
	}
	for i := range d.mesh.Splits {
		root(&d.mesh.Splits[i])
	}
	for i := range d.plan.Outbound {
		o := &d.plan.Outbound[i]
		for j := range o.Clusters { // mostly its own, which changes nothing
			if c := &o.Clusters[j]; c.Service != o.Port.Service && d.touched.has(c.Service) {
				roots = append(roots, o.Port.Service)
				break
			}
		}
	}
	for _, s := range roots {
		d.touched.add(s)
	}
	for i := range d.plan.Roles {
		r := &d.plan.Roles[i]
		if slices.ContainsFunc(r.Services, d.touched.has) || slices.ContainsFunc(r.Ports, d.serves) {
			d.roles[i] = true
		}
	}
}

// serves tells whether an inbound port is one of a touched service's.
func (d *difference) serves(p ir.InboundPlan) bool {
	last := ir.ServiceID{}
	for i := range p.Services {
		if s := p.Services[i].Service; s != last && d.touched.has(s) {
			return true
		}
		last = p.Services[i].Service
	}
	return false
}

// sameResources finds for each new resource the equal old one. Both are in order.
func sameResources(old, now []ir.Resource) []ir.Ref {
	out := make([]ir.Ref, len(now))
	if sameFrame(old, now) {
		for i := range out {
			if out[i] = ir.Ref(i); !onePlace(old[i].Body, now[i].Body) && !bytes.Equal(old[i].Body, now[i].Body) {
				out[i] = ir.NoRef
			}
		}
		return out
	}
	i := 0
	for j := range now {
		out[j] = ir.NoRef
		for i < len(old) {
			order := compareResources(&old[i], &now[j])
			if order == 0 {
				out[j] = ir.Ref(i)
			}
			if order >= 0 {
				break
			}
			i++
		}
	}
	return out
}

func compareResources(a, b *ir.Resource) int {
	if onePlace(a.Body, b.Body) && len(a.Body) > 0 && a.Name == b.Name && a.Type == b.Type {
		return 0
	}
	if c := cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)); c != 0 {
		return c
	}
	return bytes.Compare(a.Body, b.Body)
}
