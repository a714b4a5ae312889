package verify_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// dice makes small meshes and requests from a seed, with few names so that
// grants, splits and requests meet often.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 1))} }

func (d dice) chance(percent int) bool { return d.IntN(100) < percent }

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

var (
	namespaces = []string{"a", "b", "c"}
	modes      = []ir.Mode{ir.Strict, ir.Strict, ir.Permissive, ir.Audit}
	protocols  = []ir.Protocol{ir.HTTP, ir.GRPC, ir.TCP, ir.TCPServerFirst, ir.HTTP, ir.UDP}
	paths      = []string{"", "^(?:/a).*$", "^(?:/a/b$).*$", "^(?:/[0-9]+).*$", "^(?:/admin).*$", `^(?:/a\.b).*$`}
	asked      = []string{"/", "/a", "/a/b", "/a/../admin", "//admin", "/a.b", "/a-b", "/17?x=/a", "/%61", "/a%2fb", "/admin/..;/a", "/x/%2e%2e;/a", "/a#b"}
	methods    = []string{"GET", "POST", "PUT", "HEAD"}
	headers    = []ir.HeaderMatch{{Name: "x-user", Regex: "^admin$"}, {Name: "x-user", Regex: "adm"}, {Name: "x-user", Regex: "admin", Full: true}, {Name: ":authority", Regex: "s1"}, {Name: "y", Regex: ""}, {Name: "x-envoy-y", Regex: "1"}, {Name: ir.ClientCertHeader, Regex: "a"}, {Name: "x-request-id", Regex: ""}, {Name: "connection", Regex: "close"}}
	lines      = []ir.Header{{Name: "X-User", Value: "admin"}, {Name: "x-user", Value: "user,admin"}, {Name: "x-user", Value: "user"}, {Name: "Host", Value: "s1.a"}, {Name: "y", Value: ""}, {Name: "X-Envoy-Y", Value: "1"}, {Name: "X-Forwarded-Client-Cert", Value: "a"}, {Name: "X-Request-Id", Value: "1"}, {Name: "Connection", Value: "close"}}
)

func (d dice) mesh() *ir.Mesh {
	m := &ir.Mesh{Settings: ir.Settings{
		Name: "m", TrustDomain: "td", ClusterDomain: "cluster.local", Mode: pick(d, modes), Compat: ir.CompatSMI,
		EgressAllowed: d.chance(30), PlaintextAllowed: d.chance(10), DenialBody: d.chance(50), DenialHeader: d.chance(50),
	}}
	if d.chance(50) {
		m.Settings.ServiceRanges = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	for _, ns := range namespaces {
		if d.chance(60) {
			m.Namespaces = append(m.Namespaces, ir.Namespace{Name: ns, Mode: pick(d, modes), PlaintextAllowed: d.chance(20), EgressAllowed: d.chance(40)})
		}
		for i := range 3 {
			m.Identities = append(m.Identities, ir.NewIdentity("td", ns, fmt.Sprintf("acc%d", i)))
		}
	}
	for _, ns := range namespaces {
		d.services(m, ns)
	}
	d.roles(m)
	d.grants(m)
	d.splits(m)
	return m
}

func (d dice) services(m *ir.Mesh, ns string) {
	for i := range 1 + d.IntN(3) {
		s := ir.Service{ID: ir.ServiceID{Namespace: ns, Name: fmt.Sprintf("s%d", i)}, Headless: d.chance(15)}
		switch d.IntN(8) {
		case 0:
			s.Outside = true
		case 1: // no workload is known
		default:
			for a := range 3 {
				if d.chance(50) {
					s.Accounts = append(s.Accounts, ir.NewIdentity("td", ns, fmt.Sprintf("acc%d", a)))
				}
			}
		}
		for p := range 1 + d.IntN(3) {
			// The number decides the protocol, so that splits meet like protocols.
			s.Ports = append(s.Ports, ir.Port{Number: uint16(80 + p), Protocol: protocols[(p+len(ns))%len(protocols)], Plaintext: d.chance(10), TargetPort: uint16(8080 + p)})
		}
		if d.chance(20) { // a port whose protocol differs from its namesakes'
			s.Ports[0].Protocol = pick(d, protocols)
			s.Ports[0].TargetPort = uint16(9000 + i)
		}
		m.Services = append(m.Services, s)
	}
}

// roles gives each account one role for each set of services, merging service
// ports that share a target port and a class of protocol.
func (d dice) roles(m *ir.Mesh) {
	for _, id := range m.Identities {
		var backed []ir.ServiceID
		for _, s := range m.Services {
			if slices.Contains(s.Accounts, id) {
				backed = append(backed, s.ID)
			}
		}
		m.Roles = append(m.Roles, role(m, id, backed))
		if len(backed) > 1 && d.chance(30) {
			m.Roles = append(m.Roles, role(m, id, backed[:1]))
		}
	}
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return strings.Compare(a.Name(), b.Name()) })
}

