package bootstrap

import (
	"net/netip"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	injectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	codecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Keepalive is how often a quiet ADS connection is pinged. The server must
// permit pings this often, or it cuts the connection.
const Keepalive = 30 * time.Second

// dynamic asks for everything over one delta stream.
func (o Options) dynamic() *bootstrapv3.Bootstrap_DynamicResources {
	ads := func() *corev3.ConfigSource {
		s := &corev3.ConfigSource{
			ResourceApiVersion:    corev3.ApiVersion_V3,
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		}
		if o.Hold {
			s.InitialFetchTimeout = durationpb.New(0)
		}
		return s
	}
	return &bootstrapv3.Bootstrap_DynamicResources{
		LdsConfig: ads(),
		CdsConfig: ads(),
		AdsConfig: &corev3.ApiConfigSource{
			ApiType:                   corev3.ApiConfigSource_DELTA_GRPC,
			TransportApiVersion:       corev3.ApiVersion_V3,
			SetNodeOnFirstMessageOnly: true,
			GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{
				ClusterName: ControlPlaneCluster,
				// A fleet whose control plane restarts comes back spread over seconds.
				RetryPolicy: &corev3.RetryPolicy{RetryBackOff: &corev3.BackoffStrategy{
					BaseInterval: durationpb.New(500 * time.Millisecond), MaxInterval: durationpb.New(10 * time.Second),
				}},
			}}}},
		},
	}
}

func (o Options) controlPlane(e endpoint) (*clusterv3.Cluster, error) {
	transport, err := o.transport(e)
	if err != nil {
		return nil, err
	}
	return &clusterv3.Cluster{
		Name:                 ControlPlaneCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: e.discovery()},
		DnsLookupFamily:      o.lookup(),
		ConnectTimeout:       durationpb.New(5 * time.Second),
		LoadAssignment:       assignment(ControlPlaneCluster, e.host, e.port),
		TransportSocket: &corev3.TransportSocket{
			Name:       "envoy.transport_sockets.tls",
			ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: transport},
		},
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": o.protocol(),
		},
		UpstreamConnectionOptions: &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
			KeepaliveProbes: wrapperspb.UInt32(3), KeepaliveTime: wrapperspb.UInt32(30), KeepaliveInterval: wrapperspb.UInt32(5),
		}},
	}, nil
}

func (e endpoint) discovery() clusterv3.Cluster_DiscoveryType {
	if e.isAddr() {
		return clusterv3.Cluster_STATIC
	}
	return clusterv3.Cluster_STRICT_DNS
}

func (o Options) lookup() clusterv3.Cluster_DnsLookupFamily {
	if o.IPv4Only {
		return clusterv3.Cluster_V4_ONLY
	}
	return clusterv3.Cluster_ALL
}

// transport pins the authority and the name of the control plane. Envoy's
// clients stop at TLS 1.2 unless told.
func (o Options) transport(e endpoint) (*anypb.Any, error) {
	san := &tlsv3.SubjectAltNameMatcher{
		SanType: tlsv3.SubjectAltNameMatcher_DNS,
		Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: e.name}},
	}
	ctx := &tlsv3.UpstreamTlsContext{Sni: e.name}
	if addr, err := netip.ParseAddr(e.name); err == nil {
		san.SanType, ctx.Sni = tlsv3.SubjectAltNameMatcher_IP_ADDRESS, "" // SNI is for names only
		san.Matcher.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: addr.String()}
	}
	common := &tlsv3.CommonTlsContext{
		TlsParams: &tlsv3.TlsParameters{
			TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2,
			TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
		},
		AlpnProtocols: []string{"h2"},
	}
	o.validation(common, san)
	if o.CertFile != "" {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{o.secret(certSecret)}
	}
	ctx.CommonTlsContext = common
	if err := ctx.ValidateAll(); err != nil {
		return nil, err
	}
	return pack(ctx), nil
}

// validation is what the control plane's certificate must be: signed by the CA,
// which stands here or in a file that Envoy watches, and of the right name.
func (o Options) validation(common *tlsv3.CommonTlsContext, san *tlsv3.SubjectAltNameMatcher) {
	name := &tlsv3.CertificateValidationContext{MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{san}}
	if o.CAFile == "" {
		name.TrustedCa = &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: string(o.CA)}}
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContext{ValidationContext: name}
		return
	}
	common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{
		CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext:         name,
			ValidationContextSdsSecretConfig: fromFile(rootsSecret, o.CASecretFile),
		},
	}
}

// protocol is HTTP/2 with pings, and the token put on each stream's first headers.
func (o Options) protocol() *anypb.Any {
	opts := &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{ConnectionKeepalive: &corev3.KeepaliveSettings{
					Interval: durationpb.New(Keepalive), Timeout: durationpb.New(10 * time.Second),
				}},
			},
		},
	}}
	if o.TokenFile != "" {
		opts.HttpFilters = []*hcmv3.HttpFilter{
			filter("envoy.filters.http.credential_injector", pack(&injectorv3.CredentialInjector{
				Overwrite: true,
				Credential: &corev3.TypedExtensionConfig{
					Name:        "envoy.http.injected_credentials.generic",
					TypedConfig: pack(&genericv3.Generic{Credential: o.secret(tokenSecret)}),
				},
			})),
			filter("envoy.filters.http.upstream_codec", pack(&codecv3.UpstreamCodec{})),
		}
	}
	return pack(opts)
}

func filter(name string, config *anypb.Any) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}}
}

func assignment(name, host string, port uint16) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
				Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
					Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
				}},
			}}},
		}}}},
	}
}

// clusterManager marks upstream connections, so that netinit's rules let them
// pass where Envoy has no uid of its own. No source address: both families.
func (o Options) clusterManager() *bootstrapv3.ClusterManager {
	if o.Mark == 0 {
		return nil
	}
	return &bootstrapv3.ClusterManager{UpstreamBindConfig: &corev3.BindConfig{SocketOptions: []*corev3.SocketOption{MarkOption(o.Mark)}}}
}

// MarkOption sets SO_MARK before connect, for a cluster whose own bind
// configuration replaces the bootstrap's.
func MarkOption(mark uint32) *corev3.SocketOption {
	const solSocket, soMark = 1, 36
	return &corev3.SocketOption{
		Description: "SO_MARK", Level: solSocket, Name: soMark,
		Value: &corev3.SocketOption_IntValue{IntValue: int64(mark)}, State: corev3.SocketOption_STATE_PREBIND,
	}
}
