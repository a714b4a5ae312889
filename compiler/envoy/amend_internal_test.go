package envoy

import (
	"reflect"
	"slices"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// What an edit leaves as it is costs nothing, and what it changes is what would be
// lowered of the whole mesh.
func TestAMeshOfTheSameFrameIsLoweredInPlace(t *testing.T) {
	s := NewSession()
	before, err := s.Lower(splitMesh(90, "/a", 8080))
	if err != nil {
		t.Fatal(err)
	}
	for name, mesh := range map[string]*ir.Mesh{
		"a weight": splitMesh(80, "/a", 8080), "a path": splitMesh(90, "/b", 8080), "a target port": splitMesh(90, "/a", 8081),
	} {
		plan, ok, err := s.amend(mesh)
		if err != nil || !ok {
			t.Fatalf("%s: it was not amended: %v", name, err)
		}
		if whole, err := Lower(mesh); err != nil || !reflect.DeepEqual(plan, whole) {
			t.Errorf("%s: the plan is not the one that a cold run makes (%v)", name, err)
		}
		if !ir.OnePlace(plan.Scopes, before.Scopes) || !ir.OnePlace(plan.Clusters, before.Clusters) {
			t.Errorf("%s: what it does not concern was made again", name)
		}
		if _, ok, err := s.amend(splitMesh(90, "/a", 8080)); err != nil || !ok {
			t.Fatalf("%s: it was not taken back: %v", name, err)
		}
	}
	for name, mesh := range map[string]*ir.Mesh{"weight 0": splitMesh(0, "/a", 8080), "fewer grants": withoutGrants(splitMesh(90, "/a", 8080))} {
		if _, ok, err := s.amend(mesh); ok || err != nil {
			t.Errorf("%s: another may call, or another is called, and the plan was amended (%v)", name, err)
		}
	}
}

func withoutGrants(m *ir.Mesh) *ir.Mesh {
	m.Grants = nil
	return m
}

// splitMesh is a service split between itself and another, with a grant to each.
func splitMesh(weight uint32, path string, target uint16) *ir.Mesh {
	const td = "example.org"
	m := &ir.Mesh{
		Settings:   ir.Settings{TrustDomain: td, ClusterDomain: "cluster.local", Mode: ir.Strict},
		Identities: []ir.Identity{ir.NewIdentity(td, "shop", "buyer")},
	}
	for _, name := range []string{"books", "books-v2"} {
		id, svc := ir.NewIdentity(td, "shop", name), ir.ServiceID{Namespace: "shop", Name: name}
		ports := []ir.PortID{{Service: svc, Port: 80}}
		m.Identities = append(m.Identities, id)
		m.Services = append(m.Services, ir.Service{ID: svc, Accounts: []ir.Identity{id}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: target}}})
		m.Roles = append(m.Roles, ir.Role{Identity: id, Services: []ir.ServiceID{svc}, Ports: []ir.InboundPort{{TargetPort: target, Protocol: ir.HTTP, Services: ports}}})
		m.Grants = append(m.Grants, ir.Grant{
			Name: "TrafficTarget/shop/" + name + "#rule0", Sources: m.Identities[:1], Destination: id, Ports: ports,
			HTTP: []ir.Match{{Name: "HTTPRouteGroup/shop/g#m", Path: path}},
		})
	}
	slices.Sort(m.Identities)
	books := m.Services[0].ID
	m.Splits = []ir.Split{{Name: "TrafficSplit/shop/s", Root: books, Backends: []ir.Backend{
		{Service: books, Weight: weight, Ports: []uint16{80}}, {Service: m.Services[1].ID, Weight: 10, Ports: []uint16{80}},
	}}}
	return m
}
