package resolve

import (
	"cmp"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// leading is a service port of a role and where it leads in the role's workloads.
type leading struct {
	id       ir.PortID
	service  *service
	index    int // in service.ports
	number   uint16
	name     string // of a target port that is bound late; number is 0
	protocol ir.Protocol
	plain    bool
}

// target is the key of the target port it leads to.
func (l leading) target() string {
	if l.name != "" {
		return l.name
	}
	return itoa(int64(l.number))
}

// settleRole groups the service ports of a role by target port (row 18).
func (r *resolver) settleRole(k roleKey) *settledRole {
	ro := r.actor.Get(k)
	if ro == nil {
		return &settledRole{part: &part{}, role: &role{}}
	}
	act := *ro
	act.workloads = r.hands(ro.posts)
	out := &settledRole{role: &act}
	out.part = r.unit(func() { out.ports = r.inboundPorts(out.role) })
	return out
}

func (r *resolver) inboundPorts(ro *role) []ir.InboundPort {
	var ports []ir.InboundPort
	groups := map[string][]leading{}
	for _, id := range ro.services {
		s := r.ports.Get(id)
		for i := range s.ports {
			if l, ok := r.lead(ro, s, i); ok {
				groups[l.target()] = append(groups[l.target()], l)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		if r.overlapsLate(ro, groups, k) {
			continue
		}
		if port, ok := r.merge(groups[k]); ok {
			ports = append(ports, port)
		}
	}
	slices.SortFunc(ports, func(a, b ir.InboundPort) int {
		return cmp.Or(cmp.Compare(a.TargetPort, b.TargetPort), cmp.Compare(a.TargetName, b.TargetName))
	})
	return ports
}

// lead finds where the i-th port of a service leads in the role's workloads.
func (r *resolver) lead(ro *role, s *service, i int) (leading, bool) {
	p := s.ports[i]
	port, ok := tcpPort(s, p)
	if !ok {
		return leading{}, false
	}
	l := leading{id: ir.PortID{Service: s.id, Port: port.Number}, service: s, index: i, protocol: port.Protocol, plain: port.Plaintext}
	if p.TargetName == "" {
		l.number = uint16(targetNumber(p))
		return l, true
	}
	l.number, ok = r.namedTarget(ro, s, i)
	if l.number == 0 {
		l.name = p.TargetName
	}
	return l, ok
}

// tcpPort finds the settled form of a port that proxies carry.
func tcpPort(s *service, p syntax.ServicePort) (*ir.Port, bool) {
	if p.Protocol == "UDP" || !validPort(p.Port) {
		return nil, false
	}
	for i := range s.out.Ports {
		if q := &s.out.Ports[i]; int64(q.Number) == p.Port && q.Protocol != ir.UDP {
			return q, true
		}
	}
	return nil, false
}

// namedTarget is the number a named target port has in the role's workloads; 0
// when link must bind it, because no workload is known or they differ.
func (r *resolver) namedTarget(ro *role, s *service, i int) (number uint16, ok bool) {
	p := s.ports[i]
	if len(ro.workloads) == 0 {
		return 0, true
	}
	differ := false
	for _, w := range ro.workloads {
		n, found := w.port(p.TargetName, false)
		if !found {
			r.reportUnnamed(w, s, i)
			continue
		}
		differ = differ || number != 0 && number != n
		number, ok = n, true
	}
	if differ {
		return 0, true
	}
	return number, ok
}

func (r *resolver) reportUnnamed(w *workload, s *service, i int) {
	p := s.ports[i]
	f := diag.New("MSH4008", s.portAt(i, "targetPort"), "%s has no port named %q, where port %d of service %q leads", nameOf(w.obj), p.TargetName, p.Port, s.id.Name).
		WithEffect("the port does not reach this workload").WithRelated(w.podAt("spec", "containers"), "the containers' ports")
	var names []string
	for _, c := range w.containers() {
		for _, cp := range c.Ports {
			names = append(names, cp.Name)
		}
	}
	if n := diag.Nearest(p.TargetName, names); n != "" {
		f = f.WithHelp("did you mean %q?", n)
	} else {
		f = f.WithHelp("name a container port %q, or write its number as targetPort", p.TargetName)
	}
	r.reportOnce(f.About(serviceRef(s), "spec.ports"))
}

// merge makes one inbound port of the service ports that lead to it. Requests
// cannot be judged on a port that is also raw bytes: unlike classes are an error
// at both, and the port stays closed.
func (r *resolver) merge(ls []leading) (ir.InboundPort, bool) {
	slices.SortFunc(ls, func(a, b leading) int { return a.id.Compare(b.id) })
	first := ls[0]
	port := ir.InboundPort{TargetPort: first.number, TargetName: first.name, Protocol: first.protocol}
	for _, l := range ls {
		if l.protocol.IsHTTP() != first.protocol.IsHTTP() {
			r.reportUnlike(first, l)
			r.reportUnlike(l, first)
			return port, false
		}
		if l.plain != first.plain {
			r.reportHalfPlain(first, l)
		}
		port.Protocol = broader(port.Protocol, l.protocol)
		port.Plaintext = port.Plaintext || l.plain
		port.Services = append(port.Services, l.id)
	}
	return port, true
}

// broader is the protocol that carries both; they are of one class.
func broader(a, b ir.Protocol) ir.Protocol {
	switch {
	case a == b:
		return a
	case a.IsHTTP():
		return ir.HTTP
	case a == ir.TCPServerFirst || b == ir.TCPServerFirst:
		return ir.TCPServerFirst
	}
	return ir.TCP
}

func (r *resolver) reportUnlike(l, other leading) {
	r.reportOnce(diag.New("MSH4003", l.service.portAt(l.index, "port"), "%s is %s but shares target port %s with %s, which is %s", l.id, l.protocol, l.target(), other.id, other.protocol).
		WithEffect("the target port stays closed: a proxy cannot judge requests and carry raw bytes on one port").
		WithRelated(other.service.portAt(other.index, "port"), "the other service port").
		WithHelp("give both the same appProtocol").About(serviceRef(l.service), "spec.ports"))
}

func (r *resolver) reportHalfPlain(a, b leading) {
	open, closed := a, b
	if b.plain {
		open, closed = b, a
	}
	r.reportOnce(diag.New("MSH4013", open.service.portAt(open.index, "port"), "%s is open for plaintext and leads to the same target port as %s, which is not", open.id, closed.id).
		WithEffect("clients without a mesh certificate reach %s as well", closed.id).
		WithRelated(closed.service.portAt(closed.index, "port"), "opened with it").
		WithHelp("open both, or give them target ports of their own").About(serviceRef(open.service), "metadata.annotations"))
}

// overlapsLate finds a named target port whose number differs between the
// workloads of one role and, in one of them, is another service port's number
// too: what is granted there would depend on the workload, which a role cannot
// say. Without such an overlap link binds the name in each workload.
func (r *resolver) overlapsLate(ro *role, groups map[string][]leading, k string) bool {
	late := groups[k][0]
	if late.name == "" {
		return false
	}
	for _, w := range ro.workloads {
		n, ok := w.port(late.name, false)
		if !ok {
			continue
		}
		for _, k2 := range slices.Sorted(maps.Keys(groups)) {
			other := groups[k2][0]
			m := other.number
			if other.name != "" {
				m, _ = w.port(other.name, false)
			}
			if k2 != k && m == n {
				r.reportLate(ro, late, other, w)
				return true
			}
		}
	}
	return false
}

func (r *resolver) reportLate(ro *role, late, other leading, w *workload) {
	r.reportOnce(diag.New("MSH4009", late.service.portAt(late.index, "targetPort"), "target port %q of %s has different numbers in workloads of %s, and in %s it is that of %s too", late.name, late.id, ro.identity.Short(), nameOf(w.obj), other.id).
		WithEffect("the port stays closed: what is granted there would depend on which workload answers").
		WithRelated(other.service.portAt(other.index, "targetPort"), "the other service port").
		WithHelp("use the same container port number in all workloads of the account, or another account").About(serviceRef(late.service), "spec.ports"))
}
