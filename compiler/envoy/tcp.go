package envoy

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	statev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	netstatev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	filterTCP      = "envoy.filters.network.tcp_proxy"
	typeURLTCP     = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
	typeURLNetRBAC = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC"
)

// tcpProxy carries a connection for as long as its ends want it.
func (s *store) tcpProxy(on side, port string, groups ...[]logField) *tcpv3.TcpProxy {
	return &tcpv3.TcpProxy{
		StatPrefix:  string(on),
		IdleTimeout: durationpb.New(0),
		AccessLog:   s.accessLog("tcp", on, port, groups...),
	}
}

func (s *store) tcpTo(on side, port, cluster string, groups ...[]logField) *listenerv3.Filter {
	p := s.tcpProxy(on, port, groups...)
	p.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: cluster}
	return s.networkFilter(filterTCP, p)
}

// tcpWeighted sends connections to the shares; those of weight 0 are left out,
// Envoy refuses them.
func tcpWeighted(p *tcpv3.TcpProxy, shares []share) {
	if len(shares) == 1 {
		p.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: shares[0].cluster}
		return
	}
	weighted := &tcpv3.TcpProxy_WeightedCluster{}
	for _, sh := range shares {
		if sh.weight > 0 {
			weighted.Clusters = append(weighted.Clusters, &tcpv3.TcpProxy_WeightedCluster_ClusterWeight{Name: sh.cluster, Weight: sh.weight})
		}
	}
	p.ClusterSpecifier = &tcpv3.TcpProxy_WeightedClusters{WeightedClusters: weighted}
}

// sayWho sets the SNI of the upstream connection from the environment, so that
// the listener is the same for every client.
func (s *store) sayWho() *listenerv3.Filter {
	return s.networkFilter("envoy.filters.network.set_filter_state", &netstatev3.Config{
		OnNewConnection: []*statev3.FilterStateValue{{
			Key:                &statev3.FilterStateValue_ObjectKey{ObjectKey: "envoy.network.upstream_server_name"},
			Value:              &statev3.FilterStateValue_FormatString{FormatString: text(formatSNI)},
			SharedWithUpstream: statev3.FilterStateValue_ONCE,
		}},
	})
}

func (s *store) extension(name string, p *tcpv3.TcpProxy) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: s.pack(p)}
}
