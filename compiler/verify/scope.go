package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// sight is what the proxies of a scope hold for one service port, as a catalog:
// the port's own resources and those that every port has.
type sight struct {
	mesh  *Mesh
	scope *ir.Scope
	port  *ir.OutboundPort // nil: the scope does not list it
}

func (s *sight) route(name string) (*routes, error) {
	if s.port != nil && s.mesh.parts.named(s.port.Route, name) {
		return s.mesh.parts.route(s.port.Route)
	}
	return nil, nil
}

func (s *sight) extension(name string) (extension, error) {
	if s.port != nil && s.mesh.parts.named(s.port.Extension, name) {
		return s.mesh.parts.extension(s.port.Extension)
	}
	return extension{}, nil
}

func (s *sight) cluster(name string) (*cluster, error) {
	parts := s.mesh.parts
	for _, ref := range s.scope.Extra {
		if parts.named(ref, name) {
			return parts.cluster(ref)
		}
	}
	if s.port == nil {
		return nil, nil
	}
	if parts.named(s.port.Direct, name) {
		return parts.cluster(s.port.Direct)
	}
	for _, id := range s.port.Clusters {
		at, ok := s.mesh.cluster(id)
		if !ok {
			return nil, fmt.Errorf("%s sends to %s, which has no cluster", s.port.Port, id)
		}
		if ref := s.mesh.plan.Clusters[at].Resource; parts.named(ref, name) && !slices.Contains(s.scope.Without, id) {
			return parts.cluster(ref)
		}
	}
	return nil, nil
}

// virtual is a scope's listener for what it does not list, put together as link does.
func (m *Mesh) virtual(s *ir.Scope) (*listener, error) {
	key := [2]ir.Ref{s.Virtual, s.Ranged}
	if l, ok := m.virtuals.Load(key); ok {
		return l.(*listener), nil
	}
	l, err := m.parts.listener(s.Virtual)
	if err != nil {
		return nil, err
	}
	if s.Ranged != ir.NoRef {
		ranged, err := m.parts.chain(s.Ranged)
		if err != nil {
			return nil, err
		}
		c, with := *ranged, *l
		c.prefixes = append(slices.Clone(c.prefixes), m.ranges...)
		with.chains = append(slices.Clone(l.chains), &c)
		l = &with
	}
	m.virtuals.Store(key, l)
	return l, nil
}

// targets are the addresses that a service's name leads to, and the listener
// that the client's proxy has for them; nil: none.
type targets struct {
	addresses []netip.AddrPort
	listener  *listener
}

// targets of a service port that the scope does not list have no listener.
func (m *Mesh) targets(cluster int, o *ir.OutboundPort) (*targets, error) {
	id := m.plan.Clusters[cluster].Port
	vip := netip.AddrPortFrom(placeholder(baseVIP, cluster), id.Port)
	out := &targets{addresses: []netip.AddrPort{vip}}
	if o == nil {
		return out, nil
	}
	if o.Headless {
		if ends := m.endpoints(cluster); len(ends) > 0 {
			out.addresses = ends
		}
	}
	l, err := m.parts.listener(o.Listener)
	if err != nil {
		return nil, err
	}
	bound := *l
	bound.addresses = out.addresses
	out.listener = &bound
	return out, nil
}

// held is what a role's workload holds besides its listener, as a catalog.
type held struct {
	parts *parts
	role  *ir.RolePlan
	extra []ir.Ref // clusters
}

func (h *held) route(name string) (*routes, error) {
	for i := len(h.role.Ports) - 1; i >= 0; i-- {
		if ref := h.role.Ports[i].Route; h.parts.named(ref, name) {
			return h.parts.route(ref)
		}
	}
	return nil, nil
}

func (h *held) extension(name string) (extension, error) {
	for i := len(h.role.Ports) - 1; i >= 0; i-- {
		if ref := h.role.Ports[i].Extension; h.parts.named(ref, name) {
			return h.parts.extension(ref)
		}
	}
	return extension{}, nil
}

func (h *held) cluster(name string) (*cluster, error) {
	for _, ref := range h.extra {
		if h.parts.named(ref, name) {
			return h.parts.cluster(ref)
		}
	}
	return nil, nil
}

// role is the proxy of a role's workload.
func (m *Mesh) role(i int) (*Workload, error) {
	if w, ok := m.roles.Load(i); ok {
		return w.(*Workload), nil
	}
	w, err := m.newWorkload(&m.plan.Roles[i])
	if err != nil {
		return nil, err
	}
	m.roles.Store(i, w)
	return w, nil
}

// newWorkload puts the proxy of a role's workload together as link does.
func (m *Mesh) newWorkload(role *ir.RolePlan) (*Workload, error) {
	base, err := m.parts.listener(role.Listener)
	if err != nil {
		return nil, err
	}
	l := *base
	l.chains = slices.Clone(l.chains)
	for i := range role.Ports {
		for _, ref := range role.Ports[i].Chains {
			c, err := m.parts.chain(ref)
			if err != nil {
				return nil, err
			}
			placed := *c
			placed.port = uint32(targetPort(role.Ports[i], i))
			l.chains = append(l.chains, &placed)
		}
	}
	h := &held{parts: m.parts, role: role}
	if of, ok := m.identity(role.Identity); ok {
		h.extra = m.plan.Scopes[of.Scope].Extra
	}
	return &Workload{Identity: role.Identity, Proxy: &Proxy{identity: role.Identity, listeners: []*listener{&l}, sent: h}}, nil
}
