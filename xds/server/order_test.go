package server_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"

	"github.com/meshc/meshc/xds/link"
)

// moved is shopSnapshot with another endpoint behind shop/a.
func moved(n int) []runs {
	out := shopSnapshot()
	out[0].endpoints = []string{fmt.Sprintf("10.1.%d.%d:8080", n/250+1, n%250+1)}
	return out
}

// A changed endpoint goes at once to who uses its service, past everything that
// waits, and to nobody else.
func TestEndpointsTakeTheFastPath(t *testing.T) {
	c := newControl(t)
	s := spec{services: []svc{{name: "shop/a"}, {name: "shop/b"}, {name: "shop/c"}}, calls: map[string][]string{"shop/buyer": {"shop/a", "shop/b"}, "shop/other": {"shop/b"}}}
	clients := []string{buyer, "shop/other-0=shop/other"}
	c.server.Set(s.build(t), snapshot(shopSnapshot(), clients...))
	p, q := c.connect("shop/buyer", "shop/buyer-0"), c.connect("shop/other", "shop/other-0")
	p.boot("shop/a", "shop/b")
	q.boot("shop/b")

	s.services[1].tamper = slower
	b := s.build(t)
	c.server.Set(b, snapshot(shopSnapshot(), clients...))
	p.next(link.Cluster) // never answered
	p.acks(link.Endpoint)
	c.server.Set(b, snapshot(moved(7), clients...))
	r := p.next(link.Endpoint)
	wantNames(t, r, "shop/a:18080")
	p.ack(r)
	p.quiet()
	wantNames(t, q.next(link.Cluster), "shop/b:18080")
	q.acks(link.Endpoint)
	q.quiet()
}

