package envoy

import (
	"fmt"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/compiler/ir"
)

// reference is a name in one resource that another must answer to: Envoy takes
// a route to no cluster without a word, and answers 503.
type reference struct {
	kind ir.ResourceType // "" is a secret
	name string
}

const toSecret ir.ResourceType = ""

// references are the names that a message and what is packed in it depend on.
func (s *store) references(m proto.Message) []reference {
	var out []reference
	see := func(ms ...proto.Message) {
		for _, m := range ms {
			out = append(out, s.references(m)...)
		}
	}
	name := func(kind ir.ResourceType, name string) { out = append(out, reference{kind, name}) }
	switch m := m.(type) {
	case *anypb.Any:
		out = append(out, s.inside(m)...)
	case *listenerv3.Listener:
		for _, c := range append(m.FilterChains[:len(m.FilterChains):len(m.FilterChains)], m.DefaultFilterChain) {
			see(c)
		}
	case *listenerv3.FilterChain:
		for _, f := range m.GetFilters() {
			if f.GetConfigDiscovery() != nil {
				name(ir.TypeExtension, f.Name)
			} else {
				see(f.GetTypedConfig())
			}
		}
		see(m.GetTransportSocket().GetTypedConfig())
	case *hcmv3.HttpConnectionManager:
		if rds := m.GetRds(); rds != nil {
			name(ir.TypeRoute, rds.RouteConfigName)
		}
		see(m.GetRouteConfig())
	case *routev3.RouteConfiguration:
		for _, host := range m.GetVirtualHosts() {
			for _, r := range host.Routes {
				for _, c := range clusterNames(r.GetRoute()) {
					name(ir.TypeCluster, c)
				}
			}
		}
	case *corev3.TypedExtensionConfig:
		see(m.TypedConfig)
	case *tcpv3.TcpProxy:
		for _, c := range tcpClusterNames(m) {
			name(ir.TypeCluster, c)
		}
	case *clusterv3.Cluster:
		see(m.GetTransportSocket().GetTypedConfig())
	case *tlsv3.UpstreamTlsContext:
		see(m.CommonTlsContext)
	case *tlsv3.DownstreamTlsContext:
		see(m.CommonTlsContext)
	case *tlsv3.CommonTlsContext:
		for _, sds := range m.TlsCertificateSdsSecretConfigs {
			name(toSecret, sds.Name)
		}
		name(toSecret, m.GetCombinedValidationContext().GetValidationContextSdsSecretConfig().GetName())
	}
	return out
}

func clusterNames(a *routev3.RouteAction) []string {
	if c := a.GetCluster(); c != "" {
		return []string{c}
	}
	var out []string
	for _, c := range a.GetWeightedClusters().GetClusters() {
		out = append(out, c.Name)
	}
	return out
}

func tcpClusterNames(p *tcpv3.TcpProxy) []string {
	if c := p.GetCluster(); c != "" {
		return []string{c}
	}
	var out []string
	for _, c := range p.GetWeightedClusters().GetClusters() {
		out = append(out, c.Name)
	}
	return out
}

// closedOver checks one set of resources that travel together.
func (a *assembly) closedOver(sent, extra []ir.Ref) error {
	have := map[reference]bool{{toSecret, secretIdentity}: true, {toSecret, secretRoots}: true}
	for _, refs := range [][]ir.Ref{sent, extra} {
		for _, ref := range refs {
			if ref != ir.NoRef {
				have[reference{a.items[ref].Type, a.items[ref].Name}] = true
			}
		}
	}
	for _, ref := range sent {
		if ref == ir.NoRef {
			continue
		}
		for _, r := range a.items[ref].needs {
			if !have[r] {
				kind := strings.TrimSpace(string(r.kind) + " ")
				if r.kind == toSecret {
					kind = "secret"
				}
				return fmt.Errorf("%s %q names %s %q, which is not sent with it", a.items[ref].Type, a.items[ref].Name, kind, r.name)
			}
		}
	}
	return nil
}
