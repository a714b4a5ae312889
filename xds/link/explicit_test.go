package link_test

import (
	"net/netip"
	"slices"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	netstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

// unintercepted makes shop/web-0 a machine that cannot redirect connections, and
// shop/buyer-0 one that calls web, its administrators' port and db.
func unintercepted(s *catalog.Snapshot) {
	bind := netip.MustParseAddrPort
	for i := range s.Workloads {
		if w := &s.Workloads[i]; w.Name == "shop/web-0" {
			w.Addresses = []netip.Addr{addr("10.1.0.1"), addr("fd00::1")}
			w.Explicit = &catalog.Explicit{LocalPorts: map[uint16]uint16{9090: 19090}}
		}
	}
	s.Workloads[slices.IndexFunc(s.Workloads, func(w catalog.Workload) bool { return w.Name == "shop/buyer-0" })].Explicit = &catalog.Explicit{
		Upstreams: []catalog.Upstream{
			{Service: svc("shop/web"), Port: 80, Bind: bind("127.0.0.1:9080")},
			{Service: svc("shop/web"), Port: 81, Bind: bind("127.0.0.1:9081")},
			{Service: svc("shop/web"), Port: 80, Bind: bind("127.0.0.2:9080")},
		},
	}
}

// bound are the sockets of a listener.
func bound(l *listenerv3.Listener) []string {
	out := []string{at(l.GetAddress())}
	for _, a := range l.GetAdditionalAddresses() {
		out = append(out, at(a.GetAddress()))
	}
	return out
}

// A machine without interception is called on its own addresses, and its proxy
// hands on to loopback.
func TestExplicitInbound(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(unintercepted))
	l := read(t, view(t, w, "shop/web", "shop/web-0").Get(link.Listener, "inbound"), &listenerv3.Listener{})
	want(t, "sockets", bound(l), []string{"10.1.0.1:8080", "fd00::1:8080", "10.1.0.1:9090", "fd00::1:9090"})
	for _, f := range l.GetListenerFilters() {
		if f.GetName() == "envoy.filters.listener.original_dst" {
			t.Error("it asks the kernel for a destination that nothing has redirected")
		}
	}
	to := map[uint32]string{}
	for _, c := range l.GetFilterChains() {
		state := &netstatev3.Config{}
		if err := c.GetFilters()[0].GetTypedConfig().UnmarshalTo(state); err != nil {
			t.Fatalf("chain %s does not say first where it leads: %v", c.GetName(), err)
		}
		to[c.GetFilterChainMatch().GetDestinationPort().GetValue()] = state.GetOnNewConnection()[0].GetFormatString().GetTextFormatSource().GetInlineString()
	}
	want(t, "the application's ports", to, map[uint32]string{8080: "127.0.0.1:8080", 9090: "127.0.0.1:19090"})
	if _, found := link.New(pack(t, shop()), running(unintercepted)); found.HasErrors() {
		t.Error(found)
	}
	other := read(t, view(t, w, "shop/web", "shop/web-1").Get(link.Listener, "inbound"), &listenerv3.Listener{})
	want(t, "sockets of an intercepted machine of the same role", bound(other), []string{"0.0.0.0:15003", ":::15003"})
}

// Each upstream has its port; one without a grant answers there that it has none.
func TestExplicitOutbound(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(unintercepted))
	v := view(t, w, "shop/buyer", "shop/buyer-0")
	sockets := map[string][]string{}
	for r := range v.All(link.Listener) {
		l := read(t, r, &listenerv3.Listener{})
		if l.GetBindToPort() != nil || l.GetUseOriginalDst().GetValue() {
			t.Errorf("listener %s waits for interception", r.Name)
		}
		sockets[r.Name] = bound(l)
	}
	want(t, "sockets", sockets, map[string][]string{
		"outbound":             {"127.0.0.1:15001"},
		"outbound/shop/web:80": {"127.0.0.1:9080", "127.0.0.2:9080"},
		"outbound/shop/web:81": {"127.0.0.1:9081"},
	})
	refused := read(t, v.Get(link.Listener, "outbound/shop/web:81"), &listenerv3.Listener{})
	want(t, "who answers without a grant", answer(t, refused), uint32(403))
	if again := view(t, w, "shop/buyer", "shop/buyer-0"); v != again {
		t.Error("equal views differ: the proxy would be sent everything again")
	}
	if len(v.IPv4().Get(link.Listener, "outbound").Any.GetValue()) == 0 {
		t.Error("no view for a kernel without IPv6")
	}
}

// answer is the status of all that a listener answers.
func answer(t *testing.T, l *listenerv3.Listener) uint32 {
	t.Helper()
	if len(l.GetFilterChains()) > 0 {
		t.Fatalf("%s has chains beside the one that refuses", l.GetName())
	}
	m := &hcmv3.HttpConnectionManager{}
	if err := l.GetDefaultFilterChain().GetFilters()[0].GetTypedConfig().UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	routes := m.GetRouteConfig().GetVirtualHosts()[0].GetRoutes()
	status := routes[0].GetDirectResponse().GetStatus()
	for _, r := range routes { // one is for CONNECT
		if r.GetDirectResponse().GetStatus() != status {
			t.Errorf("%s also does %v", l.GetName(), r.GetAction())
		}
	}
	return status
}

// Where egress is allowed, a port without a grant is no way out of the mesh.
func TestExplicitPortsAreNoEgress(t *testing.T) {
	open := shop(func(m *ir.Mesh) { m.Settings.EgressAllowed = true })
	w, _ := link.New(pack(t, open), running(unintercepted, func(s *catalog.Snapshot) { s.PodRanges = []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")} }))
	for _, name := range []string{"outbound", "outbound/shop/web:81"} {
		l := read(t, view(t, w, "shop/buyer", "shop/buyer-0").Get(link.Listener, name), &listenerv3.Listener{})
		want(t, name, answer(t, l), uint32(403))
	}
}

// Ports that change are sent to that machine's proxy and to no other.
func TestExplicitPortsChange(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(unintercepted))
	next := w.With(running(unintercepted, func(s *catalog.Snapshot) {
		i := slices.IndexFunc(s.Workloads, func(w catalog.Workload) bool { return w.Name == "shop/buyer-0" })
		s.Workloads[i].Explicit = &catalog.Explicit{}
	}))
	want(t, "changed workloads", next.Changes().Workloads, []string{"shop/buyer-0"})
	want(t, "listeners that are left", names(view(t, next, "shop/buyer", "shop/buyer-0"), link.Listener), []string{"outbound"})
}
