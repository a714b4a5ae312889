package link_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

func id(short string) ir.Identity {
	out, ok := ir.ParseIdentity("cluster.local", short)
	if !ok {
		panic(short)
	}
	return out
}

func svc(name string) ir.ServiceID {
	ns, n, _ := strings.Cut(name, "/")
	return ir.ServiceID{Namespace: ns, Name: n}
}

func port(name string, n uint16) ir.PortID { return ir.PortID{Service: svc(name), Port: n} }

// shop is the mesh of these tests: shop/web with an HTTP port and one for
// administrators, the headless shop/db, and shop/buyer, who may call web's first
// port and db; shop/admin may call web's second.
func shop(change ...func(*ir.Mesh)) *ir.Mesh {
	m := &ir.Mesh{
		Settings:   ir.Settings{Name: "shop", TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Mode: ir.Strict, Compat: ir.CompatSMI},
		Identities: []ir.Identity{id("shop/admin"), id("shop/buyer"), id("shop/db"), id("shop/web")},
		Services: []ir.Service{
			{ID: svc("shop/db"), Headless: true, Accounts: []ir.Identity{id("shop/db")}, Ports: []ir.Port{{Number: 5432, Protocol: ir.TCP, TargetPort: 5432}}},
			{ID: svc("shop/web"), Accounts: []ir.Identity{id("shop/web")}, Ports: []ir.Port{
				{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}, {Number: 81, Protocol: ir.HTTP, TargetPort: 9090}}},
		},
		Roles: []ir.Role{
			{Identity: id("shop/admin")}, {Identity: id("shop/buyer")},
			{Identity: id("shop/db"), Services: []ir.ServiceID{svc("shop/db")}, Ports: []ir.InboundPort{{TargetPort: 5432, Protocol: ir.TCP, Services: []ir.PortID{port("shop/db", 5432)}}}},
			{Identity: id("shop/web"), Services: []ir.ServiceID{svc("shop/web")}, Ports: []ir.InboundPort{
				{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{port("shop/web", 80)}},
				{TargetPort: 9090, Protocol: ir.HTTP, Services: []ir.PortID{port("shop/web", 81)}}}},
		},
		Grants: []ir.Grant{
			{Name: "TrafficTarget/shop/a#rule0", Sources: []ir.Identity{id("shop/admin")}, Destination: id("shop/web"), Ports: []ir.PortID{port("shop/web", 81)}},
			{Name: "TrafficTarget/shop/b#rule0", Sources: []ir.Identity{id("shop/buyer")}, Destination: id("shop/web"), Ports: []ir.PortID{port("shop/web", 80)}},
			{Name: "TrafficTarget/shop/c#rule0", Sources: []ir.Identity{id("shop/buyer")}, Destination: id("shop/db"), Ports: []ir.PortID{port("shop/db", 5432)}},
		},
	}
	for _, c := range change {
		c(m)
	}
	return m
}

