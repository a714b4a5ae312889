package server_test

import (
	"context"
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/meshc/meshc/xds/link"
)

// whole is a hand-driven state-of-the-world client.
type whole struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[discovery.DiscoveryRequest, discovery.DiscoveryResponse]
	in     chan *discovery.DiscoveryResponse
}

func (c *control) connectWhole(identity, workload string) *whole {
	c.t.Helper()
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), "authorization", c.token(identity, workload)))
	c.t.Cleanup(cancel)
	s, err := c.dial(nil).StreamAggregatedResources(ctx)
	must(c.t, err)
	out := &whole{t: c.t, stream: s, in: make(chan *discovery.DiscoveryResponse, 100)}
	go func() {
		defer close(out.in)
		for {
			r, err := s.Recv()
			if err != nil {
				return
			}
			out.in <- r
		}
	}()
	return out
}

func (w *whole) ask(t link.Type, after *discovery.DiscoveryResponse, names ...string) {
	w.t.Helper()
	must(w.t, w.stream.Send(&discovery.DiscoveryRequest{TypeUrl: t.URL(), ResourceNames: names, VersionInfo: after.GetVersionInfo(), ResponseNonce: after.GetNonce()}))
}

func (w *whole) next(t link.Type) *discovery.DiscoveryResponse {
	w.t.Helper()
	select {
	case r, ok := <-w.in:
		if !ok || r.GetTypeUrl() != t.URL() {
			w.t.Fatalf("got %v, want %s", r, t)
		}
		return r
	case <-time.After(patience):
		w.t.Fatalf("no %s within %s", t, patience)
	}
	return nil
}

func clusters(t *testing.T, r *discovery.DiscoveryResponse) []string {
	t.Helper()
	var out []string
	for _, a := range r.GetResources() {
		var c clusterv3.Cluster
		must(t, a.UnmarshalTo(&c))
		out = append(out, c.GetName())
	}
	return out
}

// The state of the world is the whole of it: while a route moves, the old and
// the new cluster stand in it together.
func TestWholeStateHoldsOldAndNew(t *testing.T) {
	c := newControl(t)
	lead := func(to string) spec {
		return spec{services: []svc{{name: "shop/a", routes: []string{to}}, {name: "shop/b"}, {name: "shop/c"}}, calls: map[string][]string{"shop/buyer": {"shop/a"}}}
	}
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(lead("shop/b").build(t), snap)
	w := c.connectWhole("shop/buyer", "shop/buyer-0")
	w.ask(link.Cluster, nil)
	cds := w.next(link.Cluster)
	w.ask(link.Cluster, cds)
	w.ask(link.Endpoint, nil, "shop/b:18080")
	eds := w.next(link.Endpoint)
	w.ask(link.Endpoint, eds, "shop/b:18080")
	w.ask(link.Listener, nil)
	lds := w.next(link.Listener)
	w.ask(link.Listener, lds)
	w.ask(link.Route, nil, "outbound/shop/a:18080")
	rds := w.next(link.Route)
	w.ask(link.Route, rds, "outbound/shop/a:18080")

	c.server.Set(lead("shop/c").build(t), snap)
	cds = w.next(link.Cluster)
	if got := clusters(t, cds); !slices.Equal(got, []string{"inbound", "shop/b:18080", "shop/c:18080"}) {
		t.Fatalf("clusters while the route moves: %v", got)
	}
	w.ask(link.Endpoint, eds, "shop/b:18080", "shop/c:18080")
	eds = w.next(link.Endpoint)
	w.ask(link.Endpoint, eds, "shop/b:18080", "shop/c:18080")
	w.ask(link.Cluster, cds)
	rds = w.next(link.Route)
	w.ask(link.Route, rds, "outbound/shop/a:18080")
	cds = w.next(link.Cluster)
	if got := clusters(t, cds); !slices.Equal(got, []string{"inbound", "shop/c:18080"}) {
		t.Fatalf("clusters at the end: %v", got)
	}
}

// Absence is the only way to say "does not exist": it has to be said, or a grpc
// client hangs until its deadline.
func TestWholeStateAnswersWhatDoesNotExist(t *testing.T) {
	c := served(t)
	w := c.connectWhole("shop/buyer", "shop/buyer-0")
	w.ask(link.Listener, nil, "shop.nowhere:80")
	if r := w.next(link.Listener); len(r.GetResources()) != 0 {
		t.Errorf("got %v", r)
	}
	w = c.connectWhole("shop/buyer", "shop/buyer-0")
	w.ask(link.Listener, nil, "outbound/shop/a:18080", "shop.nowhere:80")
	r := w.next(link.Listener)
	for len(r.GetResources()) == 0 { // the answers to the two names may come apart
		w.ask(link.Listener, r, "outbound/shop/a:18080", "shop.nowhere:80")
		r = w.next(link.Listener)
	}
	var l listenerv3.Listener
	must(t, r.GetResources()[0].UnmarshalTo(&l))
	if len(r.GetResources()) != 1 || l.GetName() != "outbound/shop/a:18080" {
		t.Errorf("got %v", r)
	}
}

