package envoy

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// portUnit is the resources of a service port; of one that does not exist, of its
// cluster alone.
type portUnit struct {
	in    portInput
	items []*item
	made  int // number of the run that lowered it; 0: none has
	eds   ir.Ref
	out   ir.OutboundPort
}

// portInput is all that the resources of a service port are made of besides the
// settings.
type portInput struct {
	id      ir.PortID
	service *ir.Service
	port    *ir.Port
	called  bool // somebody may call it
	exists  bool
	splits  []*ir.Split
	leaves  []leaf // services that the splits lead to, in order
}

// leaf is what a split's root must know of a service.
type leaf struct{ known, outside bool }

func (l *lowering) portInput(p *servicePort, called bool) portInput {
	in := portInput{id: p.id, service: p.service, port: p.port, called: called, exists: true, splits: l.splits[p.id.Service]}
	for _, sp := range in.splits {
		for i := range sp.Backends {
			svc, ok := l.mesh.Service(sp.Backends[i].Service)
			in.leaves = append(in.leaves, leaf{ok, ok && svc.Outside})
		}
	}
	return in
}

func (a *portInput) same(b *portInput) bool {
	return a.id == b.id && a.called == b.called && a.exists == b.exists && *a.port == *b.port &&
		a.service.Headless == b.service.Headless && a.service.Outside == b.service.Outside &&
		ir.Equal(a.service.Accounts, b.service.Accounts) && slices.EqualFunc(a.splits, b.splits, ir.SameSplit) && slices.Equal(a.leaves, b.leaves)
}

// kept is an input that a unit may keep: not a part of a mesh, which may be forgotten.
func (a portInput) kept() portInput {
	service, port := *a.service, *a.port
	a.service, a.port, a.splits = &service, &port, owned(a.splits)
	return a
}

// owned are copies of parts of a mesh.
func owned[T any](parts []*T) []*T {
	values, out := make([]T, len(parts)), make([]*T, len(parts))
	for i, p := range parts {
		values[i] = *p
		out[i] = &values[i]
	}
	return out
}

// missingInputs are the backends that do not exist, each with the port of a root
// that sends to it.
func (l *lowering) missingInputs() []portInput {
	var out []portInput
	have := map[ir.PortID]bool{}
	for _, r := range l.roots {
		p := l.ports[r.at]
		for _, b := range r.branches {
			for _, sh := range b.shares {
				if _, known := l.portAt(sh.port); known || have[sh.port] {
					continue
				}
				have[sh.port] = true
				out = append(out, portInput{id: sh.port, service: &ir.Service{ID: sh.port.Service}, port: p.port})
			}
		}
	}
	return out
}

// lower makes the resources; l has a store for them alone.
func (u *portUnit) lower(l *lowering) error {
	in := &u.in
	if !in.exists {
		u.eds = l.missing(in.id, in.port)
		u.items = l.items
		return l.err
	}
	for _, sp := range in.splits {
		if err := l.checkExpressions(sp.Matches); err != nil {
			return err
		}
	}
	eds, direct := l.service(in.service, in.port)
	u.eds = eds
	if in.called {
		u.out = l.outboundPort(in.service, in.port, direct)
	}
	u.items = l.items
	return l.err
}

// placed is what a plan says of the service port.
func (u *portUnit) placed() ir.OutboundPort {
	o := u.out
	for _, r := range []*ir.Ref{&o.Listener, &o.Route, &o.Extension, &o.Direct} {
		*r = placed(u.items, *r)
	}
	return o
}

// roleUnit is the inbound resources of a role. They are made of the settings and
// of what stands here up to grants.
type roleUnit struct {
	name   string
	role   ir.Role
	spaces []ir.Namespace // of the first service of each port
	grants [][]*ir.Grant  // of each port

	items []*item
	made  int // number of the run that lowered it; 0: none has
	ports []ir.InboundPlan
}

func (l *lowering) roleUnit(role *ir.Role) *roleUnit {
	u := &roleUnit{name: role.Name(), role: *role}
	for i := range role.Ports {
		p := &role.Ports[i]
		u.spaces = append(u.spaces, l.spaceOf(p))
		u.grants = append(u.grants, owned(slices.Collect(l.grantsTo(role.Identity, p.Services))))
	}
	return u
}

// spaceOf is the namespace whose settings rule a port.
func (l *lowering) spaceOf(p *ir.InboundPort) ir.Namespace {
	return l.mesh.Namespace(p.Services[0].Service.Namespace)
}

// is tells whether the unit is of the role.
func (u *roleUnit) is(role *ir.Role) bool {
	return u.role.Identity == role.Identity && slices.Equal(u.role.Services, role.Services)
}

// sameRole tells whether the unit is what the role would be lowered to.
func (l *lowering) sameRole(u *roleUnit, role *ir.Role) bool {
	if !ir.EqualBy(u.role.Ports, role.Ports, ir.SameInboundPort) {
		return false
	}
	for i := range role.Ports {
		p, n := &role.Ports[i], 0
		if u.spaces[i] != l.spaceOf(p) {
			return false
		}
		for g := range l.grantsTo(role.Identity, p.Services) {
			if n == len(u.grants[i]) || !ir.SameGrant(u.grants[i][n], g) {
				return false
			}
			n++
		}
		if n < len(u.grants[i]) {
			return false
		}
	}
	return true
}

// placed is what a plan says of the ports of a role. It is appended to ports, and
// the chains of these to chains.
func (u *roleUnit) placed(ports []ir.InboundPlan, chains []ir.Ref) ([]ir.InboundPlan, []ir.Ref) {
	for _, p := range u.ports {
		from := len(chains)
		for _, c := range p.Chains {
			chains = append(chains, placed(u.items, c))
		}
		if len(p.Chains) > 0 {
			p.Chains = chains[from:len(chains):len(chains)]
		}
		p.Route, p.Extension = placed(u.items, p.Route), placed(u.items, p.Extension)
		ports = append(ports, p)
	}
	return ports, chains
}

func (u *roleUnit) lower(l *lowering) error {
	for i := range u.role.Ports {
		port := &u.role.Ports[i]
		for _, g := range u.grants[i] {
			if err := l.checkExpressions(g.HTTP); err != nil {
				return err
			}
		}
		if port.Protocol != ir.UDP {
			u.ports = append(u.ports, l.inboundPort(port, u.spaces[i], u.grants[i]))
		}
	}
	u.items = l.items
	return l.err
}

// sameSight tells that identities see the same in two meshes.
func sameSight(a, b *ir.Mesh) bool {
	return sameSettings(a, b) && ir.Equal(a.Identities, b.Identities) &&
		ir.EqualBy(a.Services, b.Services, sameStand) &&
		ir.EqualBy(a.Roles, b.Roles, func(x, y *ir.Role) bool { return x.Identity == y.Identity }) &&
		ir.EqualBy(a.Grants, b.Grants, func(x, y *ir.Grant) bool {
			return x.Destination == y.Destination && ir.Equal(x.Sources, y.Sources) && ir.Equal(x.Ports, y.Ports)
		}) &&
		ir.EqualBy(a.Splits, b.Splits, sameLeaves)
}
