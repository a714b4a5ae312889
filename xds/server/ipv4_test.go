package server_test

import (
	"bytes"
	"net/netip"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/xds/link"
)

// A proxy that says its machine has no IPv6 is served without; the other proxy
// of the same identity has both families still, and a later change narrows again.
func TestProxyAsksForIPv4Only(t *testing.T) {
	c := newControl(t)
	b := spec{services: []svc{{name: "shop/a"}}, calls: map[string][]string{"shop/buyer": {"shop/a"}}}.build(t)
	dual := func(address string) *catalog.Snapshot {
		snap := snapshot([]runs{{name: "shop/a", vip: "10.0.0.1", endpoints: []string{"10.1.0.1:8080"}}}, "shop/buyer-0=shop/buyer")
		v := &snap.Services[0]
		e := v.Endpoints[0]
		e.Address = netip.MustParseAddr(address)
		v.Endpoints = append(v.Endpoints, e)
		return snap
	}
	c.server.Set(b, dual("fd00::1"))
	one, other := c.connect("shop/buyer", "shop/buyer-0"), c.connect("shop/buyer", "shop/buyer-0")
	node := &corev3.Node{Id: "one", Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"meshc.dev/ipv4-only": structpb.NewBoolValue(true)}}}
	one.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Cluster.URL(), Node: node})
	other.subscribe(link.Cluster)
	for _, p := range []*client{one, other} {
		p.ack(p.next(link.Cluster))
		p.subscribe(link.Endpoint, portOf("shop/a").String())
	}
	holds := func(p *client, text string) bool {
		r := p.next(link.Endpoint)
		p.ack(r)
		return bytes.Contains(r.GetResources()[0].GetResource().GetValue(), []byte(text))
	}
	if holds(one, "fd00::") {
		t.Error("it is sent an IPv6 endpoint, which its Envoy refuses")
	}
	if !holds(other, "fd00::1") {
		t.Error("a proxy that did not ask lacks an IPv6 endpoint")
	}
	c.server.Set(b, dual("fd00::2"))
	if !holds(other, "fd00::2") {
		t.Error("a change of an IPv6 endpoint is not sent")
	}
	one.quiet() // nothing it can see has changed
}
