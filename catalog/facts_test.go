package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
)

// What is exported is what a build believes: a missing account is a refused
// client, one too many an open door.
func TestFacts(t *testing.T) {
	cart, db, old := ir.ServiceID{Namespace: "shop", Name: "cart"}, ir.ServiceID{Namespace: "shop", Name: "db"}, ir.ServiceID{Namespace: "legacy", Name: "old"}
	own, other := ir.Identity("spiffe://mesh/ns/shop/sa/cart"), ir.Identity("spiffe://elsewhere/ns/shop/sa/cart")
	snap := &catalog.Snapshot{
		TrustDomain: "mesh",
		Services: []catalog.Service{
			{ID: old, Ports: []catalog.ServicePort{{Port: 53, Protocol: ir.UDP, TargetPort: 53}}, Endpoints: []catalog.Endpoint{{Workload: "legacy/m"}}},
			{ID: cart, Ports: []catalog.ServicePort{{Port: 80, Name: "web", Protocol: ir.HTTP, TargetPort: 8080}},
				Endpoints: []catalog.Endpoint{{Identity: own, Meshed: true}, {Identity: other, Meshed: true}, {Identity: own, Meshed: true}, {}}},
			{ID: db, Headless: true},
		},
		Workloads: []catalog.Workload{
			{Name: "shop/a", Identity: own, Meshed: true, Services: []ir.ServiceID{cart}},
			{Name: "shop/b", Identity: own, Meshed: true, Services: []ir.ServiceID{cart, db}},
			{Name: "shop/c", Identity: own, Meshed: true, Services: []ir.ServiceID{cart}},
			{Name: "shop/d", Identity: other, Meshed: true, Services: []ir.ServiceID{cart}},
			{Name: "shop/e", Identity: "spiffe://mesh/ns/shop/sa/batch", Meshed: true},
			{Name: "legacy/m", Identity: "spiffe://mesh/ns/legacy/sa/m"},
			{Name: "legacy/n"},
		},
	}
	no := false
	want := []ir.Fact{
		{Kind: "account", Namespace: "legacy", Name: "m", Meshed: &no},
		{Kind: "account", Namespace: "shop", Name: "batch"},
		{Kind: "account", Namespace: "shop", Name: "cart"},
		{Kind: "role", Namespace: "shop", Name: "batch"}, // a client only
		{Kind: "role", Namespace: "shop", Name: "cart", Services: []string{"shop/cart"}},
		{Kind: "role", Namespace: "shop", Name: "cart", Services: []string{"shop/cart", "shop/db"}},
		{Kind: "service", Namespace: "legacy", Name: "old", Meshed: &no, Ports: []ir.FactPort{{Port: 53, Protocol: "UDP", TargetPort: 53}}},
		{Kind: "service", Namespace: "shop", Name: "cart", Accounts: []string{"shop/cart", string(other)}, Ports: []ir.FactPort{{Port: 80, Name: "web", Protocol: "TCP", AppProtocol: "http", TargetPort: 8080}}},
		{Kind: "service", Namespace: "shop", Name: "db", Headless: true},
	}
	if diff := cmp.Diff(want, catalog.Facts(snap)); diff != "" {
		t.Errorf("facts differ (-want +got):\n%s", diff)
	}
}