// A proxy that is slow to acknowledge gets the newest state, not every one.
func TestSlowProxySkipsStates(t *testing.T) {
	c := newControl(t)
	b := shop(t, nil, "shop/a")
	c.server.Set(b, snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a")
	const changes = 200
	for n := range changes {
		c.server.Set(b, snapshot(moved(n), buyer))
	}
	want := c.server.World().Endpoints("shop/a:18080").Version
	got := 0
	for last := ""; last != want; got++ {
		r := p.next(link.Endpoint)
		last = versions(r)["shop/a:18080"]
		p.ack(r)
	}
	if got > changes/10 {
		t.Errorf("%d responses for %d changes that nobody acknowledged", got, changes)
	}
	p.quiet()
}

// Endpoints that never rest do not hold up a new route.
func TestRestlessEndpointsHoldNothingUp(t *testing.T) {
	c := newControl(t)
	s := spec{services: []svc{{name: "shop/a"}, {name: "shop/b"}}, calls: map[string][]string{"shop/buyer": {"shop/a", "shop/b"}}}
	c.server.Set(s.build(t), snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a", "shop/b")
	s.services[0].routes = []string{"shop/b"}
	s.services[1].tamper = slower
	b := s.build(t)
	c.server.Set(b, snapshot(shopSnapshot(), buyer))
	cluster := p.next(link.Cluster)
	p.acks(link.Endpoint)
	c.server.Set(b, snapshot(moved(9), buyer))
	p.next(link.Endpoint) // sent after the route's world, and never answered
	p.ack(cluster)
	wantNames(t, p.next(link.Route), "outbound/shop/a:18080")
}

// The steps of moving a route: the new cluster, its endpoints, the route, and
// last the old cluster's end; each waits for the one before.
func TestOrderOfAChange(t *testing.T) {
	c := newControl(t)
	lead := func(to string) spec {
		return spec{services: []svc{{name: "shop/a", routes: []string{to}}, {name: "shop/b"}, {name: "shop/c"}}, calls: map[string][]string{"shop/buyer": {"shop/a"}}}
	}
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(lead("shop/b").build(t), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.subscribe(link.Cluster)
	p.acks(link.Cluster)
	p.subscribe(link.Endpoint, "shop/b:18080")
	p.acks(link.Endpoint)
	p.subscribe(link.Listener)
	p.acks(link.Listener)
	p.subscribe(link.Route, "outbound/shop/a:18080")
	p.acks(link.Route)

	c.server.Set(lead("shop/c").build(t), snap)
	added := p.next(link.Cluster)
	wantNames(t, added, "shop/c:18080")
	p.quiet()
	p.subscribe(link.Endpoint, "shop/c:18080")
	endpoints := p.next(link.Endpoint)
	wantNames(t, endpoints, "shop/c:18080")
	p.ack(added)
	p.quiet()
	p.ack(endpoints)
	route := p.next(link.Route)
	wantNames(t, route, "outbound/shop/a:18080")
	p.quiet()
	p.ack(route)
	if r := p.next(link.Cluster); !slices.Equal(r.GetRemovedResources(), []string{"shop/b:18080"}) {
		t.Errorf("last came %s", shown(r))
	}
}

// What changed while a proxy was away, and nothing else, is sent when it is back.
func TestChangesWhileAway(t *testing.T) {
	c := newControl(t)
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a", "shop/b")
	p.close()
	eventuallyGone(t, c)
	c.server.Set(shop(t, map[string]func(*clusterv3.Cluster){"shop/a": slower}, "shop/a", "shop/c"), snapshot(shopSnapshot(), buyer))

	p = c.connect("shop/buyer", "shop/buyer-0")
	p.back(link.Cluster, has[link.Cluster])
	p.back(link.Endpoint, has[link.Endpoint], "shop/a:18080", "shop/b:18080")
	p.back(link.Listener, has[link.Listener])
	p.back(link.Route, has[link.Route], "outbound/shop/a:18080", "outbound/shop/b:18080")
	r := p.next(link.Cluster)
	wantNames(t, r, "shop/a:18080", "shop/c:18080")
	p.acks(link.Endpoint)
	p.quiet()
	p.ack(r)
	wantNames(t, p.acks(link.Listener)[0], "outbound/shop/c:18080")
	for _, typ := range []link.Type{link.Route, link.Listener, link.Cluster} {
		r := p.next(typ)
		if len(r.GetRemovedResources()) != 1 || len(r.GetResources()) != 0 {
			t.Errorf("got %s", shown(r))
		}
		p.ack(r)
	}
	p.quiet()
}

// An identity that a new bundle does not have loses what its proxy had: closing
// the stream would leave its old policy in force.
func TestIdentityThatIsGoneLosesEverything(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a")
	s := spec{services: []svc{{name: "shop/a"}}}
	c.server.Set(s.build(t), snap)
	gone := map[link.Type]int{}
	for range 3 {
		r := <-p.in
		typ, _ := link.TypeOf(r.GetTypeUrl())
		gone[typ] = len(r.GetRemovedResources())
		p.ack(r)
	}
	if gone[link.Listener] != 2 || gone[link.Cluster] != 2 {
		t.Errorf("taken away: %v", gone)
	}
	if s := buyerStatus(t, c); s.Denied == "" || s.InSync {
		t.Errorf("status shows %+v", s)
	}
}

// Who waits for acknowledgements waits for those of the newest world.
func TestWaitAcked(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	b := shop(t, nil, "shop/a")
	c.server.Set(b, snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	done := make(chan error, 1)
	go func() { done <- c.server.WaitAcked(within(t), "shop/buyer-0") }()
	p.boot("shop/a")
	must(t, <-done)
	c.server.Set(b, snapshot(moved(3), buyer))
	r := p.next(link.Endpoint)
	go func() { done <- c.server.WaitAcked(within(t), "shop/buyer-0") }()
	p.quiet()
	select {
	case err := <-done:
		t.Fatalf("the wait ended before the acknowledgement: %v", err)
	default:
	}
	p.ack(r)
	select {
	case err := <-done:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("the wait does not end")
	}
}
