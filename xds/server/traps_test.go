package server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// boot subscribes and acknowledges as an Envoy does when it starts, for a caller
// of HTTP services. It gives the versions that the proxy then has.
func (p *client) boot(services ...string) [link.Types]map[string]string {
	p.t.Helper()
	var has [link.Types]map[string]string
	step := func(t link.Type, names ...string) {
		p.t.Helper()
		p.subscribe(t, names...)
		r := p.next(t)
		has[t] = versions(r)
		p.ack(r)
	}
	var clusters, routes []string
	for _, s := range services {
		clusters = append(clusters, portOf(s).String())
		routes = append(routes, "outbound/"+portOf(s).String())
	}
	step(link.Cluster)
	step(link.Endpoint, clusters...)
	step(link.Secret, "identity", "roots")
	step(link.Listener)
	step(link.Route, routes...)
	return has
}

// bootLate asks for a type and takes whatever else comes meanwhile: on a busy machine
// an answer may come after the server gave it up.
func (p *client) bootLate(t link.Type, names ...string) {
	p.t.Helper()
	p.subscribe(t, names...)
	for late := time.After(patience); ; {
		select {
		case r := <-p.in:
			p.ack(r)
			if r.GetTypeUrl() == t.URL() {
				return
			}
		case <-late:
			p.t.Fatalf("%s never came", t)
		}
	}
}

// answerAll acknowledges whatever comes until the server has all it waits for.
func (p *client) acks(types ...link.Type) []*discovery.DeltaDiscoveryResponse {
	p.t.Helper()
	var out []*discovery.DeltaDiscoveryResponse
	for _, t := range types {
		r := p.next(t)
		out = append(out, r)
		p.ack(r)
	}
	return out
}

func slower(c *clusterv3.Cluster) { c.ConnectTimeout = durationpb.New(3 * time.Second) }

// shop is a mesh in which shop/buyer calls services, each changed by tamper if named.
func shop(t *testing.T, tamper map[string]func(*clusterv3.Cluster), services ...string) *bundle.Bundle {
	t.Helper()
	s := spec{calls: map[string][]string{"shop/buyer": services}}
	for _, name := range services {
		s.services = append(s.services, svc{name: name, tamper: tamper[name]})
	}
	return s.build(t)
}

var shopRuns = []runs{
	{name: "shop/a", vip: "10.0.0.1", endpoints: []string{"10.1.0.1:8080"}},
	{name: "shop/b", vip: "10.0.0.2", endpoints: []string{"10.1.0.2:8080"}},
	{name: "shop/c", vip: "10.0.0.3", endpoints: []string{"10.1.0.3:8080"}},
}

func shopSnapshot() []runs { return slices.Clone(shopRuns) }

const buyer = "shop/buyer-0=shop/buyer"

func buyerStatus(t *testing.T, c *control) server.Proxy {
	t.Helper()
	s := c.server.Status()
	if len(s.Proxies) != 1 {
		t.Fatalf("status shows %d proxies, want 1", len(s.Proxies))
	}
	return s.Proxies[0]
}

func kindOf(t *testing.T, p server.Proxy, typ link.Type) cache.Kind {
	t.Helper()
	i := slices.IndexFunc(p.Types, func(k cache.Kind) bool { return k.Type == typ.String() })
	if i < 0 {
		t.Fatalf("status shows no %s", typ)
	}
	return p.Types[i]
}