func pack(t *testing.T, m *ir.Mesh) *bundle.Bundle {
	t.Helper()
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// running is a catalog in which everything runs as it was compiled.
func running(change ...func(*catalog.Snapshot)) *catalog.Snapshot {
	s := &catalog.Snapshot{
		Services: []catalog.Service{
			{ID: svc("shop/db"), Headless: true, Ports: []catalog.ServicePort{{Port: 5432, Protocol: ir.TCP, TargetPort: 5432}}, Endpoints: []catalog.Endpoint{
				{Address: addr("10.1.0.5"), Workload: "shop/db-0", Identity: id("shop/db"), Meshed: true},
				{Address: addr("fd00::5"), Workload: "shop/db-0", Identity: id("shop/db"), Meshed: true}}},
			{ID: svc("shop/web"), VIPs: []netip.Addr{addr("fd00:1::1"), addr("10.0.0.1")}, Ports: []catalog.ServicePort{
				{Port: 80, Protocol: ir.HTTP, TargetPort: 8080}, {Port: 81, Protocol: ir.HTTP, TargetPort: 9090}}, Endpoints: []catalog.Endpoint{
				{Address: addr("10.1.0.1"), Workload: "shop/web-0", Identity: id("shop/web"), Meshed: true},
				{Address: addr("10.1.0.2"), Workload: "shop/web-1", Identity: id("shop/web"), Meshed: true}}},
		},
		Workloads: []catalog.Workload{
			{Name: "shop/buyer-0", Identity: id("shop/buyer"), Meshed: true},
			{Name: "shop/db-0", Identity: id("shop/db"), Services: []ir.ServiceID{svc("shop/db")}, Meshed: true},
			{Name: "shop/web-0", Identity: id("shop/web"), Services: []ir.ServiceID{svc("shop/web")}, Meshed: true},
			{Name: "shop/web-1", Identity: id("shop/web"), Services: []ir.ServiceID{svc("shop/web")}, Meshed: true},
		},
	}
	for _, c := range change {
		c(s)
	}
	slices.SortFunc(s.Services, func(a, b catalog.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(s.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// web finds shop/web to change it.
func web(s *catalog.Snapshot) *catalog.Service {
	return &s.Services[slices.IndexFunc(s.Services, func(v catalog.Service) bool { return v.ID.Name == "web" })]
}

func view(t *testing.T, w *link.World, identity, workload string) link.View {
	t.Helper()
	v, err := w.ForWorkload(id(identity), workload)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func names(v link.View, typ link.Type) []string {
	var out []string
	for r := range v.All(typ) {
		out = append(out, r.Name)
	}
	return out
}

// read decodes a resource as a proxy does, and checks it.
func read[M interface {
	proto.Message
	ValidateAll() error
}](t *testing.T, r *link.Resource, m M) M {
	t.Helper()
	if r == nil {
		t.Fatalf("there is no %T", m)
	}
	if err := r.Any.UnmarshalTo(m); err != nil {
		t.Fatal(err)
	}
	if err := m.ValidateAll(); err != nil {
		t.Fatal(err)
	}
	return m
}

func at(a *corev3.Address) string {
	return fmt.Sprintf("%s:%d", a.GetSocketAddress().GetAddress(), a.GetSocketAddress().GetPortValue())
}

// endpoints are the addresses of a cluster's assignment.
func endpoints(t *testing.T, w *link.World, cluster string) []string {
	t.Helper()
	var out []string
	for _, l := range read(t, w.Endpoints(cluster), &endpointv3.ClusterLoadAssignment{}).GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			out = append(out, at(e.GetEndpoint().GetAddress()))
		}
	}
	return out
}

// inboundPorts are the destination ports of a proxy's inbound chains, by chain.
func inboundPorts(t *testing.T, v link.View) map[string]uint32 {
	t.Helper()
	out := map[string]uint32{}
	r := v.Get(link.Listener, "inbound")
	if r == nil {
		return out
	}
	for _, c := range read(t, r, &listenerv3.Listener{}).GetFilterChains() {
		out[c.GetName()] = c.GetFilterChainMatch().GetDestinationPort().GetValue()
	}
	return out
}

func wantCodes(t *testing.T, l diag.List, want ...diag.Code) {
	t.Helper()
	var got []diag.Code
	for _, f := range l {
		got = append(got, f.Code)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("findings %v, want %v:\n%v", got, want, l)
	}
}

func want[T any](t *testing.T, what string, got, wanted T) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(wanted) {
		t.Errorf("%s: got %v, want %v", what, got, wanted)
	}
}

// A caller gets a listener on all addresses of what it may call, and only of that.
func TestOutbound(t *testing.T) {
	w, findings := link.New(pack(t, shop()), running())
	wantCodes(t, findings)
	v := view(t, w, "shop/buyer", "shop/buyer-0")
	want(t, "listeners", names(v, link.Listener), []string{"outbound", "outbound/shop/db:5432@10.1.0.5", "outbound/shop/db:5432@fd00::5", "outbound/shop/web:80", "inbound"})
	want(t, "routes", names(v, link.Route), []string{"outbound/shop/web:80"})
	want(t, "filters", names(v, link.Extension), []string{"tcp/shop/db:5432"})
	l := read(t, v.Get(link.Listener, "outbound/shop/web:80"), &listenerv3.Listener{})
	want(t, "first address", at(l.GetAddress()), "10.0.0.1:80")
	want(t, "the other family", at(l.GetAdditionalAddresses()[0].GetAddress()), "fd00:1::1:80")
	l = read(t, v.Get(link.Listener, "outbound/shop/db:5432@fd00::5"), &listenerv3.Listener{})
	want(t, "headless address", at(l.GetAddress()), "fd00::5:5432")
	want(t, "name in the bytes", l.GetName(), "outbound/shop/db:5432@fd00::5")
	for r := range v.All(link.Cluster) {
		read(t, r, &clusterv3.Cluster{})
	}
}

// Every inbound chain is bound to its target port, also where a workload differs.
func TestInbound(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(func(s *catalog.Snapshot) { web(s).Endpoints[1].Ports = map[uint16]uint16{80: 8088} }))
	want(t, "web-0", inboundPorts(t, view(t, w, "shop/web", "shop/web-0")), map[string]uint32{"inbound/shop/web:80": 8080, "inbound/shop/web:81": 9090})
	want(t, "web-1", inboundPorts(t, view(t, w, "shop/web", "shop/web-1")), map[string]uint32{"inbound/shop/web:80": 8088, "inbound/shop/web:81": 9090})
	want(t, "endpoints", endpoints(t, w, "shop/web:80"), []string{"10.1.0.1:8080", "10.1.0.2:8088"})
}

// A catalog that forgets its trust domain closes every service: the finding says
// that, and not that an account is missing which everybody can see in the lock.
func TestEndpointsOfAnotherTrustDomain(t *testing.T) {
	_, findings := link.New(pack(t, shop()), running(func(s *catalog.Snapshot) {
		web(s).Endpoints = []catalog.Endpoint{{Address: addr("10.1.0.1"), Identity: "spiffe://other.example/ns/shop/sa/web", Meshed: true, Workload: "shop/web-0"}}
	}))
	if !slices.ContainsFunc(findings, func(f diag.Finding) bool {
		return f.Code == "MSH4602" && strings.Contains(f.Message, "spiffe://other.example/ns/shop/sa/web, and the mesh is of the trust domain") && strings.Contains(f.Help, "trustDomain: ")
	}) {
		t.Errorf("no finding names the trust domain: %v", findings)
	}
}

// An endpoint that clients could not trust stays out, with a finding.
func TestEndpoints(t *testing.T) {
	w, findings := link.New(pack(t, shop()), running(func(s *catalog.Snapshot) {
		web(s).Endpoints = []catalog.Endpoint{
			{Address: addr("10.1.0.9"), Identity: id("shop/thief"), Meshed: true, Workload: "shop/thief-0"},
			{Address: addr("10.1.0.8"), Identity: id("shop/web"), Workload: "shop/bare-0"},
			{Address: addr("10.1.0.2"), Identity: id("shop/web"), Meshed: true, Weight: 3, Health: catalog.Unhealthy, Locality: catalog.Locality{Region: "eu", Zone: "b"}},
			{Address: addr("10.1.0.1"), Identity: id("shop/web"), Meshed: true, Health: catalog.Draining, Locality: catalog.Locality{Region: "eu", Zone: "a"}},
			{Address: addr("10.1.0.3"), Identity: id("shop/web"), Meshed: true, Locality: catalog.Locality{Region: "eu", Zone: "b"}},
		}
	}))
	wantCodes(t, findings, "MSH4602")
	if !slices.ContainsFunc(findings, func(f diag.Finding) bool { return strings.Contains(f.Message, "shop/thief is not among") }) {
		t.Errorf("no finding names the account: %v", findings)
	}
	cla := read(t, w.Endpoints("shop/web:80"), &endpointv3.ClusterLoadAssignment{})
	var got []string
	for _, l := range cla.GetEndpoints() {
		if l.GetLocality() == nil || l.GetLoadBalancingWeight().GetValue() == 0 {
			t.Error("grpc clients drop a locality without a name or a weight")
		}
		for _, e := range l.GetLbEndpoints() {
			got = append(got, fmt.Sprintf("%s/%d %s %s %d", l.GetLocality().GetZone(), l.GetLoadBalancingWeight().GetValue(),
				at(e.GetEndpoint().GetAddress()), e.GetHealthStatus(), e.GetLoadBalancingWeight().GetValue()))
		}
	}
	want(t, "endpoints", got, []string{"a/1 10.1.0.1:8080 DRAINING 1", "b/4 10.1.0.2:8080 UNHEALTHY 3", "b/4 10.1.0.3:8080 HEALTHY 1"})
}

// A service that the catalog does not know closes, and opens when it comes.
func TestUnknownService(t *testing.T) {
	w, findings := link.New(pack(t, shop()), &catalog.Snapshot{})
	wantCodes(t, findings, "MSH4601")
	v := view(t, w, "shop/buyer", "")
	want(t, "listeners", names(v, link.Listener), []string{"outbound", "inbound"})
	want(t, "endpoints", len(endpoints(t, w, "shop/web:80")), 0)
	w = w.With(running())
	wantCodes(t, w.Findings())
	want(t, "listeners then", len(names(view(t, w, "shop/buyer", ""), link.Listener)), 5)
}

// Drift of a port may close it and never opens more.
func TestPortDriftCloses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*catalog.Snapshot)
		code   diag.Code
		ports  map[string]uint32 // inbound chains of shop/web that stay
		called bool              // the buyer still has a listener for web:80
	}{
		"another protocol":                     {func(s *catalog.Snapshot) { web(s).Ports[0].Protocol = ir.TCP }, "MSH4603", map[string]uint32{"inbound/shop/web:81": 9090}, false},
		"http2 for http is no drift":           {func(s *catalog.Snapshot) { web(s).Ports[0].Protocol = ir.GRPC }, "", map[string]uint32{"inbound/shop/web:80": 8080, "inbound/shop/web:81": 9090}, true},
		"the port is gone":                     {func(s *catalog.Snapshot) { web(s).Ports = web(s).Ports[1:] }, "MSH4603", map[string]uint32{"inbound/shop/web:81": 9090}, false},
		"headless now":                         {func(s *catalog.Snapshot) { web(s).Headless, web(s).VIPs = true, nil }, "MSH4604", map[string]uint32{"inbound/shop/web:80": 8080, "inbound/shop/web:81": 9090}, false},
		"another target port":                  {func(s *catalog.Snapshot) { web(s).Ports[0].TargetPort = 8081 }, "MSH4607", map[string]uint32{"inbound/shop/web:80": 8081, "inbound/shop/web:81": 9090}, true},
		"onto the administrators' target port": {func(s *catalog.Snapshot) { web(s).Ports[0].TargetPort = 9090 }, "MSH4606", map[string]uint32{"inbound/shop/web:81": 9090}, true},
		"both onto one new target port":        {func(s *catalog.Snapshot) { web(s).Ports[0].TargetPort, web(s).Ports[1].TargetPort = 7000, 7000 }, "MSH4606", map[string]uint32{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			w, findings := link.New(pack(t, shop()), running(c.change))
			v := view(t, w, "shop/web", "shop/web-0")
			findings.Add(v.Findings()...)
			if c.code == "" {
				wantCodes(t, findings)
			} else if !slices.ContainsFunc(findings, func(f diag.Finding) bool { return f.Code == c.code }) {
				t.Errorf("no finding %s: %v", c.code, findings)
			}
			want(t, "inbound", inboundPorts(t, v), c.ports)
			want(t, "the buyer's listener", view(t, w, "shop/buyer", "").Get(link.Listener, "outbound/shop/web:80") != nil, c.called)
		})
	}
}

