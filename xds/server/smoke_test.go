package server_test

import (
	"testing"

	"github.com/meshc/meshc/xds/link"
)

// A proxy that connects is sent what its identity may call, and nothing else.
func TestFirstConnection(t *testing.T) {
	c := newControl(t)
	s := spec{services: []svc{{name: "shop/web"}, {name: "shop/secret"}}, calls: map[string][]string{"shop/buyer": {"shop/web"}}}
	c.server.Set(s.build(t), snapshot([]runs{
		{name: "shop/web", vip: "10.0.0.1", endpoints: []string{"10.1.0.1:8080"}},
		{name: "shop/secret", vip: "10.0.0.2", endpoints: []string{"10.1.0.2:8080"}},
	}, "shop/buyer-0=shop/buyer"))
	p := c.connect("shop/buyer", "shop/buyer-0")

	p.subscribe(link.Cluster)
	r := p.next(link.Cluster)
	wantNames(t, r, "inbound", "shop/web:18080")
	p.ack(r)
	p.subscribe(link.Endpoint, "shop/web:18080")
	r = p.next(link.Endpoint)
	wantNames(t, r, "shop/web:18080")
	p.ack(r)
	p.subscribe(link.Listener)
	r = p.next(link.Listener)
	wantNames(t, r, "outbound", "outbound/shop/web:18080")
	p.ack(r)
	p.subscribe(link.Route, "outbound/shop/web:18080")
	r = p.next(link.Route)
	wantNames(t, r, "outbound/shop/web:18080")
	p.ack(r)
	p.subscribe(link.Secret, "identity", "roots")
	r = p.next(link.Secret)
	wantNames(t, r, "identity", "roots")
	p.ack(r)
	p.quiet()

	// Endpoints and routes of services it may not call do not exist for it.
	p.subscribe(link.Endpoint, "shop/secret:18080")
	if r := p.next(link.Endpoint); len(r.GetResources()) != 0 || len(r.GetRemovedResources()) != 1 {
		t.Fatalf("a proxy was sent the endpoints of a service it may not call: %s", shown(r))
	}
}
