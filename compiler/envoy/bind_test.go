package envoy_test

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

type resources = map[resource.Type][]types.Resource

// bindOutbound is what link does for the client side, at loopback addresses.
func bindOutbound(w *world, p *proxy) resources {
	scope := scopeOf(w.t, w.plan, p.id)
	out := resources{}
	p.unknown = w.free()
	virtual := read(w.t, w.plan, scope.Virtual, &listenerv3.Listener{})
	virtual.Address, virtual.AdditionalAddresses = address(p.unknown), nil
	if scope.Ranged != ir.NoRef {
		virtual.FilterChains = append(virtual.FilterChains, read(w.t, w.plan, scope.Ranged, &listenerv3.FilterChain{}))
	}
	out[resource.ListenerType] = append(out[resource.ListenerType], virtual)
	for _, ref := range scope.Extra {
		out[resource.ClusterType] = append(out[resource.ClusterType], read(w.t, w.plan, ref, &clusterv3.Cluster{}))
	}
	clusters := map[ir.PortID]bool{}
	for _, o := range w.plan.Outbound {
		if !contains(scope.Outbound, o.Port) {
			continue
		}
		p.vips[o.Port] = w.free()
		l := read(w.t, w.plan, o.Listener, &listenerv3.Listener{})
		l.Address, l.BindToPort = address(p.vips[o.Port]), wrapperspb.Bool(true)
		out[resource.ListenerType] = append(out[resource.ListenerType], l)
		if o.Route != ir.NoRef {
			out[resource.RouteType] = append(out[resource.RouteType], read(w.t, w.plan, o.Route, &routev3.RouteConfiguration{}))
		}
		if o.Extension != ir.NoRef {
			out[resource.ExtensionConfigType] = append(out[resource.ExtensionConfigType], read(w.t, w.plan, o.Extension, &corev3.TypedExtensionConfig{}))
		}
		if o.Direct != ir.NoRef {
			out[resource.ClusterType] = append(out[resource.ClusterType], read(w.t, w.plan, o.Direct, &clusterv3.Cluster{}))
		}
		for _, c := range o.Clusters {
			if !contains(scope.Without, c) {
				clusters[c] = true
			}
		}
	}
	for _, c := range w.plan.Clusters {
		if clusters[c.Port] {
			out[resource.ClusterType] = append(out[resource.ClusterType], read(w.t, w.plan, c.Resource, &clusterv3.Cluster{}))
			out[resource.EndpointType] = append(out[resource.EndpointType], w.endpoints(c.Port))
		}
	}
	return out
}

// bindInbound is what link does for the server side: destination_port and the
// chains are appended as bytes.
func bindInbound(w *world, p *proxy, role ir.RolePlan, app netip.AddrPort) resources {
	out := resources{}
	base := w.plan.Resources[role.Listener].Body
	for i, in := range role.Ports {
		for _, ref := range in.Chains {
			base = appendChain(w.t, base, w.plan.Resources[ref].Body, uint32(p.inbound[i].Port()))
		}
		if in.Route != ir.NoRef {
			out[resource.RouteType] = append(out[resource.RouteType], read(w.t, w.plan, in.Route, &routev3.RouteConfiguration{}))
		}
		if in.Extension != ir.NoRef {
			out[resource.ExtensionConfigType] = append(out[resource.ExtensionConfigType], read(w.t, w.plan, in.Extension, &corev3.TypedExtensionConfig{}))
		}
	}
	l := &listenerv3.Listener{}
	must(w.t, proto.Unmarshal(base, l))
	l.Address, l.AdditionalAddresses = address(p.inbound[0]), nil
	for _, more := range p.inbound[1:] {
		l.AdditionalAddresses = append(l.AdditionalAddresses, &listenerv3.AdditionalAddress{Address: address(more)})
	}
	out[resource.ListenerType] = []types.Resource{l}
	for _, ref := range w.plan.Scopes[0].Extra {
		c := read(w.t, w.plan, ref, &clusterv3.Cluster{})
		if c.Name == "inbound" {
			toApp(c, app)
		}
		out[resource.ClusterType] = append(out[resource.ClusterType], c)
	}
	return out
}

// toApp sends the inbound cluster to an address: nothing is intercepted here,
// so there is no original destination. ::6 is an address of no loopback.
func toApp(c *clusterv3.Cluster, app netip.AddrPort) {
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.LbPolicy = clusterv3.Cluster_ROUND_ROBIN
	c.LoadAssignment = assignment(c.Name, app)
	if app.Addr().Is6() {
		c.UpstreamBindConfig = nil
	}
}

func appendChain(t *testing.T, listener, chain []byte, port uint32) []byte {
	t.Helper()
	more, err := proto.Marshal(&listenerv3.FilterChain{FilterChainMatch: &listenerv3.FilterChainMatch{DestinationPort: wrapperspb.UInt32(port)}})
	must(t, err)
	whole := &listenerv3.FilterChain{}
	must(t, proto.Unmarshal(append(append([]byte{}, chain...), more...), whole))
	fragment, err := proto.Marshal(&listenerv3.Listener{FilterChains: []*listenerv3.FilterChain{whole}})
	must(t, err)
	return append(append([]byte{}, listener...), fragment...)
}

// endpoints is the assignment of a service port: its server, or nobody.
func (w *world) endpoints(port ir.PortID) *endpointv3.ClusterLoadAssignment {
	if at, ok := w.servers[port]; ok {
		return assignment(port.String(), at)
	}
	return &endpointv3.ClusterLoadAssignment{ClusterName: port.String()}
}

func assignment(name string, at netip.AddrPort) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{
		Locality: &corev3.Locality{}, LoadBalancingWeight: wrapperspb.UInt32(1),
		LbEndpoints: []*endpointv3.LbEndpoint{{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address(at)}}}},
	}}}
}

func (w *world) secrets(id ir.Identity) []types.Resource {
	cert, key := w.ca.issue(w.t, id)
	inline := func(b []byte) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_InlineBytes{InlineBytes: b}}
	}
	return []types.Resource{
		&tlsv3.Secret{Name: "identity", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{CertificateChain: inline(cert), PrivateKey: inline(key)}}},
		&tlsv3.Secret{Name: "roots", Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{TrustedCa: inline(w.ca.pem)}}},
	}
}

func scopeOf(t *testing.T, plan *ir.Plan, id ir.Identity) ir.Scope {
	t.Helper()
	for _, i := range plan.Identities {
		if i.Identity == id {
			return plan.Scopes[i.Scope]
		}
	}
	t.Fatalf("no scope of %s", id)
	return ir.Scope{}
}

func read[M proto.Message](t *testing.T, plan *ir.Plan, ref ir.Ref, into M) M {
	t.Helper()
	must(t, proto.Unmarshal(plan.Resources[ref].Body, into))
	return into
}

func contains(ports []ir.PortID, p ir.PortID) bool {
	for _, x := range ports {
		if x == p {
			return true
		}
	}
	return false
}

func address(at netip.AddrPort) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: at.Addr().String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(at.Port())},
	}}}
}

// requestAs dials a server's proxy as a client's proxy would, with its certificate.
func (w *world) requestAs(who string, port ir.PortID, method, path string) answer {
	w.t.Helper()
	conn, err := tls.Dial("tcp", w.servers[port].String(), w.ca.dialConfig(w.t, account(who), "", "http/1.1"))
	must(w.t, err)
	c := w.line(conn)
	_, err = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path)
	must(w.t, err)
	return w.answered(c.r, method)
}
