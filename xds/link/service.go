package link

import (
	"net/netip"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// service is one service of the plan bound to what the catalog says of it.
type service struct {
	static  *static
	plan    *planService
	catalog *catalog.Service // nil: the catalog does not know it
	// assignments are as plan.clusters, listeners as plan.ports; a port that is
	// closed has none.
	assignments []*Resource
	listeners   [][]at
	// targets are the target ports of workloads that differ from the service's.
	targets  map[string]map[uint16]uint16
	findings diag.List
	near     near
}

// at is a listener with the addresses it takes.
type at struct {
	*Resource
	addresses []netip.AddrPort
}

// bind makes a service's listeners and assignments. before is its last state,
// nil if there is none; listeners of equal bytes are taken over from it.
func (b *static) bind(plan *planService, found *catalog.Service, before *service) *service {
	s := &service{static: b, plan: plan}
	if found != nil {
		own := *found // so that a world does not hold on to a whole old snapshot
		s.catalog = &own
	}
	for i := range plan.clusters {
		s.assignments = append(s.assignments, s.proven(&plan.clusters[i], s.assign(&plan.clusters[i]), before, i))
	}
	for i, p := range plan.ports {
		s.listeners = append(s.listeners, s.listen(p, before, i))
	}
	if found == nil {
		if !slices.Contains(b.relied.absent, plan.id) { // that one was not there when it was compiled
			s.findings = diag.List{unknownService(plan.id)}
		}
		return s
	}
	for _, e := range found.Endpoints {
		if len(e.Ports) > 0 {
			if s.targets == nil {
				s.targets = map[string]map[uint16]uint16{}
			}
			s.targets[e.Workload] = e.Ports
		}
	}
	return s
}

// port is the catalog's port if it may be served: known, and of the protocol
// that was compiled.
func (s *service) port(number uint16, compiled ir.Protocol) *catalog.ServicePort {
	if s.catalog == nil {
		return nil
	}
	i := slices.IndexFunc(s.catalog.Ports, func(p catalog.ServicePort) bool { return p.Port == number })
	if i < 0 || !sameCarriage(s.catalog.Ports[i].Protocol, compiled) {
		return nil
	}
	return &s.catalog.Ports[i]
}

// sameCarriage tells whether configuration made for one protocol carries the
// other. A protocol that nobody named is no drift.
func sameCarriage(running, compiled ir.Protocol) bool {
	if running == "" || compiled == "" {
		return true
	}
	return carriage(running) == carriage(compiled)
}

func carriage(p ir.Protocol) ir.Protocol {
	switch {
	case p.IsHTTP():
		return ir.HTTP
	case p == ir.UDP:
		return ir.UDP
	}
	return ir.TCP
}

// proven is an assignment, or what was served in its place if it is not right;
// nobody is served nothing.
func (s *service) proven(c *planCluster, r *Resource, before *service, i int) *Resource {
	r = s.static.made(r)
	err := s.static.proveAssignment(c, s.catalog, r)
	if err == nil {
		return r
	}
	s.findings.Add(s.static.withhold(r.Name, err))
	if before != nil {
		return before.assignments[i]
	}
	if last := s.static.servedAssignment(c.name); last != nil {
		return last
	}
	return assignment(c.name, nil)
}

func (s *service) assign(c *planCluster) *Resource {
	port := s.port(c.Port.Port, c.port.Protocol)
	if port == nil {
		if s.catalog != nil && c.port.Protocol != "" {
			s.findings.Add(closedPort(c, s.catalog))
		}
		return assignment(c.name, nil)
	}
	in, out := targets(s.catalog, port, c)
	s.findings.Add(leftOut(c, out)...)
	return assignment(c.name, in)
}

// listen makes the listeners of a service port: one on its VIPs, or one for each
// endpoint of a headless service.
func (s *service) listen(p planPort, before *service, i int) []at {
	port := s.port(p.Port.Port, p.Protocol)
	if port == nil {
		return nil
	}
	if p.Headless != s.catalog.Headless {
		s.findings.Add(headlessDrift(p))
		return nil
	}
	var out []at
	if !p.Headless {
		addresses := make([]netip.AddrPort, 0, len(s.catalog.VIPs))
		for _, v := range s.catalog.VIPs {
			addresses = append(addresses, netip.AddrPortFrom(v.Unmap().WithZone(""), p.Port.Port))
		}
		out = append(out, at{addresses: addresses})
	} else {
		for _, a := range s.dialled(p.Port, port) {
			out = append(out, at{addresses: []netip.AddrPort{a}})
		}
	}
	var old []at
	if before != nil {
		old = before.listeners[i]
	}
	return s.composeAll(p, out, old)
}

// dialled are the addresses by which a headless service port is called.
func (s *service) dialled(id ir.PortID, port *catalog.ServicePort) []netip.AddrPort {
	var out []netip.AddrPort
	for i := range s.plan.clusters {
		if c := &s.plan.clusters[i]; c.Port == id {
			in, _ := targets(s.catalog, port, c)
			for _, t := range in {
				out = append(out, t.at)
			}
		}
	}
	return out
}

// composeAll gives each set of addresses its listener. One that Envoy would
// refuse is our defect: it is withheld, and what was served there before stays.
func (s *service) composeAll(p planPort, wanted, old []at) []at {
	var out []at
	for _, w := range wanted {
		if len(w.addresses) == 0 {
			continue
		}
		slices.SortFunc(w.addresses, netip.AddrPort.Compare)
		w.addresses = slices.Compact(w.addresses)
		name := p.listener.Name
		if p.Headless {
			name += "@" + w.addresses[0].Addr().String()
		}
		err := s.static.proveAddresses(p, s.catalog, w.addresses)
		if i := slices.IndexFunc(old, func(o at) bool { return slices.Equal(o.addresses, w.addresses) }); i >= 0 && err == nil {
			out = append(out, old[i])
			continue
		}
		r := NewResource(Listener, name, withAddresses(p.listener.Any.GetValue(), name, w.addresses))
		if p.direct != nil {
			r.Needs = []string{p.direct.Name}
		}
		r = s.static.made(r)
		if err == nil {
			err = checked(r)
		}
		if err == nil {
			err = verify.Bound(r.Any.GetValue(), p.listener.Any.GetValue(), name, w.addresses)
		}
		if err != nil {
			s.findings.Add(s.static.withhold(name, err))
			out = append(out, s.served(p, old, name)...)
			continue
		}
		w.Resource = r
		out = append(out, w)
	}
	return out
}

// served is the listener of a name that was served last, if any was.
func (s *service) served(p planPort, old []at, name string) []at {
	if last := sameName(old, name); last != nil {
		return last
	}
	return s.static.servedListener(p.Port, name)
}

func sameName(old []at, name string) []at {
	if i := slices.IndexFunc(old, func(o at) bool { return o.Name == name }); i >= 0 {
		return old[i : i+1]
	}
	return nil
}