// Two ports swapped: each finds the other's grants where it leads to now.
func TestSwappedTargetPortsClose(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(func(s *catalog.Snapshot) { web(s).Ports[0].TargetPort, web(s).Ports[1].TargetPort = 9090, 8080 }))
	want(t, "inbound", inboundPorts(t, view(t, w, "shop/web", "shop/web-0")), map[string]uint32{})
}

// Service ports that shared a target port are one door; parted, both close.
func TestPartedTargetPortsClose(t *testing.T) {
	together := func(m *ir.Mesh) {
		m.Services[1].Ports[1].TargetPort = 8080
		m.Roles[3].Ports = []ir.InboundPort{{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{port("shop/web", 80), port("shop/web", 81)}}}
	}
	w, _ := link.New(pack(t, shop(together)), running())
	v := view(t, w, "shop/web", "shop/web-0")
	want(t, "inbound", inboundPorts(t, v), map[string]uint32{})
	wantCodes(t, v.Findings(), "MSH4605")
}

// A workload in a role that was not compiled takes no calls and makes its own.
func TestUnknownRoleTakesNothing(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(func(s *catalog.Snapshot) {
		s.Workloads[2].Services = []ir.ServiceID{svc("shop/db"), svc("shop/web")}
		s.Workloads[3].Services = []ir.ServiceID{svc("shop/unheard-of"), svc("shop/web")}
	}))
	v := view(t, w, "shop/web", "shop/web-0")
	want(t, "inbound", len(inboundPorts(t, v)), 0)
	wantCodes(t, v.Findings(), "MSH4608")
	v = view(t, w, "shop/web", "shop/web-1")
	want(t, "inbound of a role with a service that carries no policy", len(inboundPorts(t, v)), 2)
}

