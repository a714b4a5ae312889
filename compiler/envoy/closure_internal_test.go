package envoy

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// A route to a cluster that a proxy is not sent would be accepted by Envoy in
// silence and answer 503.
func TestClosureFindsWhatIsNotSent(t *testing.T) {
	svc := ir.ServiceID{Namespace: "shop", Name: "books"}
	port := ir.PortID{Service: svc, Port: 80}
	buyer, books := ir.NewIdentity("td", "shop", "buyer"), ir.NewIdentity("td", "shop", "books")
	mesh := &ir.Mesh{
		Settings:   ir.Settings{TrustDomain: "td", Mode: ir.Strict},
		Identities: []ir.Identity{books, buyer},
		Services:   []ir.Service{{ID: svc, Accounts: []ir.Identity{books}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP}}}},
		Roles:      []ir.Role{{Identity: books, Services: []ir.ServiceID{svc}, Ports: []ir.InboundPort{{Protocol: ir.HTTP, Services: []ir.PortID{port}}}}},
		Grants:     []ir.Grant{{Name: "TrafficTarget/shop/t#rule0", Sources: []ir.Identity{buyer}, Destination: books, Ports: []ir.PortID{port}}},
	}
	for name, c := range map[string]struct {
		spoil func(*ir.Plan)
		want  string
	}{
		"nothing":         {func(*ir.Plan) {}, ""},
		"a route":         {func(p *ir.Plan) { p.Outbound[0].Route = ir.NoRef }, `names route "outbound/shop/books:80"`},
		"a cluster":       {func(p *ir.Plan) { p.Outbound[0].Clusters = nil }, `names cluster "shop/books:80"`},
		"a whole cluster": {func(p *ir.Plan) { p.Clusters = nil }, "needs the cluster of shop/books:80"},
		"inbound routes":  {func(p *ir.Plan) { p.Roles[0].Ports[0].Route = ir.NoRef }, `names route "inbound/shop/books:80"`},
		"inbound":         {func(p *ir.Plan) { p.Scopes[0].Extra = nil }, `names cluster "denied"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := NewSession()
			a := &assembly{lowering: s.begin(mesh), run: 1}
			a.ports, a.roles, a.missing = s.units(a.lowering)
			if err := lower(a, slices.Concat(a.ports, a.missing), a.roles); err != nil {
				t.Fatal(err)
			}
			plan, err := a.plan(s)
			if err != nil {
				t.Fatal(err)
			}
			c.spoil(plan)
			err = a.closed(plan, true)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