// T1: a response of clusters that is never answered counts as refused. What it
// added is taken away again unasked, which frees a stuck Envoy, what it changed
// goes back; then each is offered alone, and only the bad one stays out.
func TestT1UnansweredClustersAreRescued(t *testing.T) {
	c := newControl(t, func(o *server.Options) { o.AckTimeout = 2 * time.Second })
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a")

	c.server.Set(shop(t, map[string]func(*clusterv3.Cluster){"shop/a": slower}, "shop/a", "shop/b", "shop/c"), snap)
	stuck := p.next(link.Cluster)
	wantNames(t, stuck, "shop/a:18080", "shop/b:18080", "shop/c:18080")
	p.acks(link.Endpoint) // of the cluster that was sent again
	rescue := p.next(link.Cluster)
	wantNames(t, rescue, "shop/a:18080")
	if got := rescue.GetRemovedResources(); !slices.Equal(got, []string{"shop/b:18080", "shop/c:18080"}) {
		t.Fatalf("the rescue removes %v", got)
	}
	if v := versions(rescue)["shop/a:18080"]; v != has[link.Cluster]["shop/a:18080"] {
		t.Fatal("the rescue does not bring the last good version back")
	}
	p.nack(stuck, "b is bad") // both answers arrive once Envoy is free
	p.ack(rescue)
	p.acks(link.Endpoint)

	for _, name := range []string{"shop/a:18080", "shop/b:18080", "shop/c:18080"} {
		r := p.next(link.Cluster)
		wantNames(t, r, name)
		if name == "shop/b:18080" {
			p.nack(r, "b is bad")
			r = p.next(link.Cluster) // which leaves it in Envoy's list of warming ones
			if got := r.GetRemovedResources(); !slices.Equal(got, []string{name}) {
				t.Fatalf("after the refusal came %s", shown(r))
			}
			p.ack(r)
			continue
		}
		p.ack(r)
		if name == "shop/a:18080" {
			p.acks(link.Endpoint)
		}
	}
	r := p.acks(link.Listener)[0]
	wantNames(t, r, "outbound/shop/b:18080", "outbound/shop/c:18080")
	k := kindOf(t, buyerStatus(t, c), link.Cluster)
	if len(k.Refused) != 1 || k.Refused[0].Name != "shop/b:18080" || k.Refused[0].Reason != "b is bad" {
		t.Fatalf("status names as refused: %+v", k.Refused)
	}
}

// T1 after a reconnect: a stuck Envoy does not ask for clusters on its new
// stream. Those it never acknowledged are taken away on any channel there is.
func TestT1StuckProxyIsRescuedAfterReconnect(t *testing.T) {
	c := newControl(t, func(o *server.Options) { o.AckTimeout = 2 * time.Second })
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a")
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snap)
	p.next(link.Cluster)
	p.close()
	eventuallyGone(t, c)

	p = c.connect("shop/buyer", "shop/buyer-0")
	p.back(link.Endpoint, has[link.Endpoint], "shop/a:18080")
	r := p.next(link.Cluster)
	if !slices.Equal(r.GetRemovedResources(), []string{"shop/b:18080"}) || len(r.GetResources()) != 0 {
		t.Fatalf("the stuck proxy was sent %s", shown(r))
	}
	p.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Cluster.URL(), ResponseNonce: r.GetNonce(), InitialResourceVersions: has[link.Cluster]})
	r = p.next(link.Cluster)
	wantNames(t, r, "shop/b:18080")
}

func eventuallyGone(t *testing.T, c *control) {
	t.Helper()
	eventually(t, "the stream's end", func() error {
		if n := len(c.server.Status().Proxies); n != 0 {
			return fmt.Errorf("%d proxies are connected", n)
		}
		return nil
	})
}

// T2: Envoy warms a changed cluster without asking for its endpoints again. They
// follow at once, in the version it has, or it waits 15 s with all clusters held up.
func TestT2EndpointsFollowAChangedCluster(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a", "shop/b")

	moved := shopSnapshot()
	moved[0].endpoints = []string{"10.1.0.9:8080"}
	c.server.Set(shop(t, map[string]func(*clusterv3.Cluster){"shop/a": slower}, "shop/a", "shop/b"), snapshot(moved, buyer))
	changed := p.next(link.Cluster)
	wantNames(t, changed, "shop/a:18080")
	again := p.next(link.Endpoint) // although nothing is acknowledged
	wantNames(t, again, "shop/a:18080")
	if versions(again)["shop/a:18080"] != has[link.Endpoint]["shop/a:18080"] {
		t.Error("the endpoints that follow are not those the proxy has: new ones may not fit the old cluster")
	}
	p.ack(again)
	p.quiet() // the new endpoints wait for the new cluster
	p.ack(changed)
	r := p.next(link.Endpoint)
	if v := versions(r)["shop/a:18080"]; v == has[link.Endpoint]["shop/a:18080"] {
		t.Error("the new endpoints never come")
	}
}

