package link_test

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

// ipv6 finds addresses in the bytes of a resource; in protobuf they are text.
var ipv6 = regexp.MustCompile(`::[0-9a-f]*|fd00:[0-9a-f:]+`)

// Envoy on a kernel without IPv6 refuses a resource that holds an IPv6 address,
// and that proxy would then serve nobody.
func TestProxyWithoutIPv6IsSentNone(t *testing.T) {
	w, _ := link.New(pack(t, shop(func(m *ir.Mesh) { m.Settings.EgressAllowed = true })), running(func(s *catalog.Snapshot) {
		s.ServiceRanges = []netip.Prefix{netip.MustParsePrefix("fd00:1::/64")}
		web(s).Endpoints = append(web(s).Endpoints, catalog.Endpoint{Address: addr("fd00::7"), Workload: "shop/web-1", Identity: id("shop/web"), Meshed: true})
	}))
	found := 0
	for _, who := range [][2]string{{"shop/buyer", ""}, {"shop/web", "shop/web-0"}, {"shop/db", "shop/db-0"}} {
		dual := view(t, w, who[0], who[1])
		for typ := range link.Types {
			for r := range dual.All(typ) {
				found += len(ipv6.FindAll(r.Any.GetValue(), -1))
			}
			for r := range dual.IPv4().All(typ) {
				if got := ipv6.Find(r.Any.GetValue()); got != nil {
					t.Errorf("%s is sent %s %q with the address %q", who[0], typ, r.Name, got)
				}
			}
		}
	}
	if found == 0 {
		t.Error("nothing held an IPv6 address: this test has shown nothing")
	}
	four := view(t, w, "shop/buyer", "").IPv4()
	l := read(t, four.Get(link.Listener, "outbound/shop/web:80"), &listenerv3.Listener{})
	want(t, "the listener's address", at(l.GetAddress()), "10.0.0.1:80")
	want(t, "its other addresses", len(l.GetAdditionalAddresses()), 0)
	want(t, "the listener of an IPv6 endpoint", four.Get(link.Listener, "outbound/shop/db:5432@fd00::5"), nil)

	a := read(t, link.EndpointsIPv4(w.Endpoints("shop/web:80")), &endpointv3.ClusterLoadAssignment{})
	for _, e := range a.GetEndpoints()[0].GetLbEndpoints() {
		if got := at(e.GetEndpoint().GetAddress()); strings.Contains(got, "fd00") {
			t.Errorf("the endpoint %s is sent", got)
		}
	}
	want(t, "endpoints that are left", len(a.GetEndpoints()[0].GetLbEndpoints()), 2)
}

// What holds no IPv6 address is the resource that all others have, so that the
// proxy's versions are theirs; and asking twice gives one view.
func TestNarrowViewsAreShared(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running())
	v := view(t, w, "shop/buyer", "")
	if first, second := v.IPv4(), v.IPv4(); first != second {
		t.Error("each proxy gets a copy of its own")
	}
	if v.IPv4().Get(link.Listener, "outbound/shop/db:5432@10.1.0.5") != v.Get(link.Listener, "outbound/shop/db:5432@10.1.0.5") {
		t.Error("a listener without IPv6 was made anew")
	}
	if link.EndpointsIPv4(w.Endpoints("shop/web:80")) != w.Endpoints("shop/web:80") {
		t.Error("endpoints without IPv6 were made anew")
	}
}

// Ranges of IPv6 alone leave the chain that refuses the mesh's addresses with
// none: it must then refuse everything, not be left out.
func TestRefusingChainStaysWithoutRanges(t *testing.T) {
	w, _ := link.New(pack(t, shop(func(m *ir.Mesh) { m.Settings.EgressAllowed = true })), running(func(s *catalog.Snapshot) {
		s.ServiceRanges = []netip.Prefix{netip.MustParsePrefix("fd00:1::/64")}
		s.Services, s.Workloads = nil, nil
	}))
	l := read(t, view(t, w, "shop/buyer", "").IPv4().Get(link.Listener, "outbound"), &listenerv3.Listener{})
	want(t, "chains before the default", len(l.GetFilterChains()), 1)
	want(t, "their ranges", len(l.GetFilterChains()[0].GetFilterChainMatch().GetPrefixRanges()), 0)
	want(t, "the listener's address", at(&corev3.Address{Address: l.GetAddress().GetAddress()}), "0.0.0.0:15001")
}