// After a cluster changed Envoy asks for its endpoints again, with the nonce it
// has answered already, and waits for them although they are the same.
func TestWholeStateIsSentAgainWhenAskedAgain(t *testing.T) {
	c := served(t)
	w := c.connectWhole("shop/buyer", "shop/buyer-0")
	w.ask(link.Endpoint, nil, "shop/a:18080")
	first := w.next(link.Endpoint)
	w.ask(link.Endpoint, first, "shop/a:18080")
	w.ask(link.Endpoint, first, "shop/a:18080")
	again := w.next(link.Endpoint)
	if again.GetNonce() == first.GetNonce() || again.GetVersionInfo() != first.GetVersionInfo() || len(again.GetResources()) != 1 {
		t.Errorf("asked again, the answer is %v", again)
	}
}

// A client that comes back with the version of all it should have is sent nothing.
func TestWholeStateIsNotSentToWhoHasIt(t *testing.T) {
	c := served(t)
	w := c.connectWhole("shop/buyer", "shop/buyer-0")
	last := map[link.Type]*discovery.DiscoveryResponse{}
	ask := map[link.Type][]string{link.Cluster: nil, link.Endpoint: {"shop/a:18080"}, link.Secret: {"identity", "roots"}, link.Listener: nil, link.Route: {"outbound/shop/a:18080"}}
	for _, typ := range []link.Type{link.Cluster, link.Endpoint, link.Secret, link.Listener, link.Route} {
		w.ask(typ, nil, ask[typ]...)
		last[typ] = w.next(typ)
		w.ask(typ, last[typ], ask[typ]...)
	}
	w = c.connectWhole("shop/buyer", "shop/buyer-0")
	for typ, names := range ask {
		w.ask(typ, &discovery.DiscoveryResponse{VersionInfo: last[typ].GetVersionInfo()}, names...)
	}
	// Asked now, with a stale version, it is answered next: nothing else was.
	w.ask(link.Extension, nil, "nothing")
	c.server.Set(c.server.World().Bundle(), snapshot(moved(5), buyer))
	w.next(link.Endpoint)
}

// A refused state is not sent again and again.
func TestWholeStateThatIsRefusedIsNotRepeated(t *testing.T) {
	c := newControl(t)
	snap := snapshot(shopSnapshot(), buyer)
	c.server.Set(shop(t, nil, "shop/a"), snap)
	w := c.connectWhole("shop/buyer", "shop/buyer-0")
	w.ask(link.Cluster, nil)
	good := w.next(link.Cluster)
	w.ask(link.Cluster, good)
	refuse := func(r *discovery.DiscoveryResponse) {
		must(t, w.stream.Send(&discovery.DiscoveryRequest{TypeUrl: link.Cluster.URL(), VersionInfo: good.GetVersionInfo(), ResponseNonce: r.GetNonce(),
			ErrorDetail: &status.Status{Code: 3, Message: "no such thing"}}))
	}
	c.server.Set(shop(t, map[string]func(*clusterv3.Cluster){"shop/a": slower}, "shop/a"), snap)
	refuse(w.next(link.Cluster))
	back := w.next(link.Cluster)
	if back.GetVersionInfo() != good.GetVersionInfo() {
		t.Errorf("after the refusal came version %s, want the good one again", back.GetVersionInfo())
	}
	w.ask(link.Cluster, back)
	w.ask(link.Endpoint, nil, "shop/a:18080")
	w.next(link.Endpoint) // and not one more response of clusters
}

// Two subscriptions in a row, the second before the first was answered, as Envoy
// sends them for the two secrets of a cluster: both are answered. A lost answer
// leaves the cluster warming, and everything behind it, for ever.
func TestHastySubscriptionsAreAllAnswered(t *testing.T) {
	c := served(t)
	for range 20 {
		w := c.connectWhole("shop/buyer", "shop/buyer-0")
		w.ask(link.Secret, nil, "roots")
		w.ask(link.Secret, nil, "roots", "identity")
		got := map[string]bool{}
		for len(got) < 2 {
			r := w.next(link.Secret)
			for _, a := range r.GetResources() {
				var s tlsv3.Secret
				must(t, a.UnmarshalTo(&s))
				got[s.GetName()] = true
			}
			w.ask(link.Secret, r, "roots", "identity")
		}
		must(t, w.stream.CloseSend())
	}
}
