package bootstrap

import (
	"net/netip"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// metrics is the port that Prometheus scrapes: one path of the admin interface
// and nothing else of it.
func (o Options) metrics() (*listenerv3.Listener, error) {
	hcm := &hcmv3.HttpConnectionManager{
		StatPrefix:            "meshc_metrics",
		RouteSpecifier:        &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: metricsRoutes()},
		HttpFilters:           []*hcmv3.HttpFilter{filter("envoy.filters.http.router", pack(&routerv3.Router{}))},
		RequestHeadersTimeout: durationpb.New(5 * time.Second),
		StreamIdleTimeout:     durationpb.New(30 * time.Second),
		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout: durationpb.New(2 * time.Minute),
		},
	}
	if err := hcm.ValidateAll(); err != nil {
		return nil, err
	}
	l := &listenerv3.Listener{
		Name:    metricsListener,
		Address: socket(netip.AddrPortFrom(netip.IPv4Unspecified(), o.MetricsPort)),
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: pack(hcm)},
		}}}},
		IgnoreGlobalConnLimit: true, // metrics tell that it is full
	}
	if !o.IPv4Only {
		l.AdditionalAddresses = []*listenerv3.AdditionalAddress{{
			Address: socket(netip.AddrPortFrom(netip.IPv6Unspecified(), o.MetricsPort)),
		}}
	}
	return l, nil
}

func metricsRoutes() *routev3.RouteConfiguration {
	get := &routev3.HeaderMatcher{Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
		StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "GET"}},
	}}
	return &routev3.RouteConfiguration{
		Name: metricsListener,
		VirtualHosts: []*routev3.VirtualHost{{Name: "metrics", Domains: []string{"*"}, Routes: []*routev3.Route{
			{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Path{Path: "/stats/prometheus"}, Headers: []*routev3.HeaderMatcher{get}},
				Action: &routev3.Route_Route{Route: &routev3.RouteAction{
					ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: adminCluster},
					Timeout:          durationpb.New(30 * time.Second),
				}},
			},
			{
				Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}},
				Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
					Status: 404,
					Body:   &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: "GET /stats/prometheus is all there is here\n"}},
				}},
			},
		}}},
	}
}

func (o Options) adminCluster() *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                 adminCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(time.Second),
		LoadAssignment:       assignment(adminCluster, o.Admin.Addr().String(), o.Admin.Port()),
	}
}
