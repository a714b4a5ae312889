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
	fresh bool // lowered in this run
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
		equal(a.service.Accounts, b.service.Accounts) && slices.EqualFunc(a.splits, b.splits, sameSplit) && slices.Equal(a.leaves, b.leaves)
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

// roleUnit is the inbound resources of a role. They are made of the settings and
// of what stands here up to grants.
type roleUnit struct {
	name   string
	role   *ir.Role
	spaces []ir.Namespace // of the first service of each port
	grants [][]*ir.Grant  // of each port

	items []*item
	done  bool
	fresh bool
	ports []ir.InboundPlan
}

func (l *lowering) roleUnit(role *ir.Role) *roleUnit {
	u := &roleUnit{name: role.Name(), role: role}
	for i := range role.Ports {
		p := &role.Ports[i]
		u.spaces = append(u.spaces, l.spaceOf(p))
		u.grants = append(u.grants, slices.Collect(l.grantsTo(role.Identity, p.Services)))
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
	if !equalBy(u.role.Ports, role.Ports, sameInbound) {
		return false
	}
	for i := range role.Ports {
		p, n := &role.Ports[i], 0
		if u.spaces[i] != l.spaceOf(p) {
			return false
		}
		for g := range l.grantsTo(role.Identity, p.Services) {
			if n == len(u.grants[i]) || !sameGrant(u.grants[i][n], g) {
				return false
			}
			u.grants[i][n] = g // the mesh that the old one is part of may be forgotten
			n++
		}
		if n < len(u.grants[i]) {
			return false
		}
	}
	u.role = role
	return true
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
	u.items, u.done = l.items, true
	return l.err
}

// equal is slices.Equal, at once for slices of one place in memory: meshes that
// follow each other share what is the same.
func equal[T comparable](a, b []T) bool { return onePlace(a, b) || slices.Equal(a, b) }

// equalBy compares by reference: elements are large.
func equalBy[T any](a, b []T, same func(a, b *T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	if onePlace(a, b) {
		return true
	}
	for i := range a {
		if !same(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

func onePlace[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameInbound(a, b *ir.InboundPort) bool {
	return a.TargetPort == b.TargetPort && a.TargetName == b.TargetName && a.Protocol == b.Protocol && a.Plaintext == b.Plaintext && equal(a.Services, b.Services)
}

func sameGrant(a, b *ir.Grant) bool {
	return a == b || a.Name == b.Name && a.Destination == b.Destination && equal(a.Sources, b.Sources) &&
		equal(a.Ports, b.Ports) && equalBy(a.HTTP, b.HTTP, sameMatch)
}

func sameMatch(a, b *ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && equal(a.Methods, b.Methods) && equal(a.Headers, b.Headers)
}

func sameSplit(a, b *ir.Split) bool {
	return a == b || a.Name == b.Name && a.Root == b.Root && equalBy(a.Matches, b.Matches, sameMatch) &&
		equalBy(a.Backends, b.Backends, func(x, y *ir.Backend) bool {
			return x.Service == y.Service && x.Weight == y.Weight && x.Missing == y.Missing && equal(x.Ports, y.Ports)
		})
}

// sameSight tells that identities see the same in two meshes.
func sameSight(a, b *ir.Mesh) bool {
	return slices.Equal(a.Identities, b.Identities) && slices.Equal(a.Namespaces, b.Namespaces) &&
		a.Settings.EgressAllowed == b.Settings.EgressAllowed && a.Settings.Mode == b.Settings.Mode &&
		equalBy(a.Services, b.Services, sameTarget) &&
		equalBy(a.Roles, b.Roles, func(x, y *ir.Role) bool { return x.Identity == y.Identity }) &&
		equalBy(a.Grants, b.Grants, func(x, y *ir.Grant) bool {
			return x.Destination == y.Destination && equal(x.Sources, y.Sources) && equal(x.Ports, y.Ports)
		}) &&
		equalBy(a.Splits, b.Splits, sameSplit)
}

func sameTarget(a, b *ir.Service) bool {
	return a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside && equal(a.Accounts, b.Accounts) && equal(a.Ports, b.Ports)
}
