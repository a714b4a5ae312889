package lab

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// TestDifferencesReadAsVerdicts: who watches a lab reads what a change lets
// happen, not which object changed.
func TestDifferencesReadAsVerdicts(t *testing.T) {
	web := ir.ServiceID{Namespace: "shop", Name: "web"}
	mesh := func(method, path string, weight uint32) *ir.Mesh {
		return &ir.Mesh{
			Settings: ir.Settings{Mode: ir.Strict},
			Services: []ir.Service{{ID: web, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}}},
			Grants: []ir.Grant{{
				Name: "TrafficTarget/shop/buyers#rule0", Sources: []ir.Identity{"spiffe://cluster.local/ns/shop/sa/buyer"},
				Ports: []ir.PortID{{Service: web, Port: 80}}, HTTP: []ir.Match{{Methods: []string{method}, Path: path}},
			}},
			Splits: []ir.Split{{Name: "TrafficSplit/shop/web", Root: web, Backends: []ir.Backend{
				{Service: ir.ServiceID{Namespace: "shop", Name: "v1"}, Weight: weight}, {Service: ir.ServiceID{Namespace: "shop", Name: "v2"}, Weight: 1},
			}}},
		}
	}
	if d := Differences(mesh("GET", "/buy", 1), mesh("GET", "/buy", 1)); len(d) != 0 {
		t.Errorf("equal meshes differ: %v", d)
	}
	var lines []string
	for _, d := range Differences(mesh("GET", "/buy", 1), mesh("POST", "(?:/buy).*", 3)) {
		lines = append(lines, d.String())
	}
	want := `- calls to shop/web go 50% to v1, 50% to v2  (TrafficSplit/shop/web)
- shop/buyer may GET ^/buy$ at shop/web:80  (TrafficTarget/shop/buyers#rule0)
+ calls to shop/web go 75% to v1, 25% to v2  (TrafficSplit/shop/web)
+ shop/buyer may POST ^/buy at shop/web:80  (TrafficTarget/shop/buyers#rule0)`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if d := Differences(nil, mesh("GET", "/buy", 1)); len(d) != 3 || !d[0].Gained {
		t.Errorf("everything of a first mesh is gained, got %v", d)
	}
}
