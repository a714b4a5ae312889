package envoy

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httprouterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const filterHCM = "envoy.filters.network.http_connection_manager"

// The HTTP filters in the order in which they see a request.
func (s *store) inboundFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		// No policies here: a route that brings none lets nothing in.
		s.httpFilter(filterRBAC, httpRBAC(judgement{rules: refuseAll()})),
		s.httpFilter("envoy.filters.http.router", &httprouterv3.Router{SuppressEnvoyHeaders: true}),
	}
}

func (s *store) outboundFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		s.httpFilter("envoy.filters.http.router", &httprouterv3.Router{SuppressEnvoyHeaders: true}),
	}
}

// manager is what every HTTP connection manager has in common.
//
// Paths are normalised before anything looks at them (SEMANTICS row 22). What a
// client says of itself in x-envoy-* is dropped, before Envoy could obey it;
// x-forwarded-* passes to the application without the proxy believing it:
// policy looks at certificates, logs at the direct peer. So no address counts
// as internal, which Envoy wants written as a range that nobody has.
func (s *store) manager(statPrefix string, filters []*hcmv3.HttpFilter) *hcmv3.HttpConnectionManager {
	return &hcmv3.HttpConnectionManager{
		StatPrefix:                   statPrefix,
		CodecType:                    hcmv3.HttpConnectionManager_AUTO,
		HttpFilters:                  filters,
		NormalizePath:                wrapperspb.Bool(true),
		MergeSlashes:                 true,
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_REJECT_REQUEST,
		UseRemoteAddress:             wrapperspb.Bool(false),
		SkipXffAppend:                true,
		InternalAddressConfig:        nobodyInternal,
		EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{{
			Name: "envoy.http.early_header_mutation.header_mutation", TypedConfig: s.once(dropEnvoyHeaders, func() proto.Message { return dropEnvoyHeaders }),
		}},
		GenerateRequestId:          wrapperspb.Bool(true),
		PreserveExternalRequestId:  true,
		ServerHeaderTransformation: hcmv3.HttpConnectionManager_PASS_THROUGH,
		HttpProtocolOptions:        http1(""),
		Http2ProtocolOptions:       &corev3.Http2ProtocolOptions{AllowConnect: true},
		// Open streams live on: only maxStreamDuration, in the route, ends them.
		StreamIdleTimeout: durationpb.New(0),
		UpgradeConfigs:    []*hcmv3.HttpConnectionManager_UpgradeConfig{{UpgradeType: "websocket"}},
	}
}

// http1 lets a connection manager serve what clients in the field send: HTTP/1.0,
// and the offer of some libraries to upgrade to TLS, which is theirs to drop.
func http1(defaultHost string) *corev3.Http1ProtocolOptions {
	return &corev3.Http1ProtocolOptions{
		AcceptHttp_10: true, DefaultHostForHttp_10: defaultHost, EnableTrailers: true,
		IgnoreHttp_11Upgrade: []*matcherv3.StringMatcher{{
			MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "TLS/"}, IgnoreCase: true,
		}},
	}
}

var nobodyInternal = &hcmv3.HttpConnectionManager_InternalAddressConfig{
	CidrRanges: []*corev3.CidrRange{{AddressPrefix: "192.0.2.0", PrefixLen: wrapperspb.UInt32(32)}},
}

var dropEnvoyHeaders = &earlyv3.HeaderMutation{Mutations: []*mutationv3.HeaderMutation{{
	Action: &mutationv3.HeaderMutation_RemoveOnMatch_{RemoveOnMatch: &mutationv3.HeaderMutation_RemoveOnMatch{
		KeyMatcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: "x-envoy-"}, IgnoreCase: true},
	}},
}}}

// discoveredRoutes takes the routes from RDS, so that they change without a drain.
func discoveredRoutes(m *hcmv3.HttpConnectionManager, name string) {
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{ConfigSource: ads, RouteConfigName: name}}
}

func inlineRoutes(m *hcmv3.HttpConnectionManager, routes *routev3.RouteConfiguration) {
	m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
}

func (s *store) httpFilter(name string, config proto.Message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: s.pack(config)}}
}

func (s *store) networkFilter(name string, config proto.Message) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: s.pack(config)}}
}

// discoveredFilter is a network filter whose configuration comes by ECDS.
func discoveredFilter(name, typeURL string) *listenerv3.Filter {
	return &listenerv3.Filter{Name: name, ConfigType: &listenerv3.Filter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
		ConfigSource: ads, TypeUrls: []string{typeURL},
	}}}
}
