package main

import (
	"fmt"
	"net/netip"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/dataplane/bootstrap"
	"github.com/meshc/meshc/xds/link"
)

// staticEnvoy is the whole configuration of one proxy in one file: what it would
// be sent over ADS stands inside. Envoy's validation follows no xDS and crashes
// on secrets that come over ADS, so secrets come by a stream of their own.
func staticEnvoy(w *link.World, view link.View, id ir.Identity, workload string) (*bootstrapv3.Bootstrap, error) {
	b := bootstrap.Base(bootstrap.Options{Identity: id, Workload: workload})
	in := &inliner{view: view}
	for r := range view.All(link.Listener) {
		l := &listenerv3.Listener{}
		if err := in.decode(r, l); err != nil {
			return nil, err
		}
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, l)
	}
	for r := range view.All(link.Cluster) {
		c := &clusterv3.Cluster{}
		if err := in.decode(r, c); err != nil {
			return nil, err
		}
		if err := in.endpoints(c, w); err != nil {
			return nil, err
		}
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, c)
	}
	secrets, err := secretsCluster()
	if err != nil {
		return nil, err
	}
	b.StaticResources.Clusters = append(b.StaticResources.Clusters, secrets)
	return b, b.ValidateAll()
}

// inliner puts what Envoy would fetch by name in place of the name.
type inliner struct{ view link.View }

func (in *inliner) decode(r *link.Resource, into proto.Message) error {
	if err := proto.Unmarshal(r.Any.GetValue(), into); err != nil {
		return fmt.Errorf("%s %q: %w", r.Type, r.Name, err)
	}
	if err := in.message(into.ProtoReflect()); err != nil {
		return fmt.Errorf("%s %q: %w", r.Type, r.Name, err)
	}
	return nil
}

// message rewrites a message and all that it holds, Anys too.
func (in *inliner) message(m protoreflect.Message) error {
	if a, ok := m.Interface().(*anypb.Any); ok {
		return in.any(a)
	}
	if err := in.rewrite(m.Interface()); err != nil {
		return err
	}
	var failed error
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
				failed = in.message(e.Message())
				return failed == nil
			})
		case field.IsList() && field.Message() != nil:
			for i := 0; i < v.List().Len() && failed == nil; i++ {
				failed = in.message(v.List().Get(i).Message())
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			failed = in.message(v.Message())
		}
		return failed == nil
	})
	return failed
}

func (in *inliner) any(a *anypb.Any) error {
	held, err := a.UnmarshalNew()
	if err != nil {
		return err
	}
	if err := in.message(held.ProtoReflect()); err != nil {
		return err
	}
	return anypb.MarshalFrom(a, held, proto.MarshalOptions{Deterministic: true})
}

func (in *inliner) rewrite(m proto.Message) error {
	switch m := m.(type) {
	case *hcmv3.HttpConnectionManager:
		if rds := m.GetRds(); rds != nil {
			routes := &routev3.RouteConfiguration{}
			m.RouteSpecifier = &hcmv3.HttpConnectionManager_RouteConfig{RouteConfig: routes}
			return in.fetch(link.Route, rds.GetRouteConfigName(), routes)
		}
	case *hcmv3.HttpFilter:
		if m.GetConfigDiscovery() != nil {
			config, err := in.extension(m.GetName())
			m.ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: config}
			return err
		}
	case *listenerv3.Filter:
		if m.GetConfigDiscovery() != nil {
			config, err := in.extension(m.GetName())
			m.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: config}
			return err
		}
	case *tlsv3.SdsSecretConfig:
		if m.GetSdsConfig().GetAds() != nil {
			m.SdsConfig = secretsSource()
		}
	}
	return nil
}

func (in *inliner) fetch(t link.Type, name string, into proto.Message) error {
	r := in.view.Get(t, name)
	if r == nil {
		return fmt.Errorf("%s %q is named and not there", t, name)
	}
	return proto.Unmarshal(r.Any.GetValue(), into)
}

func (in *inliner) extension(name string) (*anypb.Any, error) {
	config := &corev3.TypedExtensionConfig{}
	err := in.fetch(link.Extension, name, config)
	return config.GetTypedConfig(), err
}

// endpoints puts a cluster's endpoints into it.
func (in *inliner) endpoints(c *clusterv3.Cluster, w *link.World) error {
	if c.GetType() != clusterv3.Cluster_EDS {
		return nil
	}
	c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: c.GetName()}
	if r := w.EndpointsNear(c.GetName(), in.view.Locality); r != nil {
		if err := proto.Unmarshal(r.Any.GetValue(), c.LoadAssignment); err != nil {
			return err
		}
	}
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.EdsClusterConfig = nil
	return nil
}

// secretsCluster is where the printed configuration says its certificates come from.
func secretsCluster() (*clusterv3.Cluster, error) {
	http2, err := anypb.New(&httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{}},
		},
	}})
	if err != nil {
		return nil, err
	}
	return &clusterv3.Cluster{
		Name:                 bootstrap.ControlPlaneCluster,
		ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		ConnectTimeout:       durationpb.New(5e9),
		TypedExtensionProtocolOptions: map[string]*anypb.Any{
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
		},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{
			ClusterName: bootstrap.ControlPlaneCluster,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: localPort(bootstrap.XDSPort)}},
			}}}},
		},
	}, nil
}

func localPort(port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}).String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func secretsSource() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
			ApiType:             corev3.ApiConfigSource_GRPC,
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: bootstrap.ControlPlaneCluster},
			}}},
		}},
	}
}