// T3: endpoints of a live cluster are never removed: a service without any is an
// empty assignment.
func TestT3EndpointsAreNeverRemoved(t *testing.T) {
	c := newControl(t)
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a", "shop/b")
	b := c.server.World().Bundle()

	c.server.Set(b, snapshot(shopSnapshot()[1:], buyer)) // shop/a is gone from the catalog
	r := p.next(link.Endpoint)
	wantNames(t, r, "shop/a:18080")
	var cla endpointv3.ClusterLoadAssignment
	must(t, r.GetResources()[0].GetResource().UnmarshalTo(&cla))
	if len(cla.GetEndpoints()) != 0 || len(r.GetRemovedResources()) != 0 {
		t.Fatalf("a service without endpoints is %v, removed %v", &cla, r.GetRemovedResources())
	}
	p.ack(r)
	p.acks(link.Route, link.Listener)

	c.server.Set(shop(t, nil, "shop/b"), snapshot(shopSnapshot()[1:], buyer)) // and from the bundle
	r = p.next(link.Cluster)
	if !slices.Equal(r.GetRemovedResources(), []string{"shop/a:18080"}) {
		t.Fatalf("got %s", shown(r))
	}
	p.ack(r)
	p.quiet()
}

// T4: what does not exist is said so at once, or Envoy waits 15 s for it.
func TestT4UnknownNamesAreAnsweredAtOnce(t *testing.T) {
	c := newControl(t)
	c.server.Set(shop(t, nil, "shop/a"), snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	for _, typ := range []link.Type{link.Endpoint, link.Secret, link.Extension, link.Listener, link.Route} {
		p.subscribe(typ, "nothing")
		r := p.next(typ)
		if !slices.Equal(r.GetRemovedResources(), []string{"nothing"}) || len(r.GetResources()) != 0 {
			t.Errorf("a %s that does not exist was answered by %s", typ, shown(r))
		}
		p.ack(r)
	}
}

// T4, later: what did not exist is sent when it comes to be.
func TestT4ANameThatComesToExistIsSent(t *testing.T) {
	c := newControl(t)
	c.server.Set(shop(t, nil, "shop/a"), snapshot(shopSnapshot(), buyer))
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.subscribe(link.Route, "outbound/shop/b:18080")
	p.ack(p.next(link.Route))
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snapshot(shopSnapshot(), buyer))
	wantNames(t, p.next(link.Route), "outbound/shop/b:18080")
}

// T5: Envoy ignores the removal of a route or secret that is in use, so access is
// never taken away like that: the listener goes, whatever becomes of its route.
func TestT5AccessIsTakenAwayByTheListener(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a", "shop/b")
	c.server.Set(shop(t, nil, "shop/a"), snap)
	var order []string
	for range 3 {
		select {
		case r := <-p.in:
			typ, _ := link.TypeOf(r.GetTypeUrl())
			order = append(order, fmt.Sprintf("%s%v", typ, r.GetRemovedResources()))
			p.ack(r)
		case <-time.After(patience):
			t.Fatalf("after %v nothing came", order)
		}
	}
	want := []string{"RDS[outbound/shop/b:18080]", "LDS[outbound/shop/b:18080]", "CDS[shop/b:18080]"}
	if !slices.Equal(order, want) {
		t.Errorf("removed %v, want %v", order, want)
	}
	p.quiet()
}

// T6: a server without a world would tell a returning proxy that nothing exists.
func TestT6StreamsAreRefusedUntilTheWorldIsLoaded(t *testing.T) {
	c := newControl(t)
	p := c.connect("shop/buyer", "shop/buyer-0")
	if err := p.ended(); status.Code(err) != codes.Unavailable {
		t.Fatalf("the stream ended with %v, want Unavailable", err)
	}
	c.server.Set(shop(t, nil, "shop/a"), snapshot(shopSnapshot(), buyer))
	c.connect("shop/buyer", "shop/buyer-0").boot("shop/a")
}

