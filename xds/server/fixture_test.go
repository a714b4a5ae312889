package server_test

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
)

// spec is a mesh in the words of these tests: services NS/NAME with one port,
// backed by an account of the same name, and who may call what.
type spec struct {
	services []svc
	calls    map[string][]string // caller NS/SA to services; empty: a scope without ports
}

// svc is one service.
type svc struct {
	name     string
	routes   []string // clusters its route leads to, equally; itself if empty
	tcp      bool
	headless bool
	tls      bool // mTLS on its cluster, and an inbound chain for its role
	tamper   func(*clusterv3.Cluster)
	// inboundAt binds its inbound listener to a real address, where a proxy answers "inbound".
	inboundAt string
	accounts  []string // its own if empty
}

// planner gathers resources and sorts them at the end.
type planner struct {
	t    testing.TB
	all  []*ir.Resource
	refs []func(at map[*ir.Resource]ir.Ref)
}

func (p *planner) ref(to *ir.Ref, typ ir.ResourceType, name string, m proto.Message) {
	p.t.Helper()
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	must(p.t, err)
	i := slices.IndexFunc(p.all, func(r *ir.Resource) bool { return r.Type == typ && r.Name == name && string(r.Body) == string(body) })
	if i < 0 {
		i = len(p.all)
		p.all = append(p.all, &ir.Resource{Type: typ, Name: name, Body: body})
	}
	r := p.all[i]
	p.refs = append(p.refs, func(at map[*ir.Resource]ir.Ref) { *to = at[r] })
}

func (p *planner) resources() []ir.Resource {
	sorted := slices.Clone(p.all)
	slices.SortFunc(sorted, func(a, b *ir.Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name), slices.Compare(a.Body, b.Body))
	})
	at := map[*ir.Resource]ir.Ref{}
	out := make([]ir.Resource, len(sorted))
	for i, r := range sorted {
		at[r], out[i] = ir.Ref(i), *r
	}
	for _, set := range p.refs {
		set(at)
	}
	return out
}

func service(name string) ir.ServiceID {
	ns, n, _ := strings.Cut(name, "/")
	return ir.ServiceID{Namespace: ns, Name: n}
}

func portOf(name string) ir.PortID { return ir.PortID{Service: service(name), Port: 18080} }

func id(short string) ir.Identity {
	ns, sa, _ := strings.Cut(short, "/")
	return ir.NewIdentity("cluster.local", ns, sa)
}

// build makes a bundle of a spec.
func (s spec) build(t testing.TB) *bundle.Bundle {
	t.Helper()
	p := &planner{t: t}
	plan := &ir.Plan{}
	mesh := &ir.Mesh{Settings: ir.Settings{Name: "test", TrustDomain: "cluster.local", Mode: ir.Strict}}
	slices.SortFunc(s.services, func(a, b svc) int { return cmp.Compare(a.name, b.name) })
	plan.Outbound, plan.Clusters = make([]ir.OutboundPort, len(s.services)), make([]ir.Cluster, len(s.services))
	plan.Roles = make([]ir.RolePlan, len(s.services))
	for i, v := range s.services {
		s.addService(p, plan, mesh, i, v)
	}
	callers := make([]string, 0, len(s.calls))
	for c := range s.calls {
		callers = append(callers, c)
	}
	slices.Sort(callers)
	plan.Scopes = make([]ir.Scope, len(callers)+1)
	for i, c := range append(callers, "") {
		scope := &plan.Scopes[i]
		scope.Ranged = ir.NoRef
		scope.Extra = make([]ir.Ref, 1)
		p.ref(&scope.Virtual, ir.TypeListener, "outbound", virtualListener())
		p.ref(&scope.Extra[0], ir.TypeCluster, "inbound", inboundCluster())
		for _, name := range slices.Sorted(slices.Values(s.calls[c])) {
			scope.Outbound = append(scope.Outbound, portOf(name))
		}
		if c != "" {
			plan.Identities = append(plan.Identities, ir.IdentityPlan{Identity: id(c), Scope: i})
		}
	}
	for _, v := range s.services {
		if _, ok := s.calls[v.name]; !ok {
			plan.Identities = append(plan.Identities, ir.IdentityPlan{Identity: id(v.name), Scope: len(callers)})
		}
	}
	slices.SortFunc(plan.Identities, func(a, b ir.IdentityPlan) int { return cmp.Compare(a.Identity, b.Identity) })
	for _, i := range plan.Identities {
		mesh.Identities = append(mesh.Identities, i.Identity)
	}
	plan.Resources = p.resources()
	b, err := bundle.Pack(bundle.Input{Mesh: mesh, Plan: plan})
	must(t, err)
	return b
}

