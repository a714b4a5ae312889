package envoy_test

import (
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

const domain = "cluster.local"

func account(short string) ir.Identity {
	id, ok := ir.ParseIdentity(domain, short)
	if !ok {
		panic(short)
	}
	return id
}

func accounts(shorts ...string) []ir.Identity {
	var out []ir.Identity
	for _, s := range shorts {
		out = append(out, account(s))
	}
	slices.Sort(out)
	return out
}

func svcID(s string) ir.ServiceID {
	var id ir.ServiceID
	for i := range s {
		if s[i] == '/' {
			id.Namespace, id.Name = s[:i], s[i+1:]
		}
	}
	return id
}

func portID(svc string, port uint16) ir.PortID { return ir.PortID{Service: svcID(svc), Port: port} }

// strictMesh is an empty mesh with the settings of an empty meshc.yaml.
func strictMesh() *ir.Mesh {
	return &ir.Mesh{Settings: ir.Settings{
		Name: "test", TrustDomain: domain, ClusterDomain: domain, Mode: ir.Strict,
		Compat: ir.CompatSMI, DenialBody: true, DenialHeader: true,
	}}
}

// addService adds a service whose pods have an account of their own, and its role.
func addService(m *ir.Mesh, name string, ports ...ir.Port) *ir.Service {
	id := account(name)
	m.Services = append(m.Services, ir.Service{ID: svcID(name), Accounts: []ir.Identity{id}, Ports: ports})
	role := ir.Role{Identity: id, Services: []ir.ServiceID{svcID(name)}}
	for _, p := range ports {
		role.Ports = append(role.Ports, ir.InboundPort{
			TargetPort: p.TargetPort, Protocol: p.Protocol, Plaintext: p.Plaintext, Services: []ir.PortID{portID(name, p.Number)},
		})
	}
	m.Roles = append(m.Roles, role)
	m.Identities = append(m.Identities, id)
	sortMesh(m)
	s, _ := m.Service(svcID(name))
	return s
}

// addClients adds accounts that only call.
func addClients(m *ir.Mesh, names ...string) {
	for _, n := range names {
		m.Identities = append(m.Identities, account(n))
		m.Roles = append(m.Roles, ir.Role{Identity: account(n)})
	}
	sortMesh(m)
}

// grant lets sources call every port of a service.
func grant(m *ir.Mesh, name, to string, http []ir.Match, from ...string) {
	svc, _ := m.Service(svcID(to))
	g := ir.Grant{Name: name, Sources: accounts(from...), Destination: svc.Accounts[0], HTTP: http}
	for _, p := range svc.Ports {
		g.Ports = append(g.Ports, portID(to, p.Number))
	}
	m.Grants = append(m.Grants, g)
	sortMesh(m)
}

func sortMesh(m *ir.Mesh) {
	slices.SortFunc(m.Services, func(a, b ir.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return cmpString(a.Name(), b.Name()) })
	slices.SortFunc(m.Grants, func(a, b ir.Grant) int { return cmpString(a.Name, b.Name) })
	slices.SortFunc(m.Splits, func(a, b ir.Split) int { return cmpString(a.Name, b.Name) })
	slices.Sort(m.Identities)
	m.Identities = slices.Compact(m.Identities)
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// refMesh is the reference mesh of n services: five callers each, three
// matches, every tenth one split with its neighbour.
func refMesh(n int) *ir.Mesh {
	m := strictMesh()
	name := func(i int) string { return fmt.Sprintf("ns-%d/svc-%d", i/100, i) }
	for i := range n {
		id := account(name(i))
		m.Services = append(m.Services, ir.Service{ID: svcID(name(i)), Accounts: []ir.Identity{id},
			Ports: []ir.Port{{Number: 80, Name: "http", Protocol: ir.HTTP, TargetPort: 8080}}})
		m.Roles = append(m.Roles, ir.Role{Identity: id, Services: []ir.ServiceID{svcID(name(i))},
			Ports: []ir.InboundPort{{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{portID(name(i), 80)}}}})
		m.Identities = append(m.Identities, id)
		var from []string
		for c := 1; c <= 5 && c < n; c++ {
			from = append(from, name((i+c)%n))
		}
		m.Grants = append(m.Grants, ir.Grant{
			Name: "TrafficTarget/" + name(i) + "#rule0", Sources: accounts(from...), Destination: id,
			Ports: []ir.PortID{portID(name(i), 80)}, HTTP: []ir.Match{
				{Name: "HTTPRouteGroup/" + name(i) + "#read", Path: "^(?:/api/v1/.*).*$", Methods: []string{"GET", "HEAD"}},
				{Name: "HTTPRouteGroup/" + name(i) + "#write", Path: "^(?:/api/v1/items).*$", Methods: []string{"POST", "PUT"}},
				{Name: "HTTPRouteGroup/" + name(i) + "#hdr", Path: "^(?:/admin).*$", Methods: []string{"GET"}, Headers: []ir.HeaderMatch{{Name: "x-tenant", Regex: "t.*"}}},
			}})
		if i%10 == 0 && i+1 < n {
			m.Splits = append(m.Splits, ir.Split{Name: "TrafficSplit/" + name(i), Root: svcID(name(i)), Backends: []ir.Backend{
				{Service: svcID(name(i)), Weight: 90, Ports: []uint16{80}}, {Service: svcID(name(i + 1)), Weight: 10, Ports: []uint16{80}}}})
		}
	}
	sortMesh(m)
	return m
}