// T7, T10: the delta server changes its maps whenever the client unsubscribes.
// Run with the race detector, this finds any that are shared with a session.
func TestT7SubscriptionsChangeWhileTheWorldDoes(t *testing.T) {
	c := newControl(t, func(o *server.Options) { o.AckTimeout = 5 * time.Millisecond })
	worlds := []*bundle.Bundle{shop(t, nil, "shop/a", "shop/b"), shop(t, map[string]func(*clusterv3.Cluster){"shop/a": slower}, "shop/a", "shop/c")}
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(worlds[0], snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.bootLate(link.Cluster)
	p.bootLate(link.Endpoint, "shop/a:18080", "shop/b:18080")
	p.bootLate(link.Listener)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				c.server.Set(worlds[i%2], snap)
			}
		}
	}()
	answered := 0
	for i := range 300 {
		p.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Endpoint.URL(), ResourceNamesUnsubscribe: []string{"shop/a:18080"}})
		p.subscribe(link.Endpoint, "shop/a:18080")
		for first := true; first || len(p.in) > 0; first = false {
			if r := <-p.in; i%10 != 0 || r.GetTypeUrl() != link.Cluster.URL() {
				p.ack(r) // the others are left unanswered, so that rescues run too
			}
			answered++
		}
	}
	close(stop)
	<-done
	if answered == 0 {
		t.Fatal("nothing was sent meanwhile: the test shows nothing")
	}
}

// T8: what a proxy refused is not sent again until it changes; the last good
// version is, because a refusal is not atomic.
func TestT8RefusedResourcesAreWithheldUntilTheyChange(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a")

	bad := map[string]func(*clusterv3.Cluster){"shop/a": slower}
	c.server.Set(shop(t, bad, "shop/a"), snap)
	r := p.next(link.Cluster)
	p.acks(link.Endpoint)
	p.nack(r, "no such thing")
	r = p.next(link.Cluster)
	if v := versions(r)["shop/a:18080"]; v != has[link.Cluster]["shop/a:18080"] {
		t.Fatalf("after the refusal came %s", shown(r))
	}
	p.ack(r)
	for len(p.in) > 0 {
		p.ack(<-p.in)
	}
	drain(p)
	c.server.Set(shop(t, bad, "shop/a"), snap) // linked anew, equal bytes
	drain(p)
	if k := kindOf(t, buyerStatus(t, c), link.Cluster); len(k.Refused) != 1 || k.Nacked != 1 || !strings.Contains(k.LastError, "no such thing") {
		t.Fatalf("status says %+v", k)
	}
	if err := c.server.WaitAcked(within(t), "shop/buyer-0"); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Fatalf("who waits is told %v", err)
	}
	c.server.Set(shop(t, map[string]func(*clusterv3.Cluster){"shop/a": func(c *clusterv3.Cluster) { c.ConnectTimeout = durationpb.New(4 * time.Second) }}, "shop/a"), snap)
	wantNames(t, p.next(link.Cluster), "shop/a:18080")
}

// drain acknowledges endpoints that follow a cluster, and fails on anything else.
func drain(p *client) {
	p.t.Helper()
	p.probes++
	name := fmt.Sprintf("drain-%d", p.probes)
	p.subscribe(link.Secret, name)
	for {
		select {
		case r := <-p.in:
			p.ack(r)
			switch {
			case slices.Equal(r.GetRemovedResources(), []string{name}):
				return
			case r.GetTypeUrl() != link.Endpoint.URL():
				p.t.Fatalf("got %s when nothing was to come", shown(r))
			}
		case <-time.After(patience):
			p.t.Fatal("the stream is stuck")
		}
	}
}

// T9: a subscription that overtakes an acknowledgement is no acknowledgement.
func TestT9SubscriptionOvertakesAnAcknowledgement(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.boot("shop/a")
	c.server.Set(shop(t, nil, "shop/a", "shop/b"), snap)
	added := p.next(link.Cluster)
	p.subscribe(link.Endpoint, "shop/b:18080") // Envoy does so before it acknowledges the cluster
	p.acks(link.Endpoint)
	p.quiet() // the listener still waits
	p.ack(added)
	wantNames(t, p.next(link.Listener), "outbound/shop/b:18080")
}