// Egress is passed on only where it is known what is not egress.
func TestEgressRanges(t *testing.T) {
	open := pack(t, shop(func(m *ir.Mesh) { m.Settings.EgressAllowed = true }))
	guard := func(s *catalog.Snapshot) (ranges []string, findings diag.List) {
		w, findings := link.New(open, s)
		l := read(t, view(t, w, "shop/buyer", "").Get(link.Listener, "outbound"), &listenerv3.Listener{})
		if len(l.GetFilterChains()) != 1 {
			t.Fatalf("the outbound listener has %d chains", len(l.GetFilterChains()))
		}
		for _, r := range l.GetFilterChains()[0].GetFilterChainMatch().GetPrefixRanges() {
			ranges = append(ranges, fmt.Sprintf("%s/%d", r.GetAddressPrefix(), r.GetPrefixLen().GetValue()))
		}
		return ranges, findings
	}
	ranges, findings := guard(running())
	want(t, "ranges when none are known: everything is refused", len(ranges), 0)
	wantCodes(t, findings, "MSH4609")
	ranges, findings = guard(running(func(s *catalog.Snapshot) { s.PodRanges = []netip.Prefix{netip.MustParsePrefix("10.1.0.7/16")} }))
	want(t, "ranges with every known address", ranges, []string{"10.0.0.1/32", "10.1.0.0/16", "fd00::5/128", "fd00:1::1/128"})
	wantCodes(t, findings)
}

