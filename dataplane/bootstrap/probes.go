package bootstrap

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	healthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/health_check/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ProbeKind is how a kubelet asks.
type ProbeKind string

// The kinds of probes that a kubelet makes over the network.
const (
	ProbeHTTP  ProbeKind = "http"
	ProbeHTTPS ProbeKind = "https"
	ProbeTCP   ProbeKind = "tcp"
	ProbeGRPC  ProbeKind = "grpc"
)

// grpcCheck is the one call that a gRPC probe makes.
const grpcCheck = "/grpc.health.v1.Health/Check"

// Probe is one question to the workload that Envoy passes on, and nothing else of
// its port: a request for the one path, a connection, a health check.
type Probe struct {
	Name string // CONTAINER/KIND: HTTP, HTTPS and TCP probes are asked at /NAME of ProbePort
	Kind ProbeKind
	Port uint16 // where the workload listens
	Path string // of HTTP and HTTPS, with its query
	// Listen is the port that a gRPC probe is asked at: its path is always the same.
	Listen uint16
	// Period is how often Envoy tries to connect for a TCP probe. 0: 10 s
	Period time.Duration
}

// At is the path that HTTP, HTTPS and TCP probes are asked at.
func (p Probe) At() string { return "/" + p.Name }

func (p Probe) cluster() string { return "probe/" + p.Name }

// probeParts is what probes add to a bootstrap.
type probeParts struct {
	listeners []*listenerv3.Listener
	clusters  []*clusterv3.Cluster
}

func (o Options) probes() (probeParts, error) {
	var out probeParts
	if len(o.Probes) > 0 && o.PodIP == "" {
		return out, errors.New("there are probes, and no address of the pod to send them to")
	}
	var filters []*hcmv3.HttpFilter
	var routes []*routev3.Route
	if o.Ready {
		routes = append(routes, forward("GET", "/ready", "/ready", adminCluster))
	}
	for _, p := range o.Probes {
		if err := p.check(); err != nil {
			return out, err
		}
		out.clusters = append(out.clusters, o.probeCluster(p))
		switch p.Kind {
		case ProbeHTTP, ProbeHTTPS:
			routes = append(routes, forward("GET", p.At(), p.Path, p.cluster()))
		case ProbeTCP:
			filters = append(filters, connected(p))
		case ProbeGRPC:
			out.listeners = append(out.listeners, o.probeListener(p.cluster(), p.Listen, nil, []*routev3.Route{forward("POST", grpcCheck, grpcCheck, p.cluster())}))
		}
	}
	if len(routes)+len(filters) > 0 {
		out.listeners = append([]*listenerv3.Listener{o.probeListener("meshc-probes", o.ProbePort, filters, routes)}, out.listeners...)
	}
	return out, nil
}

func (p Probe) check() error {
	switch {
	case p.Name == "" || p.Port == 0:
		return fmt.Errorf("a probe has no name or no port: %+v", p)
	case p.Kind == ProbeGRPC && p.Listen == 0:
		return fmt.Errorf("probe %s has no port to listen on", p.Name)
	case (p.Kind == ProbeHTTP || p.Kind == ProbeHTTPS) && !strings.HasPrefix(p.Path, "/"):
		return fmt.Errorf("probe %s: path %q does not begin with /", p.Name, p.Path)
	}
	return nil
}

// forward is one request and no other, passed on with another path: who is not of
// the mesh can ask what a kubelet does, and neither add a query nor write. The
// kubelet has its own timeout.
func forward(method, from, to, cluster string) *routev3.Route {
	return &routev3.Route{
		Match: &routev3.RouteMatch{
			PathSpecifier: &routev3.RouteMatch_Path{Path: from},
			Headers:       []*routev3.HeaderMatcher{exactly(":method", method), exactly(":path", from)},
		},
		Action: &routev3.Route_Route{Route: &routev3.RouteAction{
			ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster},
			PrefixRewrite:    to,
			Timeout:          durationpb.New(0),
		}},
	}
}

// connected answers 200 while Envoy can connect to the port: accepting a
// connection itself, as a proxy does, would tell nothing of the workload.
func connected(p Probe) *hcmv3.HttpFilter {
	return filter("envoy.filters.http.health_check", pack(&healthv3.HealthCheck{
		PassThroughMode: wrapperspb.Bool(false),
		ClusterMinHealthyPercentages: map[string]*typev3.Percent{
			p.cluster(): {Value: 100},
		},
		Headers: []*routev3.HeaderMatcher{exactly(":path", p.At())},
	}))
}

