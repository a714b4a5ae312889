package envoy_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// A headless service's cluster takes its secrets from the stream although it
// has no EDS; Envoy crashes on that in a bootstrap, so it is tried over CDS.
// Without interception there is no original destination: what is shown is that
// the proxy comes up, and that the call gets as far as the cluster.
func TestHeadlessClustersComeUpOverCDS(t *testing.T) {
	m := strictMesh()
	addService(m, "db/pods", httpPort(), tcpPort(ir.TCP)).Headless = true
	addClients(m, "shop/buyer")
	grant(m, "TrafficTarget/db/pods#rule0", "db/pods", nil, "shop/buyer")
	w := newWorld(t, m)
	buyer := w.client("shop/buyer")
	if got := buyer.call("db/pods", "GET", "/"); got.status != 503 {
		t.Errorf("answered %d %q", got.status, got.body)
	}
	buyer.logged("its cluster", func(m map[string]any) bool {
		return m["cluster"] == "direct/db/pods:80" && m["route"] == "Service/db/pods:80"
	})
	if got := w.dial(buyer.vip("db/pods", 3306)).say("x"); got != "closed" {
		t.Errorf("TCP read %q", got)
	}
	buyer.logged("its cluster", func(m map[string]any) bool { return m["meshc"] == "tcp" && m["cluster"] == "direct/db/pods:3306" })
}

// One workload behind two services, and a service with two ports on one target.
func TestPortsAndServicesOfOneWorkload(t *testing.T) {
	m := strictMesh()
	id := account("shop/app")
	m.Identities = []ir.Identity{id}
	second := httpPort()
	second.Number = 81
	m.Services = []ir.Service{
		{ID: svcID("shop/a"), Accounts: []ir.Identity{id}, Ports: []ir.Port{httpPort(), second}},
		{ID: svcID("shop/b"), Accounts: []ir.Identity{id}, Ports: []ir.Port{httpPort(), tcpPort(ir.TCP)}},
	}
	m.Roles = []ir.Role{{Identity: id, Services: []ir.ServiceID{svcID("shop/a"), svcID("shop/b")}, Ports: []ir.InboundPort{
		{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{portID("shop/a", 80), portID("shop/a", 81), portID("shop/b", 80)}},
		{TargetPort: 3306, Protocol: ir.TCP, Services: []ir.PortID{portID("shop/b", 3306)}},
	}}}
	addClients(m, "shop/buyer")
	m.Grants = []ir.Grant{{
		Name: "TrafficTarget/shop/t#rule0", Sources: accounts("shop/buyer"), Destination: id,
		Ports: []ir.PortID{portID("shop/a", 80), portID("shop/a", 81), portID("shop/b", 80)},
		HTTP:  []ir.Match{match("^(?:/ok).*$", nil)},
	}}
	w := newWorld(t, m)
	w.serveAs(id, []ir.ServiceID{svcID("shop/a"), svcID("shop/b")}, httpApp(t, "app"))
	buyer := w.client("shop/buyer")
	for _, at := range []ir.PortID{portID("shop/a", 80), portID("shop/a", 81), portID("shop/b", 80)} {
		if got := w.request(buyer.vips[at], "GET", "/ok"); got.status != 200 {
			t.Errorf("%s was answered %d %q", at, got.status, got.body)
		}
		if got := w.request(buyer.vips[at], "GET", "/no"); got.status != 403 {
			t.Errorf("%s was answered %d %q", at, got.status, got.body)
		}
	}
	if _, given := buyer.vips[portID("shop/b", 3306)]; given {
		t.Error("a grant of HTTP requests opened a TCP port of the same workload")
	}
}