func role(m *ir.Mesh, id ir.Identity, backed []ir.ServiceID) ir.Role {
	r := ir.Role{Identity: id, Services: backed}
	for _, sid := range backed {
		s, _ := m.Service(sid)
		for _, p := range s.Ports {
			if p.Protocol == ir.UDP {
				continue
			}
			at := slices.IndexFunc(r.Ports, func(in ir.InboundPort) bool {
				return in.TargetPort == p.TargetPort && in.Protocol.IsHTTP() == p.Protocol.IsHTTP()
			})
			if at < 0 {
				r.Ports = append(r.Ports, ir.InboundPort{TargetPort: p.TargetPort, Protocol: p.Protocol})
				at = len(r.Ports) - 1
			}
			r.Ports[at].Plaintext = r.Ports[at].Plaintext || p.Plaintext
			r.Ports[at].Services = append(r.Ports[at].Services, ir.PortID{Service: sid, Port: p.Number})
		}
	}
	// Unlike protocols on one target port are an error of resolve: keep the first.
	r.Ports = slices.CompactFunc(sortedByTarget(r.Ports), func(a, b ir.InboundPort) bool { return a.TargetPort == b.TargetPort })
	return r
}

func sortedByTarget(in []ir.InboundPort) []ir.InboundPort {
	slices.SortStableFunc(in, func(a, b ir.InboundPort) int { return int(a.TargetPort) - int(b.TargetPort) })
	return in
}

func (d dice) grants(m *ir.Mesh) {
	for i := range 2 + d.IntN(8) {
		r := pick(d, m.Roles)
		var ports []ir.PortID
		for _, other := range m.Roles {
			for _, in := range other.Ports {
				if other.Identity == r.Identity && d.chance(60) {
					ports = append(ports, in.Services...)
				}
			}
		}
		g := ir.Grant{Name: fmt.Sprintf("TrafficTarget/x/t%d#rule0", i), Destination: r.Identity}
		for range 1 + d.IntN(3) {
			g.Sources = append(g.Sources, pick(d, m.Identities))
		}
		g.Sources = sortedUnique(g.Sources)
		g.Ports = closure(m, r.Identity, ports)
		if d.chance(70) {
			g.HTTP = d.matches()
			g.Ports = slices.DeleteFunc(g.Ports, func(p ir.PortID) bool { return !protocolOf(m, p).IsHTTP() })
		}
		if len(g.Ports) > 0 {
			m.Grants = append(m.Grants, g)
		}
	}
}

