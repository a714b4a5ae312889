package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// scope is what the proxies of a scope hold outbound, as a catalog.
type scope struct {
	parts      *parts
	virtual    *listener
	outbound   map[ir.PortID]*ir.OutboundPort
	routes     map[string]ir.Ref
	clusters   map[string]ir.Ref
	extensions map[string]ir.Ref
}

func (s *scope) route(name string) (*routes, error) { return byName(s.parts.routes, s.routes, name) }
func (s *scope) cluster(name string) (*cluster, error) {
	return byName(s.parts.clusters, s.clusters, name)
}
func (s *scope) extension(name string) (extension, error) {
	return byName(s.parts.extensions, s.extensions, name)
}

func byName[T any](parts map[ir.Ref]func() (T, error), names map[string]ir.Ref, name string) (T, error) {
	if ref, ok := names[name]; ok {
		return parts[ref]()
	}
	var none T
	return none, nil
}

// newScope puts a scope together as link does.
func (m *Mesh) newScope(in *ir.Scope) (*scope, error) {
	s := &scope{
		parts: &m.parts, outbound: map[ir.PortID]*ir.OutboundPort{},
		routes: map[string]ir.Ref{}, clusters: map[string]ir.Ref{}, extensions: map[string]ir.Ref{},
	}
	virtual, err := m.parts.listeners[in.Virtual]()
	if err != nil {
		return nil, err
	}
	s.virtual = virtual
	if in.Ranged != ir.NoRef {
		ranged, err := m.parts.chains[in.Ranged]()
		if err != nil {
			return nil, err
		}
		c, l := *ranged, *virtual
		c.prefixes = append(slices.Clone(c.prefixes), m.ranges...)
		l.chains = append(slices.Clone(l.chains), &c)
		s.virtual = &l
	}
	m.name(s.clusters, in.Extra...)
	for _, id := range in.Outbound {
		if err := m.include(s, in, id); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// include gives a scope a service port with all that its listener needs.
func (m *Mesh) include(s *scope, in *ir.Scope, id ir.PortID) error {
	i, ok := slices.BinarySearchFunc(m.plan.Outbound, id, func(o ir.OutboundPort, id ir.PortID) int { return o.Port.Compare(id) })
	if !ok {
		return fmt.Errorf("a scope lists %s, which has no listener", id)
	}
	o := &m.plan.Outbound[i]
	s.outbound[id] = o
	m.name(s.routes, o.Route)
	m.name(s.extensions, o.Extension)
	m.name(s.clusters, o.Direct)
	for _, c := range o.Clusters {
		at, ok := m.cluster(c)
		if !ok {
			return fmt.Errorf("%s sends to %s, which has no cluster", id, c)
		}
		if !slices.Contains(in.Without, c) {
			m.name(s.clusters, m.plan.Clusters[at].Resource)
		}
	}
	return nil
}

func (m *Mesh) name(in map[string]ir.Ref, refs ...ir.Ref) {
	for _, r := range refs {
		if r != ir.NoRef {
			in[m.plan.Resources[r].Name] = r
		}
	}
}

// targets are the addresses that a service's name leads to, and the listeners
// that the client's proxy has for them.
type targets struct {
	addresses []netip.AddrPort
	listeners []*listener
}

// targets of a service port that the scope does not list have no listener.
func (s *scope) targets(m *Mesh, cluster int) (*targets, error) {
	id := m.plan.Clusters[cluster].Port
	vip := netip.AddrPortFrom(placeholder(baseVIP, cluster), id.Port)
	out := &targets{addresses: []netip.AddrPort{vip}}
	o, listed := s.outbound[id]
	if !listed {
		return out, nil
	}
	if o.Headless {
		if ends := m.endpoints(cluster); len(ends) > 0 {
			out.addresses = ends
		}
	}
	l, err := m.parts.listeners[o.Listener]()
	if err != nil {
		return nil, err
	}
	bound := *l
	bound.addresses = out.addresses
	out.listeners = []*listener{&bound}
	return out, nil
}

// newWorkload is the proxy of a role's workload, put together as link does.
func (m *Mesh) newWorkload(role *ir.RolePlan) (*Workload, error) {
	base, err := m.parts.listeners[role.Listener]()
	if err != nil {
		return nil, err
	}
	l := *base
	l.chains = slices.Clone(l.chains)
	s := &scope{parts: &m.parts, routes: map[string]ir.Ref{}, clusters: map[string]ir.Ref{}, extensions: map[string]ir.Ref{}}
	for i, p := range role.Ports {
		for _, ref := range p.Chains {
			c, err := m.parts.chains[ref]()
			if err != nil {
				return nil, err
			}
			placed := *c
			placed.port = uint32(targetPort(p, i))
			l.chains = append(l.chains, &placed)
		}
		m.name(s.routes, p.Route)
		m.name(s.extensions, p.Extension)
	}
	if of, ok := m.identity(role.Identity); ok {
		m.name(s.clusters, m.plan.Scopes[of.Scope].Extra...)
	}
	return &Workload{Identity: role.Identity, Proxy: &Proxy{identity: role.Identity, listeners: []*listener{&l}, sent: s}}, nil
}