// Two services on one address: a client that may call both gets one of them,
// not a configuration that Envoy refuses.
func TestDoubleAddress(t *testing.T) {
	twice := func(m *ir.Mesh) {
		s := m.Services[1]
		s.ID.Name, s.Ports = "web2", []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}
		m.Services = append(m.Services, s)
		m.Roles[3].Services = append(m.Roles[3].Services, s.ID)
		m.Roles[3].Ports[0].Services = append(m.Roles[3].Ports[0].Services, port("shop/web2", 80))
		m.Grants[1].Ports = append(m.Grants[1].Ports, port("shop/web2", 80))
	}
	w, findings := link.New(pack(t, shop(twice)), running(func(s *catalog.Snapshot) {
		other := *web(s)
		other.ID.Name, other.Ports = "web2", other.Ports[:1]
		s.Services = append(s.Services, other)
	}))
	wantCodes(t, findings, "MSH4610")
	v := view(t, w, "shop/buyer", "")
	if v.Get(link.Listener, "outbound/shop/web:80") == nil || v.Get(link.Listener, "outbound/shop/web2:80") != nil {
		t.Errorf("listeners %v", names(v, link.Listener))
	}
}

// Who may not be served is told why.
func TestRefusals(t *testing.T) {
	several := func(m *ir.Mesh) {
		m.Roles = append(m.Roles, ir.Role{Identity: id("shop/web")})
		slices.SortFunc(m.Roles, func(a, b ir.Role) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	w, _ := link.New(pack(t, shop(several)), running())
	for _, c := range []struct{ identity, workload, want string }{
		{"shop/nobody", "", "identity spiffe://cluster.local/ns/shop/sa/nobody is not in the bundle"},
		{"shop/buyer", "shop/web-0", `workload "shop/web-0" is of identity spiffe://cluster.local/ns/shop/sa/web in the catalog, not of spiffe://cluster.local/ns/shop/sa/buyer`},
		{"shop/web", "", "identity shop/web has 2 roles and the credential names no workload"},
		{"shop/web", "shop/web-9", `identity shop/web has 2 roles and the catalog does not know its workload "shop/web-9"`},
	} {
		_, err := w.ForWorkload(id(c.identity), c.workload)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %s: got %v, want %s", c.identity, c.workload, err, c.want)
		}
	}
	if _, err := w.ForWorkload(id("shop/web"), "shop/web-0"); err != nil {
		t.Errorf("a named workload: %v", err)
	}
}