func exactly(header, value string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: header, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
		StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}},
	}}
}

func (o Options) probeListener(name string, port uint16, filters []*hcmv3.HttpFilter, routes []*routev3.Route) *listenerv3.Listener {
	routes = append(routes, &routev3.Route{
		Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: 404,
			Body:   &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "this port passes on the kubelet's probes, and nothing else\n"}},
		}},
	})
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix: "meshc_probes",
		RouteSpecifier: &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: &routev3.RouteConfiguration{
			Name: name, VirtualHosts: []*routev3.VirtualHost{{Name: "probes", Domains: []string{"*"}, Routes: routes}},
		}},
		HttpFilters:           append(filters, filter("envoy.filters.http.router", pack(&routerv3.Router{SuppressEnvoyHeaders: true}))),
		RequestHeadersTimeout: durationpb.New(5 * time.Second),
		GenerateRequestId:     wrapperspb.Bool(false),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout: durationpb.New(time.Minute),
		},
	}
	l := &listenerv3.Listener{
		Name:    name,
		Address: socket(netip.AddrPortFrom(netip.IPv4Unspecified(), port)),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(hcm)},
		}}}},
		IgnoreGlobalConnLimit: true, // a full proxy is no reason to restart the workload
	}
	if !o.IPv4Only {
		l.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: socket(netip.AddrPortFrom(netip.IPv6Unspecified(), port))}}
	}
	return l
}

// probeCluster is the workload's own port. Its source is that of what `inbound`
// delivers, so that the rules of netinit let it pass.
func (o Options) probeCluster(p Probe) *clusterv3.Cluster {
	c := &clusterv3.Cluster{
		Name:                 p.cluster(),
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(time.Second),
		LoadAssignment:       assignment(p.cluster(), o.PodIP, p.Port),
		UpstreamBindConfig: &corev3.BindConfig{
			SourceAddress: &corev3.SocketAddress{Address: "127.0.0.6", PortSpecifier: &corev3.SocketAddress_PortValue{}},
			ExtraSourceAddresses: []*corev3.ExtraSourceAddress{{
				Address: &corev3.SocketAddress{Address: "::6", PortSpecifier: &corev3.SocketAddress_PortValue{}},
			}},
		},
	}
	protocol := &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
		ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_HttpProtocolOptions{HttpProtocolOptions: &corev3.Http1ProtocolOptions{}},
	}
	switch p.Kind {
	case ProbeHTTPS:
		// As the kubelet does: whose certificate it is does not matter to a probe.
		c.TransportSocket = &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: pack(&tlsv3.UpstreamTlsContext{CommonTlsContext: &tlsv3.CommonTlsContext{AlpnProtocols: []string{"http/1.1"}}})},
		}
	case ProbeTCP:
		c.HealthChecks = []*corev3.HealthCheck{tcpCheck(p)}
		return c
	case ProbeGRPC:
		protocol.ProtocolConfig = &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}}
	}
	c.TypedExtensionProtocolOptions = map[string]*anypb.Any{
		"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(&httpv3.HttpProtocolOptions{
			UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: protocol},
			// A kubelet opens a connection for each probe; a kept one would outlive the workload's restart.
			CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{MaxRequestsPerConnection: wrapperspb.UInt32(1)},
		}),
	}
	return c
}

// tcpCheck connects and hangs up. A port that is closed is tried every second, so
// that a workload that starts is ready as soon as it is without a proxy.
func tcpCheck(p Probe) *corev3.HealthCheck {
	period := p.Period
	if period == 0 {
		period = 10 * time.Second
	}
	return &corev3.HealthCheck{
		Timeout: durationpb.New(time.Second), Interval: durationpb.New(period), NoTrafficInterval: durationpb.New(period),
		UnhealthyInterval: durationpb.New(time.Second), NoTrafficHealthyInterval: durationpb.New(period),
		UnhealthyThreshold: wrapperspb.UInt32(1), HealthyThreshold: wrapperspb.UInt32(1),
		HealthChecker: &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}},
	}
}
