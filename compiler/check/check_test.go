package check_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Known facts have no objects: judgements about them stand where the lock says them.
func TestJudgementsOfKnownServicesStandInTheLock(t *testing.T) {
	id := ir.ServiceID{Namespace: "bank", Name: "ledger"}
	mesh := &ir.Mesh{
		Settings: ir.Settings{Mode: ir.Strict},
		Services: []ir.Service{{ID: id, Accounts: []ir.Identity{"spiffe://x/ns/bank/sa/a", "spiffe://x/ns/bank/sa/b"}, Ports: []ir.Port{
			{Number: 80, Protocol: ir.HTTP}, {Number: 25, Protocol: ir.TCPServerFirst, Plaintext: true},
		}}},
		Grants: []ir.Grant{{
			Name: "TrafficTarget/bank/t#rule0", Sources: []ir.Identity{"spiffe://x/ns/bank/sa/c"},
			Destination: "spiffe://x/ns/bank/sa/a", Ports: []ir.PortID{{Service: id, Port: 80}},
		}},
		Origins: map[string]ir.Origin{"Service/bank/ledger": {File: "meshc.lock", Line: 7, Col: 1}},
	}
	found := check.Mesh(&syntax.Files{Config: &syntax.Config{}}, mesh)
	if len(found) != 1 || found[0].Code != "MSH3009" || found[0].At() != (diag.Span{File: "meshc.lock", Line: 7, Col: 1}) {
		t.Errorf("%+v", found)
	}
}

// Where calls need no grant, unlike grants refuse nobody.
func TestPermissiveMeshHasNoUnlikePodsOrLeaves(t *testing.T) {
	id := ir.ServiceID{Namespace: "bank", Name: "ledger"}
	mesh := &ir.Mesh{
		Settings: ir.Settings{Mode: ir.Permissive},
		Services: []ir.Service{{ID: id, Accounts: []ir.Identity{"spiffe://x/ns/bank/sa/a", "spiffe://x/ns/bank/sa/b"}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}}},
		Grants:   []ir.Grant{{Name: "TrafficTarget/bank/t#rule0", Sources: []ir.Identity{"x"}, Destination: "spiffe://x/ns/bank/sa/a", Ports: []ir.PortID{{Service: id, Port: 80}}}},
		Splits:   []ir.Split{{Name: "TrafficSplit/bank/s", Root: id, Backends: []ir.Backend{{Service: id, Weight: 1, Ports: []uint16{80}}}}},
	}
	if found := check.Mesh(&syntax.Files{Config: &syntax.Config{}}, mesh); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

// Grants that let the same requests through are alike, however they are written.
func TestGrantsAreHeldAgainstEachOtherByWhatTheyMatch(t *testing.T) {
	id := ir.ServiceID{Namespace: "bank", Name: "ledger"}
	grant := func(name, account string, matches ...ir.Match) ir.Grant {
		return ir.Grant{Name: "TrafficTarget/bank/" + name + "#rule0", Sources: []ir.Identity{"spiffe://x/ns/bank/sa/c"},
			Destination: ir.Identity("spiffe://x/ns/bank/sa/" + account), Ports: []ir.PortID{{Service: id, Port: 80}}, HTTP: matches}
	}
	for _, c := range []struct {
		a, b     []ir.Match
		findings int
	}{
		{[]ir.Match{{Path: "/[ab]"}}, []ir.Match{{Path: "/a"}, {Path: "/b"}}, 0},
		{[]ir.Match{{Methods: []string{"GET", "POST"}}}, []ir.Match{{Methods: []string{"POST"}}, {Methods: []string{"GET"}}}, 0},
		{[]ir.Match{{Path: "/[ab]"}}, []ir.Match{{Path: "/a"}}, 1},
		{nil, []ir.Match{{Path: "/.*"}}, 0},
		{nil, []ir.Match{{Path: "/a.*"}}, 1},
	} {
		mesh := &ir.Mesh{
			Settings: ir.Settings{Mode: ir.Strict},
			Services: []ir.Service{{ID: id, Accounts: []ir.Identity{"spiffe://x/ns/bank/sa/a", "spiffe://x/ns/bank/sa/b"}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}}},
			Grants:   []ir.Grant{grant("a", "a", c.a...), grant("b", "b", c.b...)},
		}
		if found := check.Mesh(&syntax.Files{Config: &syntax.Config{}}, mesh); len(found) != c.findings {
			t.Errorf("%v against %v: %+v", c.a, c.b, found)
		}
	}
}

// Of what is written twice nobody knows which will stay: each copy is judged, and
// each copy of a target counts as a user.
func TestRoutesThatAreWrittenTwiceAreJudgedEach(t *testing.T) {
	route := "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: NAME, namespace: shop}\nspec: {matches: [{name: all}]}\n---\n"
	target := "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: web, namespace: shop}\nspec:\n" +
		"  destination: {kind: ServiceAccount, name: web, namespace: shop}\n  rules: [{kind: HTTPRouteGroup, name: NAME}]\n" +
		"  sources: [{kind: ServiceAccount, name: front, namespace: shop}]\n---\n"
	named := func(text, name string) string { return strings.ReplaceAll(text, "NAME", name) }
	text := named(route, "idle") + named(route, "idle") + named(route, "first") + named(route, "second") + named(target, "first") + named(target, "second")
	files, _ := syntax.Parse(source.FromMap(map[string][]byte{"a.yaml": []byte(text)}))
	var at []int
	for _, f := range check.Mesh(files, &ir.Mesh{Settings: ir.Settings{Mode: ir.Strict}}) {
		if f.Code == "MSH1021" {
			at = append(at, f.At().Line)
		}
	}
	if !slices.Equal(at, []int{3, 8}) {
		t.Errorf("unused routes are told at lines %v, want both copies of idle (3, 8) and nothing else", at)
	}
}