// closure adds every service port that shares a target port with one of ports.
func closure(m *ir.Mesh, id ir.Identity, ports []ir.PortID) []ir.PortID {
	for grown := true; grown; {
		grown = false
		for _, r := range m.Roles {
			for _, in := range r.Ports {
				if r.Identity != id || !slices.ContainsFunc(in.Services, func(p ir.PortID) bool { return slices.Contains(ports, p) }) {
					continue
				}
				for _, p := range in.Services {
					if !slices.Contains(ports, p) {
						ports, grown = append(ports, p), true
					}
				}
			}
		}
	}
	slices.SortFunc(ports, ir.PortID.Compare)
	return slices.Compact(ports)
}

func protocolOf(m *ir.Mesh, id ir.PortID) ir.Protocol {
	s, _ := m.Service(id.Service)
	p, _ := s.Port(id.Port)
	return p.Protocol
}

func (d dice) matches() []ir.Match {
	var out []ir.Match
	for i := range 1 + d.IntN(3) {
		match := ir.Match{Name: fmt.Sprintf("HTTPRouteGroup/x/g#m%d", i), Path: pick(d, paths)}
		if d.chance(60) {
			match.Methods = sortedUnique([]string{pick(d, methods), pick(d, methods)})
		}
		if d.chance(30) {
			match.Headers = []ir.HeaderMatch{pick(d, headers)}
		}
		out = append(out, match)
	}
	return out
}

func (d dice) splits(m *ir.Mesh) {
	for i := range d.IntN(4) {
		root := pick(d, m.Services)
		sp := ir.Split{Name: fmt.Sprintf("TrafficSplit/x/s%d", i), Root: root.ID}
		if d.chance(40) {
			sp.Matches = d.matches()
		}
		for _, s := range m.Services {
			if s.ID.Namespace != root.ID.Namespace || d.chance(30) {
				continue
			}
			b := ir.Backend{Service: s.ID, Weight: uint32(d.IntN(4))}
			for _, p := range s.Ports {
				if rp, ok := root.Port(p.Number); ok && rp.Protocol != ir.UDP && p.Protocol != ir.UDP && rp.Protocol.IsHTTP() == p.Protocol.IsHTTP() {
					b.Ports = append(b.Ports, p.Number)
				}
			}
			sp.Backends = append(sp.Backends, b)
		}
		if d.chance(20) {
			gone := ir.Backend{Service: ir.ServiceID{Namespace: root.ID.Namespace, Name: "zz-gone"}, Weight: uint32(d.IntN(3)), Missing: true}
			for _, p := range root.Ports {
				gone.Ports = append(gone.Ports, p.Number)
			}
			sp.Backends = append(sp.Backends, gone)
		}
		if len(sp.Backends) > 0 {
			m.Splits = append(m.Splits, sp)
		}
	}
}

func (d dice) request(m *ir.Mesh) ir.Request {
	r := ir.Request{}
	if d.chance(90) {
		r.From = pick(d, m.Identities)
	}
	if d.chance(70) {
		r.HTTP = d.http()
	}
	if d.chance(8) {
		r.External = pick(d, []string{"example.org:80", "10.1.2.3:443", "[2001:db8::1]:80"})
		return r
	}
	s := pick(d, m.Services)
	r.To = ir.PortID{Service: s.ID, Port: pick(d, s.Ports).Number}
	if len(m.Grants) > 0 && d.chance(60) { // aim at a grant
		g := pick(d, m.Grants)
		r.From, r.To = pick(d, g.Sources), pick(d, g.Ports)
	}
	if r.From != "" && d.chance(15) {
		r.Direct = true
		if d.chance(15) {
			r.From = ir.NewIdentity(pick(d, []string{"td", "td2"}), "a", "stranger")
		}
	}
	return r
}

func (d dice) http() *ir.HTTPRequest {
	h := &ir.HTTPRequest{Method: pick(d, append(methods, "CONNECT")), Path: pick(d, asked)}
	for range d.IntN(3) {
		h.Headers = append(h.Headers, pick(d, lines))
	}
	return h
}

func sortedUnique[T ~string](in []T) []T {
	slices.Sort(in)
	return slices.Compact(in)
}
