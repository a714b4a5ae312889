package verify_test

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// builder makes a mesh in which each service is run by an account of its name.
type builder struct{ *ir.Mesh }

func account(short string) ir.Identity {
	ns, sa, _ := strings.Cut(short, "/")
	return ir.NewIdentity("td", ns, sa)
}

func at(short string, port uint16) ir.PortID {
	ns, name, _ := strings.Cut(short, "/")
	return ir.PortID{Service: ir.ServiceID{Namespace: ns, Name: name}, Port: port}
}

func (b builder) serve(short string, p ir.Port) {
	id := at(short, p.Number)
	b.Services = append(b.Services, ir.Service{ID: id.Service, Headless: short == "a/stateful", Accounts: []ir.Identity{account(short)}, Ports: []ir.Port{p}})
	b.Roles = append(b.Roles, ir.Role{Identity: account(short), Services: []ir.ServiceID{id.Service}, Ports: []ir.InboundPort{
		{TargetPort: p.TargetPort, Protocol: p.Protocol, Plaintext: p.Plaintext, Services: []ir.PortID{id}},
	}})
}

func (b builder) grant(to string, port uint16, from []string, matches ...ir.Match) {
	g := ir.Grant{Name: "TrafficTarget/" + to + "#rule0", Destination: account(to), Ports: []ir.PortID{at(to, port)}, HTTP: matches}
	for _, f := range from {
		g.Sources = append(g.Sources, account(f))
	}
	b.Grants = append(b.Grants, g)
}

// town is a mesh with one of everything that lowering makes.
func town() *ir.Mesh {
	m := builder{&ir.Mesh{
		Settings:   ir.Settings{Name: "m", TrustDomain: "td", Mode: ir.Strict},
		Namespaces: []ir.Namespace{{Name: "out", Mode: ir.Strict, EgressAllowed: true}, {Name: "watched", Mode: ir.Audit}},
	}}
	for _, short := range []string{"a/client", "a/second", "a/stranger", "out/app"} {
		m.Roles = append(m.Roles, ir.Role{Identity: account(short)})
	}
	web := func(target uint16) ir.Port { return ir.Port{Number: 80, Protocol: ir.HTTP, TargetPort: target} }
	m.serve("a/db", ir.Port{Number: 3306, Protocol: ir.TCPServerFirst, TargetPort: 3306})
	open := web(8080)
	open.Plaintext = true
	m.serve("a/open", open)
	m.serve("a/root", web(8080))
	m.serve("a/server", web(8080))
	m.serve("a/stateful", ir.Port{Number: 5432, Protocol: ir.TCP, TargetPort: 5432})
	m.serve("a/v1", web(8080))
	m.serve("a/v2", web(8081))
	m.serve("watched/app", web(8080))
	for _, r := range m.Roles {
		m.Identities = append(m.Identities, r.Identity)
	}
	slices.Sort(m.Identities)
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return strings.Compare(a.Name(), b.Name()) })
	townPolicy(m)
	return m.Mesh
}

func townPolicy(m builder) {
	both := []string{"a/client", "a/second"}
	read := ir.Match{Name: "HTTPRouteGroup/a/g#read", Path: "^(?:/a).*$", Methods: []string{"GET", "HEAD"}}
	admin := ir.Match{Name: "HTTPRouteGroup/a/g#admin", Path: "^(?:/admin$).*$", Methods: []string{"POST"}, Headers: []ir.HeaderMatch{{Name: "x-role", Regex: "^admin$"}}}
	m.grant("a/db", 3306, both)
	m.grant("a/open", 80, both)
	m.grant("a/root", 80, both)
	m.grant("a/server", 80, both, read, admin)
	m.grant("a/stateful", 5432, []string{"a/client"})
	m.grant("a/v1", 80, both)
	m.grant("a/v2", 80, both)
	m.grant("watched/app", 80, []string{"a/client"}, read)
	leaf := func(name string, weight uint32) ir.Backend {
		return ir.Backend{Service: at(name, 80).Service, Weight: weight, Ports: []uint16{80}}
	}
	m.Splits = []ir.Split{
		{Name: "TrafficSplit/a/canary", Root: at("a/root", 80).Service, Backends: []ir.Backend{leaf("a/v2", 1)},
			Matches: []ir.Match{{Name: "HTTPRouteGroup/a/g#canary", Headers: []ir.HeaderMatch{{Name: "canary", Regex: "yes"}}}}},
		{Name: "TrafficSplit/a/split", Root: at("a/root", 80).Service, Backends: []ir.Backend{leaf("a/v1", 90), leaf("a/v2", 10)}},
	}
}