func (s spec) addService(p *planner, plan *ir.Plan, mesh *ir.Mesh, i int, v svc) {
	protocol := ir.HTTP
	if v.tcp {
		protocol = ir.TCP
	}
	if len(v.accounts) == 0 {
		v.accounts = []string{v.name}
	}
	var accounts []ir.Identity
	for _, a := range v.accounts {
		accounts = append(accounts, id(a))
	}
	if len(v.routes) == 0 {
		v.routes = []string{v.name}
	}
	mesh.Services = append(mesh.Services, ir.Service{ID: service(v.name), Headless: v.headless, Accounts: accounts,
		Ports: []ir.Port{{Number: 18080, Protocol: protocol, TargetPort: 8080}}})
	out, name := &plan.Outbound[i], portOf(v.name).String()
	*out = ir.OutboundPort{Port: portOf(v.name), Protocol: protocol, Headless: v.headless, Route: ir.NoRef, Extension: ir.NoRef, Direct: ir.NoRef}
	for _, r := range slices.Sorted(slices.Values(v.routes)) {
		out.Clusters = append(out.Clusters, portOf(r))
	}
	if v.tcp {
		p.ref(&out.Listener, ir.TypeListener, "outbound/"+name, tcpListener(p.t, name))
		p.ref(&out.Extension, ir.TypeExtension, "tcp/"+name, tcpExtension(p.t, name, v.routes))
	} else {
		p.ref(&out.Listener, ir.TypeListener, "outbound/"+name, httpListener(p.t, name))
		p.ref(&out.Route, ir.TypeRoute, "outbound/"+name, routes(name, v.routes))
	}
	c := edsCluster(name)
	if v.tls {
		c.TransportSocket = upstreamTLS(p.t, accounts)
	}
	if v.headless {
		p.ref(&out.Direct, ir.TypeCluster, "direct/"+name, directCluster(name))
	}
	if v.tamper != nil {
		v.tamper(c)
	}
	plan.Clusters[i] = ir.Cluster{Port: portOf(v.name), Accounts: accounts}
	p.ref(&plan.Clusters[i].Resource, ir.TypeCluster, name, c)
	role := &plan.Roles[i]
	*role = ir.RolePlan{Identity: id(v.name), Services: []ir.ServiceID{service(v.name)}, Ports: []ir.InboundPlan{{
		TargetPort: 8080, Protocol: protocol, Services: []ir.PortID{portOf(v.name)}, Chains: make([]ir.Ref, 1), Route: ir.NoRef, Extension: ir.NoRef,
	}}}
	in := &listenerv3.Listener{
		Name: "inbound", Address: socket("127.0.0.1", 15003), TrafficDirection: corev3.TrafficDirection_INBOUND, BindToPort: wrapperspb.Bool(false),
	}
	inRoutes := toCluster("inbound")
	if v.inboundAt != "" {
		at := netip.MustParseAddrPort(v.inboundAt)
		in.Address, in.BindToPort, role.Ports[0].TargetPort = socket(at.Addr().String(), uint32(at.Port())), nil, at.Port()
		inRoutes[0].Routes[0].Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200,
			Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "inbound"}}}}
	}
	p.ref(&role.Listener, ir.TypeListener, "inbound", in)
	p.ref(&role.Ports[0].Chains[0], ir.TypeChain, "inbound/"+name, inboundChain(p.t, name, v.tls))
	p.ref(&role.Ports[0].Route, ir.TypeRoute, "inbound/"+name, &routev3.RouteConfiguration{Name: "inbound/" + name, VirtualHosts: inRoutes})
}

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}}}}
}

func packed(t testing.TB, m proto.Message) *anypb.Any {
	t.Helper()
	a, err := anypb.New(m)
	must(t, err)
	return a
}

func overADS() *corev3.ConfigSource {
	return &corev3.ConfigSource{ResourceApiVersion: corev3.ApiVersion_V3, ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}}}
}

func edsCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: name, ConnectTimeout: durationpb.New(2 * time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
		EdsClusterConfig:     &clusterv3.Cluster_EdsClusterConfig{EdsConfig: overADS()},
	}
}

func directCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name: "direct/" + name, ConnectTimeout: durationpb.New(2 * time.Second),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}, LbPolicy: clusterv3.Cluster_CLUSTER_PROVIDED,
	}
}

func inboundCluster() *clusterv3.Cluster { c := directCluster(""); c.Name = "inbound"; return c }

func virtualListener() *listenerv3.Listener {
	return &listenerv3.Listener{Name: "outbound", Address: socket("127.0.0.1", 15001), BindToPort: wrapperspb.Bool(false),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{Name: "envoy.filters.network.direct_response", ConfigType: &listenerv3.Filter_TypedConfig{
			TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config"}}}}}}}
}

func hcm(t testing.TB, name, prefix string) *listenerv3.Filter {
	return &listenerv3.Filter{Name: "hcm", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, &hcmv3.HttpConnectionManager{
		StatPrefix:     "http",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: overADS(), RouteConfigName: prefix + name}},
		HttpFilters:    []*hcmv3.HttpFilter{{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}}},
	})}}
}

