package resolve

import (
	"cmp"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// role is what some workloads are to the mesh: their identity and the services
// they back. Without workloads it is known from facts only.
type role struct {
	identity  ir.Identity
	services  []ir.ServiceID
	workloads []*workload
	ports     []ir.InboundPort
}

// settleRoles makes the roles of the workloads and of known facts, and their ports.
func (r *resolver) settleRoles() {
	for _, w := range r.workloads {
		if !w.meshed {
			continue
		}
		r.addRole(w.identity, w.services, w)
		for _, v := range w.variants {
			r.addRole(w.identity, v, w)
		}
	}
	r.addKnownRoles()
	reported := map[[2]ir.PortID]bool{}
	for _, name := range slices.Sorted(maps.Keys(r.roles)) {
		r.settleRole(r.roles[name], reported)
	}
	r.indexReach()
}

func (r *resolver) addRole(id ir.Identity, services []ir.ServiceID, w *workload) {
	name := ir.RoleName(id, services)
	ro, ok := r.roles[name]
	if !ok {
		ro = &role{identity: id, services: services}
		r.roles[name] = ro
	}
	if w != nil {
		ro.workloads = append(ro.workloads, w)
	}
}

// addKnownRoles makes the roles of accounts that back services which only facts
// show. Which of them one workload backs together is a fact too; without it
// every combination gets a role, so that whatever runs finds its own.
func (r *resolver) addKnownRoles() {
	behind := map[ir.Identity][]ir.ServiceID{}
	for _, s := range r.sortedServices() {
		if len(s.workloads) > 0 {
			continue
		}
		for _, id := range s.out.Accounts {
			behind[id] = append(behind[id], s.id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(behind)) {
		_, ns, name, _ := id.Split()
		if known := r.known.rolesOf(ns, name); len(known) > 0 {
			for _, services := range known {
				r.addRole(id, r.present(services), nil)
			}
			continue
		}
		for _, set := range combinations(behind[id]) {
			for _, base := range r.servicesInTree(id) {
				r.addRole(id, union(base, set), nil)
			}
		}
	}
}

// present leaves out the services of a known role that are not in the mesh.
func (r *resolver) present(services []ir.ServiceID) []ir.ServiceID {
	return slices.DeleteFunc(services, func(id ir.ServiceID) bool { return r.services[id] == nil })
}

// servicesInTree are the sets of services that the tree's workloads of the account back.
func (r *resolver) servicesInTree(id ir.Identity) [][]ir.ServiceID {
	out := [][]ir.ServiceID{nil}
	for _, w := range r.account(id).workloads {
		if w.meshed && len(w.services) > 0 {
			out = append(out, w.services)
		}
	}
	return out
}

// combinations are all non-empty subsets of up to four services; of more, each
// alone and all together.
func combinations(services []ir.ServiceID) [][]ir.ServiceID {
	var out [][]ir.ServiceID
	if len(services) > 4 {
		for _, s := range services {
			out = append(out, []ir.ServiceID{s})
		}
		return append(out, services)
	}
	for bits := 1; bits < 1<<len(services); bits++ {
		var set []ir.ServiceID
		for i, s := range services {
			if bits&(1<<i) != 0 {
				set = append(set, s)
			}
		}
		out = append(out, set)
	}
	return out
}

func union(a, b []ir.ServiceID) []ir.ServiceID {
	out := append(slices.Clone(a), b...)
	slices.SortFunc(out, ir.ServiceID.Compare)
	return slices.Compact(out)
}

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

// settleRole groups the service ports of a role by target port (row 18).
func (r *resolver) settleRole(ro *role, reported map[[2]ir.PortID]bool) {
	groups := map[string][]leading{}
	for _, id := range ro.services {
		s := r.services[id]
		for i, p := range s.ports {
			port, ok := tcpPort(s, p)
			if !ok {
				continue
			}
			l := leading{id: ir.PortID{Service: id, Port: port.Number}, service: s, index: i, protocol: port.Protocol, plain: port.Plaintext}
			if p.TargetName == "" {
				l.number = uint16(targetNumber(p))
			} else if l.number, ok = r.namedTarget(ro, s, i); !ok {
				continue
			} else if l.number == 0 {
				l.name = p.TargetName
			}
			k := targetKey(l)
			groups[k] = append(groups[k], l)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		if port, ok := r.merge(groups[k], reported); ok {
			ro.ports = append(ro.ports, port)
		}
	}
	r.refuseLateOverlap(ro, groups, reported)
	slices.SortFunc(ro.ports, func(a, b ir.InboundPort) int {
		return cmp.Or(cmp.Compare(a.TargetPort, b.TargetPort), cmp.Compare(a.TargetName, b.TargetName))
	})
}

func targetKey(l leading) string {
	if l.name != "" {
		return l.name
	}
	return targetOf(syntax.ServicePort{TargetPort: int64(l.number)})
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

// reportOnce leaves out a finding that was made before: roles share services.
func (r *resolver) reportOnce(f diag.Finding) {
	for _, g := range r.findings {
		if g.Code == f.Code && g.At() == f.At() && g.Message == f.Message {
			return
		}
	}
	r.report(f)
}

// merge makes one inbound port of the service ports that lead to it. Requests
// cannot be judged on a port that is also raw bytes: unlike classes are an error
// at both, and the port stays closed.
func (r *resolver) merge(ls []leading, reported map[[2]ir.PortID]bool) (ir.InboundPort, bool) {
	slices.SortFunc(ls, func(a, b leading) int { return a.id.Compare(b.id) })
	first := ls[0]
	port := ir.InboundPort{TargetPort: first.number, TargetName: first.name, Protocol: first.protocol}
	for _, l := range ls {
		if l.protocol.IsHTTP() != first.protocol.IsHTTP() {
			r.reportUnlike(first, l, reported)
			return port, false
		}
		if l.plain != first.plain {
			r.reportHalfPlain(first, l, reported)
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

func (r *resolver) reportUnlike(a, b leading, reported map[[2]ir.PortID]bool) {
	if reported[[2]ir.PortID{a.id, b.id}] {
		return
	}
	reported[[2]ir.PortID{a.id, b.id}] = true
	for _, pair := range [][2]leading{{a, b}, {b, a}} {
		x, y := pair[0], pair[1]
		r.report(diag.New("MSH4003", x.service.portAt(x.index, "port"), "%s is %s but shares target port %s with %s, which is %s", x.id, x.protocol, targetKey(x), y.id, y.protocol).
			WithEffect("the target port stays closed: a proxy cannot judge requests and carry raw bytes on one port").
			WithRelated(y.service.portAt(y.index, "port"), "the other service port").
			WithHelp("give both the same appProtocol").About(serviceRef(x.service), "spec.ports"))
	}
}

func (r *resolver) reportHalfPlain(a, b leading, reported map[[2]ir.PortID]bool) {
	open, closed := a, b
	if b.plain {
		open, closed = b, a
	}
	k := [2]ir.PortID{open.id, closed.id}
	if reported[k] {
		return
	}
	reported[k] = true
	r.report(diag.New("MSH4013", open.service.portAt(open.index, "port"), "%s is open for plaintext and leads to the same target port as %s, which is not", open.id, closed.id).
		WithEffect("clients without a mesh certificate reach %s as well", closed.id).
		WithRelated(closed.service.portAt(closed.index, "port"), "opened with it").
		WithHelp("open both, or give them target ports of their own").About(serviceRef(open.service), "metadata.annotations"))
}

// refuseLateOverlap finds a named target port whose number differs between the
// workloads of one role and, in one of them, is another service port's number
// too: what is granted there would depend on the workload, which roles cannot say.
func (r *resolver) refuseLateOverlap(ro *role, groups map[string][]leading, reported map[[2]ir.PortID]bool) {
	for _, k := range slices.Sorted(maps.Keys(groups)) {
		late := groups[k][0]
		if late.name == "" {
			continue
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
				if k2 == k || m != n || reported[[2]ir.PortID{late.id, other.id}] {
					continue
				}
				reported[[2]ir.PortID{late.id, other.id}] = true
				r.report(diag.New("MSH4009", late.service.portAt(late.index, "targetPort"), "target port %q of %s has different numbers in workloads of %s, and in %s it is that of %s too", late.name, late.id, ro.identity.Short(), nameOf(w.obj), other.id).
					WithEffect("what is granted on the port would depend on which workload answers").
					WithRelated(other.service.portAt(other.index, "targetPort"), "the other service port").
					WithHelp("use the same container port number in all workloads of the account, or another account").About(serviceRef(late.service), "spec.ports"))
			}
		}
	}
}
