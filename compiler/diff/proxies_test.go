package diff

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// planOf has one role with an outbound port; bodies are given by name.
func planOf(listener, chain, route, cluster string) *ir.Plan {
	web := ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: "web"}, Port: 80}
	return &ir.Plan{
		Resources: []ir.Resource{
			{Type: ir.TypeChain, Name: "inbound/shop/web:80", Body: []byte(chain)},
			{Type: ir.TypeCluster, Name: "shop/web:80", Body: []byte(cluster)},
			{Type: ir.TypeListener, Name: "inbound", Body: []byte("in")},
			{Type: ir.TypeListener, Name: "outbound", Body: []byte("out")},
			{Type: ir.TypeListener, Name: "outbound/shop/web:80", Body: []byte(listener)},
			{Type: ir.TypeRoute, Name: "outbound/shop/web:80", Body: []byte(route)},
		},
		Outbound:   []ir.OutboundPort{{Port: web, Listener: 4, Route: 5, Extension: ir.NoRef, Direct: ir.NoRef, Clusters: []ir.PortID{web}}},
		Clusters:   []ir.Cluster{{Port: web, Resource: 1}},
		Scopes:     []ir.Scope{{Virtual: 3, Ranged: ir.NoRef, Outbound: []ir.PortID{web}}, {Virtual: 3, Ranged: ir.NoRef}},
		Identities: []ir.IdentityPlan{{Identity: account("buy/er")}, {Identity: account("shop/web"), Scope: 1}},
		Roles: []ir.RolePlan{
			{Identity: account("buy/er"), Listener: 2},
			{Identity: account("shop/web"), Services: []ir.ServiceID{web.Service}, Listener: 2, Ports: []ir.InboundPlan{{Chains: []ir.Ref{0}, Route: ir.NoRef, Extension: ir.NoRef}}},
		},
	}
}

func TestOnlyListenersAndChainsDrain(t *testing.T) {
	old := planOf("l", "c", "r", "k")
	for _, c := range []struct {
		name   string
		new    *ir.Plan
		proxy  string
		kind   ir.ResourceType
		drains bool
	}{
		{"a route", planOf("l", "c", "r2", "k"), "buy/er", ir.TypeRoute, false},
		{"a cluster", planOf("l", "c", "r", "k2"), "buy/er", ir.TypeCluster, false},
		{"a listener", planOf("l2", "c", "r", "k"), "buy/er", ir.TypeListener, true},
		{"a chain", planOf("l", "c2", "r", "k"), "shop/web|shop/web", ir.TypeChain, true},
	} {
		got := Plans(old, c.new)
		if len(got.Changed) != 1 || got.Changed[0] != c.proxy || got.Total != 2 || len(got.Resources) != 1 || got.Resources[0] != (ResourceCount{Type: c.kind, Changed: 1}) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if (len(got.Drains) == 1 && got.Drains[0].Proxies == 1) != c.drains {
			t.Errorf("%s: drains %+v", c.name, got.Drains)
		}
	}
	if got := Plans(old, planOf("l", "c", "r", "k")); !got.Empty() || len(got.Drains) > 0 {
		t.Errorf("equal plans: %+v", got)
	}
}

// What a client may call no more is taken away; a listener that comes drains nothing.
func TestAListenerThatGoesDrains(t *testing.T) {
	old, new := planOf("l", "c", "r", "k"), planOf("l", "c", "r", "k")
	new.Scopes[0].Outbound = nil
	if got := Plans(old, new); len(got.Drains) != 1 || got.Drains[0].Name != "outbound/shop/web:80" {
		t.Errorf("%+v", got)
	}
	if got := Plans(new, old); len(got.Drains) != 0 || len(got.Resources) != 3 || got.Resources[0].Added != 1 {
		t.Errorf("%+v", got)
	}
	new.Roles = new.Roles[:1]
	if got := Plans(old, new); got.Removed != 1 {
		t.Errorf("%+v", got)
	}
}