// httpListener is bound to its VIP: these tests intercept nothing.
func httpListener(t testing.TB, name string) *listenerv3.Listener {
	return &listenerv3.Listener{Name: "outbound/" + name, FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{hcm(t, name, "outbound/")}}}}
}

func tcpListener(t testing.TB, name string) *listenerv3.Listener {
	return &listenerv3.Listener{Name: "outbound/" + name, FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
		Name: "tcp/" + name, ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
			ConfigSource: overADS(), TypeUrls: []string{packed(t, &tcpv3.TcpProxy{}).GetTypeUrl()},
		}}}}}}}
}

func tcpExtension(t testing.TB, name string, to []string) *corev3.TypedExtensionConfig {
	w := &tcpv3.TcpProxy_WeightedCluster{}
	for _, c := range to {
		w.Clusters = append(w.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: portOf(c).String(), Weight: 1})
	}
	return &corev3.TypedExtensionConfig{Name: "tcp/" + name, TypedConfig: packed(t, &tcpv3.TcpProxy{
		StatPrefix: "tcp", ClusterSpecifier: &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: w}})}
}

func toCluster(name string) []*routev3.VirtualHost {
	return []*routev3.VirtualHost{{Name: "all", Domains: []string{"*"}, Routes: []*routev3.Route{{
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: name}}},
	}}}}
}

func routes(name string, to []string) *routev3.RouteConfiguration {
	out := &routev3.RouteConfiguration{Name: "outbound/" + name, VirtualHosts: toCluster("")}
	w := &routev3.WeightedCluster{}
	for _, c := range to {
		w.Clusters = append(w.Clusters, &routev3.WeightedCluster_ClusterWeight{Name: portOf(c).String(), Weight: wrapperspb.UInt32(1)})
	}
	out.VirtualHosts[0].Routes[0].GetRoute().ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: w}
	return out
}

func inboundChain(t testing.TB, name string, tls bool) *listenerv3.FilterChain {
	out := &listenerv3.FilterChain{Name: "inbound/" + name, FilterChainMatch: &listenerv3.FilterChainMatch{}, Filters: []*listenerv3.Filter{hcm(t, name, "inbound/")}}
	if tls {
		out.TransportSocket = &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, &tlsv3.DownstreamTlsContext{
			RequireClientCertificate: wrapperspb.Bool(true), CommonTlsContext: commonTLS(&tlsv3.CommonTlsContext{
				ValidationContextType: &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: sds("roots")}}),
		})}}
	}
	return out
}

func sds(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: overADS()}
}

func commonTLS(c *tlsv3.CommonTlsContext) *tlsv3.CommonTlsContext {
	c.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{sds("identity")}
	return c
}

func upstreamTLS(t testing.TB, accounts []ir.Identity) *corev3.TransportSocket {
	san := &tlsv3.CertificateValidationContext{}
	for _, a := range accounts {
		san.MatchTypedSubjectAltNames = append(san.MatchTypedSubjectAltNames, exactURI(string(a)))
	}
	return &corev3.TransportSocket{Name: "tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: packed(t, &tlsv3.UpstreamTlsContext{
		CommonTlsContext: commonTLS(&tlsv3.CommonTlsContext{ValidationContextType: &tlsv3.CommonTlsContext_CombinedValidationContext{
			CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
				DefaultValidationContext: san, ValidationContextSdsSecretConfig: sds("roots"),
			}}}),
	})}}
}

// runs is a service as the catalog has it.
type runs struct {
	name      string
	vip       string // an address; the port is always 18080
	endpoints []string
}

// snapshot is a catalog of services and a workload behind each endpoint, and of
// workloads NS/NAME=NS/SA without a service.
func snapshot(services []runs, clients ...string) *catalog.Snapshot {
	out := &catalog.Snapshot{}
	for _, r := range services {
		s := catalog.Service{ID: service(r.name), Ports: []catalog.ServicePort{{Port: 18080, Protocol: ir.HTTP, TargetPort: 8080}}}
		if r.vip != "" {
			s.VIPs = []netip.Addr{netip.MustParseAddr(r.vip)}
		}
		for i, e := range r.endpoints {
			at := netip.MustParseAddrPort(e)
			w := r.name + "-" + string(rune('0'+i))
			s.Endpoints = append(s.Endpoints, catalog.Endpoint{Address: at.Addr(), Ports: map[uint16]uint16{18080: at.Port()}, Workload: w, Identity: id(r.name), Meshed: true})
			out.Workloads = append(out.Workloads, catalog.Workload{Name: w, Identity: id(r.name), Services: []ir.ServiceID{s.ID}, Meshed: true})
		}
		out.Services = append(out.Services, s)
	}
	for _, c := range clients {
		name, account, _ := strings.Cut(c, "=")
		out.Workloads = append(out.Workloads, catalog.Workload{Name: name, Identity: id(account), Meshed: true})
	}
	slices.SortFunc(out.Services, func(a, b catalog.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(out.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
