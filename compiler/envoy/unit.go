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
	service ir.Service
	port    ir.Port
	called  bool // somebody may call it
	exists  bool
	splits  []*ir.Split
	leaves  []leaf // services that the splits lead to, in order
}

// leaf is what a split's root must know of a service.
type leaf struct{ known, outside bool }

func (l *lowering) portInput(p *servicePort, called bool) portInput {
	in := portInput{id: p.id, service: *p.service, port: *p.port, called: called, exists: true, splits: l.splits[p.id.Service]}
	for _, sp := range in.splits {
		for i := range sp.Backends {
			svc, ok := l.mesh.Service(sp.Backends[i].Service)
			in.leaves = append(in.leaves, leaf{ok, ok && svc.Outside})
		}
	}
	return in
}

func (a *portInput) same(b portInput) bool {
	return a.id == b.id && a.called == b.called && a.exists == b.exists && a.port == b.port &&
		a.service.Headless == b.service.Headless && a.service.Outside == b.service.Outside &&
		slices.Equal(a.service.Accounts, b.service.Accounts) && slices.EqualFunc(a.splits, b.splits, sameSplit) && slices.Equal(a.leaves, b.leaves)
}

// missingInputs are the backends that do not exist, each with the port of a root
// that sends to it.
func (l *lowering) missingInputs() []portInput {
	var out []portInput
	have := map[ir.PortID]bool{}
	for _, p := range l.ports {
		if len(l.splits[p.id.Service]) == 0 {
			continue
		}
		for _, b := range l.branches(p.service, p.port) {
			for _, sh := range b.shares {
				if _, known := l.portAt(sh.port); known || have[sh.port] {
					continue
				}
				have[sh.port] = true
				out = append(out, portInput{id: sh.port, service: ir.Service{ID: sh.port.Service}, port: *p.port})
			}
		}
	}
	return out
}

// lower makes the resources; l has a store for them alone.
func (u *portUnit) lower(l *lowering) error {
	in := &u.in
	if !in.exists {
		u.eds = l.missing(in.id, &in.port)
		u.items = l.items
		return l.err
	}
	for _, sp := range in.splits {
		if err := l.checkExpressions(sp.Matches); err != nil {
			return err
		}
	}
	eds, direct := l.service(&in.service, &in.port)
	u.eds = eds
	if in.called {
		u.out = l.outboundPort(&in.service, &in.port, direct)
	}
	u.items = l.items
	return l.err
}

// roleUnit is the inbound resources of a role.
type roleUnit struct {
	in    roleInput
	items []*item
	done  bool
	fresh bool
	ports []ir.InboundPlan
}

// roleInput is all that the resources of a role are made of besides the settings.
type roleInput struct {
	name   string
	role   ir.Role
	spaces []ir.Namespace // of the first service of each port
	grants [][]*ir.Grant  // of each port
}

func (l *lowering) roleInput(role *ir.Role) roleInput {
	in := roleInput{name: role.Name(), role: *role}
	for i := range role.Ports {
		p := &role.Ports[i]
		in.spaces = append(in.spaces, l.mesh.Namespace(p.Services[0].Service.Namespace))
		in.grants = append(in.grants, l.grantsTo(role.Identity, p.Services))
	}
	return in
}

func (a *roleInput) same(b roleInput) bool {
	return a.name == b.name && slices.Equal(a.spaces, b.spaces) && slices.EqualFunc(a.role.Ports, b.role.Ports, sameInbound) &&
		slices.EqualFunc(a.grants, b.grants, func(x, y []*ir.Grant) bool { return slices.EqualFunc(x, y, sameGrant) })
}

func (u *roleUnit) lower(l *lowering) error {
	for i := range u.in.role.Ports {
		port := &u.in.role.Ports[i]
		for _, g := range u.in.grants[i] {
			if err := l.checkExpressions(g.HTTP); err != nil {
				return err
			}
		}
		if port.Protocol != ir.UDP {
			u.ports = append(u.ports, l.inboundPort(port, u.in.spaces[i], u.in.grants[i]))
		}
	}
	u.items, u.done = l.items, true
	return l.err
}

func sameInbound(a, b ir.InboundPort) bool {
	return a.TargetPort == b.TargetPort && a.TargetName == b.TargetName && a.Protocol == b.Protocol && a.Plaintext == b.Plaintext && slices.Equal(a.Services, b.Services)
}

func sameGrant(a, b *ir.Grant) bool {
	return a == b || a.Name == b.Name && a.Destination == b.Destination && slices.Equal(a.Sources, b.Sources) &&
		slices.Equal(a.Ports, b.Ports) && slices.EqualFunc(a.HTTP, b.HTTP, sameMatch)
}

func sameMatch(a, b ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Headers, b.Headers)
}

func sameSplit(a, b *ir.Split) bool {
	return a == b || a.Name == b.Name && a.Root == b.Root && slices.EqualFunc(a.Matches, b.Matches, sameMatch) &&
		slices.EqualFunc(a.Backends, b.Backends, func(x, y ir.Backend) bool {
			return x.Service == y.Service && x.Weight == y.Weight && x.Missing == y.Missing && slices.Equal(x.Ports, y.Ports)
		})
}
