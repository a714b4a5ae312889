package envoy

import (
	"math"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

const connectTimeout = 5 * time.Second

// unlimited lifts Envoy's default of 1,024 connections and requests: a mesh
// without a limit in its policy adds none.
var unlimited = &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
	MaxConnections:     wrapperspb.UInt32(math.MaxUint32),
	MaxPendingRequests: wrapperspb.UInt32(math.MaxUint32),
	MaxRequests:        wrapperspb.UInt32(math.MaxUint32),
	MaxRetries:         wrapperspb.UInt32(math.MaxUint32),
}}}

// keepalive finds peers that went away under connections that may idle for ever.
var keepalive = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{}}

// sickness takes an endpoint out of its turn that fails several times in a row:
// it cannot be connected to, or answers 502, 503 or 504. What an application
// answers else, 500 too, is its own business. Never all of them go: the last one
// of a cluster stays, since there is no panic threshold.
var sickness = &clusterv3.OutlierDetection{
	Interval:                           durationpb.New(time.Second),
	BaseEjectionTime:                   durationpb.New(10 * time.Second),
	MaxEjectionTime:                    durationpb.New(2 * time.Minute),
	MaxEjectionPercent:                 wrapperspb.UInt32(99),
	SplitExternalLocalOriginErrors:     true,
	ConsecutiveLocalOriginFailure:      wrapperspb.UInt32(failures),
	ConsecutiveGatewayFailure:          wrapperspb.UInt32(failures),
	EnforcingConsecutiveGatewayFailure: wrapperspb.UInt32(100),
	EnforcingConsecutive_5Xx:           wrapperspb.UInt32(0),
	EnforcingSuccessRate:               wrapperspb.UInt32(0),
	EnforcingLocalOriginSuccessRate:    wrapperspb.UInt32(0),
}

// failures in a row are Envoy's own default, and the field's.
const failures = 5

func newCluster(name string) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                      name,
		ConnectTimeout:            durationpb.New(connectTimeout),
		CircuitBreakers:           unlimited,
		UpstreamConnectionOptions: keepalive,
	}
}

// sameCodec speaks to the upstream what the client speaks: with no ALPN in the
// TLS context Envoy then offers the one protocol it is about to speak.
func (s *store) sameCodec() map[string]*anypb.Any {
	return map[string]*anypb.Any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": s.pack(&httpv3.HttpProtocolOptions{
		UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
			UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
				HttpProtocolOptions:  &corev3.Http1ProtocolOptions{EnableTrailers: true},
				Http2ProtocolOptions: &corev3.Http2ProtocolOptions{AllowConnect: true},
			},
		},
	})}
}

// discovered is a cluster whose endpoints come by EDS. The endpoints that
// policy or health leaves out must never be tried: no panic threshold.
func discovered(name string) *clusterv3.Cluster {
	c := newCluster(name)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads}
	c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
	c.CommonLbConfig = &clusterv3.Cluster_CommonLbConfig{
		HealthyPanicThreshold: &typev3.Percent{Value: 0},
		UpdateMergeWindow:     durationpb.New(0), // else news of health may lie for a second
	}
	c.OutlierDetection = sickness
	return c
}

// originalDst is a cluster that goes where the client wanted to.
func originalDst(name string) *clusterv3.Cluster {
	c := newCluster(name)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_ORIGINAL_DST}
	c.LbPolicy = clusterv3.Cluster_CLUSTER_PROVIDED
	return c
}

// service is the cluster of a service port, and for a headless service the one
// that keeps the address the client chose, with the same identities.
func (l *lowering) service(svc *ir.Service, port *ir.Port) (eds, direct ir.Ref) {
	id := ir.PortID{Service: svc.ID, Port: port.Number}
	eds = l.add(ir.TypeCluster, clusterName(id), l.carry(discovered(clusterName(id)), svc, port))
	direct = ir.NoRef
	if svc.Headless {
		direct = l.add(ir.TypeCluster, directName(id), l.carry(originalDst(directName(id)), svc, port))
	}
	return eds, direct
}

// carry sets how a service port's bytes travel: its codec, and mTLS with the
// exact known accounts of the service. Outside services have no certificate.
func (l *lowering) carry(c *clusterv3.Cluster, svc *ir.Service, port *ir.Port) *clusterv3.Cluster {
	var alpn []string
	if port.Protocol.IsHTTP() {
		c.TypedExtensionProtocolOptions = l.shared.codec
	} else {
		alpn = []string{alpnTCP}
	}
	if !svc.Outside {
		c.TransportSocket = l.clientTLS(tlsContext(exactly(svc.Accounts), alpn...))
	}
	return c
}

// missing is the cluster of a backend that does not exist: link gives it no
// endpoints, so its share is answered 503.
func (l *lowering) missing(id ir.PortID, root *ir.Port) ir.Ref {
	return l.add(ir.TypeCluster, clusterName(id), l.carry(discovered(clusterName(id)), &ir.Service{ID: id.Service}, root))
}

// inboundCluster hands requests to the application at the address that was
// dialled. Its source addresses are exempt from interception.
func (s *store) inboundCluster() ir.Ref {
	c := originalDst(clusterInbound)
	c.TypedExtensionProtocolOptions = s.sameCodec()
	c.UpstreamBindConfig = &corev3.BindConfig{
		SourceAddress: anyPort("127.0.0.6"),
		ExtraSourceAddresses: []*corev3.ExtraSourceAddress{
			{Address: anyPort("::6")},
		},
	}
	return s.add(ir.TypeCluster, clusterInbound, c)
}

// deniedCluster has no endpoint and never gets one: what goes there is closed.
func (s *store) deniedCluster() ir.Ref {
	c := newCluster(clusterDenied)
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.LoadAssignment = &endpointv3.ClusterLoadAssignment{ClusterName: clusterDenied}
	return s.add(ir.TypeCluster, clusterDenied, c)
}

func (s *store) passthroughCluster() ir.Ref {
	return s.add(ir.TypeCluster, clusterPassthrough, originalDst(clusterPassthrough))
}

func anyPort(address string) *corev3.SocketAddress {
	return &corev3.SocketAddress{Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 0}}
}
