package envoy

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

// inspection is how long a client may take to show whether it speaks TLS. A
// plain client of a server-first port shows nothing and waits for all of it.
const inspection = time.Second

// The listener filters of 15003. They must never come to depend on policy: a
// change here drains every connection of the proxy.
func (s *store) inboundListenerFilters() []*listenerv3.ListenerFilter {
	return []*listenerv3.ListenerFilter{
		{Name: "envoy.filters.listener.original_dst", ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: s.pack(&originaldstv3.OriginalDst{})}},
		{Name: "envoy.filters.listener.tls_inspector", ConfigType: &listenerv3.ListenerFilter_TypedConfig{TypedConfig: s.pack(&tlsinspectorv3.TlsInspector{})}},
	}
}

// inboundListener is 15003 without the chains of a role; link appends these.
// What no chain takes goes to a cluster without endpoints: it is closed, and
// the access log says what it was.
func (s *store) inboundListener() ir.Ref {
	v := bound(virtualInbound, portInbound, corev3.TrafficDirection_INBOUND)
	v.ListenerFilters = s.inboundListenerFilters()
	v.ListenerFiltersTimeout = durationpb.New(inspection)
	v.ContinueOnListenerFiltersTimeout = true
	v.DefaultFilterChain = &listenerv3.FilterChain{
		Name:    chainInboundDenied,
		Filters: []*listenerv3.Filter{s.tcpTo(inbound, "", clusterDenied)},
	}
	return s.add(ir.TypeListener, virtualInbound, v)
}

// inboundPort is the chains of one target port of a role, in a namespace with
// these settings and with these grants. They lack their destination_port.
func (l *lowering) inboundPort(port *ir.InboundPort, space ir.Namespace, grants []*ir.Grant) ir.InboundPlan {
	first := port.Services[0]
	in := inboundPort{
		port:      first,
		mode:      space.Mode,
		plaintext: port.Plaintext || space.PlaintextAllowed,
		grants:    grants,
	}
	plan := ir.InboundPlan{
		TargetPort: port.TargetPort, Protocol: port.Protocol, Services: port.Services,
		Route: ir.NoRef, Extension: ir.NoRef,
	}
	if port.Protocol.IsHTTP() {
		plan.Route = l.add(ir.TypeRoute, inboundName(first), l.inboundRoutes(inboundName(first), first, l.judge(in.mode, in.grants, true)))
		plan.Chains = l.httpChains(in)
	} else {
		plan.Chains = l.tcpChains(in)
		if len(clientsOf(in.grants)) > 0 || open(in.mode) { // else no chain asks for it
			plan.Extension = l.add(ir.TypeExtension, rbacName(first), l.networkRBAC(rbacName(first), in))
		}
	}
	return plan
}

type inboundPort struct {
	port      ir.PortID
	mode      ir.Mode
	plaintext bool
	grants    []*ir.Grant
}

// httpChains are one chain for every mesh client, and one without TLS where
// clients without a certificate may come.
func (l *lowering) httpChains(in inboundPort) []ir.Ref {
	name := inboundName(in.port)
	m := l.inboundManager(in.port)
	discoveredRoutes(m, name)
	m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE_SET
	m.SetCurrentClientCertDetails = &hcmv3.HttpConnectionManager_SetCurrentClientCertDetails{Uri: true}
	chains := []ir.Ref{l.chain(&listenerv3.FilterChain{
		Name:             name,
		FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "tls"},
		TransportSocket:  l.shared.httpTLS,
		Filters:          []*listenerv3.Filter{l.networkFilter(filterHCM, m)},
	})}
	if in.plaintext {
		name += "/plaintext"
		m := l.inboundManager(in.port)
		inlineRoutes(m, l.inboundRoutes(name, in.port, judgement{rules: allowOne(ir.ByPlaintext, anybody)}))
		m.ForwardClientCertDetails = hcmv3.HttpConnectionManager_SANITIZE
		chains = append(chains, l.chain(&listenerv3.FilterChain{
			Name:             name,
			FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "raw_buffer"},
			Filters:          []*listenerv3.Filter{l.networkFilter(filterHCM, m)},
		}))
	}
	return chains
}

func (l *lowering) inboundManager(port ir.PortID) *hcmv3.HttpConnectionManager {
	m := l.manager("inbound", l.shared.inbound)
	m.AccessLog = l.accessLog("http", inbound, port.String(), logHTTP, logRBAC)
	set := l.mesh.Settings
	explain(m, set, denial(set, l.ungranted(), sentenceUngranted(port)))
	return m
}

// tcpChains are one chain for each granted identity: its SNI picks the chain,
// its certificate alone opens it. Network RBAC would speak at the client's
// first byte, after a server-first protocol has shown its banner.
func (l *lowering) tcpChains(in inboundPort) []ir.Ref {
	var chains []ir.Ref
	if in.mode != ir.Permissive { // where grants do not matter nobody needs a chain of its own
		for _, client := range clientsOf(in.grants) {
			chains = append(chains, l.tcpChain(in, client.Short(), exactly([]ir.Identity{client}), &listenerv3.FilterChainMatch{
				TransportProtocol: "tls", ServerNames: []string{client.SNI()},
			}, logNetworkRBAC(in.mode, "")))
		}
	}
	if open(in.mode) {
		match := &listenerv3.FilterChainMatch{TransportProtocol: "tls"}
		if in.plaintext { // clients without a certificate may speak TLS of their own
			match = &listenerv3.FilterChainMatch{ApplicationProtocols: []string{alpnTCP}}
		}
		chains = append(chains, l.tcpChain(in, "any", member(l.mesh.Settings.TrustDomain), match, logNetworkRBAC(in.mode, openPolicy(in.mode))))
	}
	if in.plaintext {
		name := inboundName(in.port) + "/plaintext"
		chains = append(chains, l.chain(&listenerv3.FilterChain{
			Name:             name,
			FilterChainMatch: &listenerv3.FilterChainMatch{},
			Filters:          []*listenerv3.Filter{l.tcpTo(inbound, in.port.String(), clusterInbound, []logField{{"policy", ir.ByPlaintext}})},
		}))
	}
	return chains
}

func (l *lowering) tcpChain(in inboundPort, client string, sans []*tlsv3.SubjectAltNameMatcher, match *listenerv3.FilterChainMatch, log []logField) ir.Ref {
	p := l.tcpProxy(inbound, in.port.String(), log)
	p.ClusterSpecifier = &tcpv3.TcpProxy_Cluster{Cluster: clusterInbound}
	// The application is to hear of nobody whose certificate is not accepted yet.
	p.UpstreamConnectMode = tcpv3.UpstreamConnectMode_ON_DOWNSTREAM_TLS_HANDSHAKE
	p.MaxEarlyDataBytes = wrapperspb.UInt32(0)
	return l.chain(&listenerv3.FilterChain{
		Name:             inboundName(in.port) + "/" + client,
		FilterChainMatch: match,
		TransportSocket:  l.serverTLS(tlsContext(sans)),
		Filters: []*listenerv3.Filter{
			discoveredFilter(rbacName(in.port), typeURLNetRBAC),
			l.networkFilter(filterTCP, p),
		},
	})
}

func (l *lowering) chain(c *listenerv3.FilterChain) ir.Ref { return l.add(ir.TypeChain, c.Name, c) }

// clientsOf are the sources of the grants, each once, sorted.
func clientsOf(grants []*ir.Grant) []ir.Identity {
	var out []ir.Identity
	for _, g := range grants {
		out = append(out, g.Sources...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
