package envoy

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/compiler/ir"
)

const (
	portOutbound = 15001
	portInbound  = 15003

	// silence is how long an unknown address waits for a client's first bytes.
	silence = time.Second
)

// outboundPort is what every client that may call a service port is sent.
func (l *lowering) outboundPort(svc *ir.Service, port *ir.Port, direct ir.Ref) ir.OutboundPort {
	id := ir.PortID{Service: svc.ID, Port: port.Number}
	branches := l.branches(svc, port)
	out := ir.OutboundPort{
		Port: id, Protocol: port.Protocol, Headless: svc.Headless,
		Listener: ir.NoRef, Route: ir.NoRef, Extension: ir.NoRef,
		Clusters: clustersOf(branches, svc.Headless), Direct: ir.NoRef,
	}
	if namesOwn(branches) {
		out.Direct = direct
	}
	var filters []*listenerv3.Filter
	if port.Protocol.IsHTTP() {
		out.Route = l.add(ir.TypeRoute, outboundName(id), outboundRoutes(outboundName(id), branches))
		filters = []*listenerv3.Filter{l.networkFilter(filterHCM, l.outboundManager(id, branches))}
	} else {
		p := l.tcpProxy(outbound, id.String())
		tcpWeighted(p, branches[0].shares)
		out.Extension = l.add(ir.TypeExtension, tcpName(id), l.extension(tcpName(id), p))
		filters = []*listenerv3.Filter{l.shared.sayWho, discoveredFilter(tcpName(id), typeURLTCP)}
	}
	out.Listener = l.add(ir.TypeListener, outboundName(id), &listenerv3.Listener{
		Name:             outboundName(id),
		BindToPort:       wrapperspb.Bool(false),
		TrafficDirection: corev3.TrafficDirection_OUTBOUND,
		FilterChains:     []*listenerv3.FilterChain{{Name: outboundName(id), Filters: filters}},
	})
	return out
}

func (l *lowering) outboundManager(id ir.PortID, branches []branch) *hcmv3.HttpConnectionManager {
	m := l.manager("outbound", l.shared.outbound)
	discoveredRoutes(m, outboundName(id))
	m.HttpProtocolOptions = http1(id.Service.Name + "." + id.Service.Namespace)
	m.AccessLog = l.accessLog("http", outbound, id.String(), logHTTP)
	set := l.mesh.Settings
	why := sentenceGone
	if l.leavesMesh(branches) {
		why = sentenceOutside(id)
	}
	explain(m, set, denial(set, withheld(), why))
	return m
}

// virtualListener is 15001: interception hands it every connection, and it
// hands on those whose address has a listener. The default chain takes the rest.
func virtualListener(otherwise *listenerv3.FilterChain) *listenerv3.Listener {
	v := bound(virtualOutbound, portOutbound, corev3.TrafficDirection_OUTBOUND)
	v.UseOriginalDst = wrapperspb.Bool(true)
	v.DefaultFilterChain = otherwise
	return v
}

// refusingChain answers 403 to HTTP, and closes what is not HTTP or says
// nothing. It needs no inspector, so it costs no client a wait. A connection ends
// with its answer: whoever is granted the call next comes by another listener.
func (l *lowering) refusingChain(name string) *listenerv3.FilterChain {
	m := l.manager("refused", l.shared.outbound)
	inlineRoutes(m, refusal(name))
	m.UpgradeConfigs = nil
	m.RequestHeadersTimeout = durationpb.New(silence)
	m.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{IdleTimeout: durationpb.New(silence), MaxRequestsPerConnection: wrapperspb.UInt32(1)}
	m.AccessLog = l.accessLog("http", outbound, "", logHTTP)
	explain(m, l.mesh.Settings, denial(l.mesh.Settings, answered(403), sentenceUnknown))
	return &listenerv3.FilterChain{Name: name, Filters: []*listenerv3.Filter{l.networkFilter(filterHCM, m)}}
}

// virtual is the 15001 listener where egress is denied.
func (l *lowering) virtual() ir.Ref {
	return l.add(ir.TypeListener, virtualOutbound, virtualListener(l.refusingChain(chainOutboundDenied)))
}

// virtualOpen is the 15001 listener where egress is allowed, and the chain that
// refuses the mesh's own addresses. Link gives it their ranges, those of
// meshc.yaml too; with none it matches everything, and egress stays denied.
func (l *lowering) virtualOpen() (virtual, ranged ir.Ref) {
	pass := &listenerv3.FilterChain{
		Name: chainOutboundEgress,
		Filters: []*listenerv3.Filter{l.tcpTo(outbound, "", clusterPassthrough, []logField{
			{"policy", ir.ByEgress},
		})},
	}
	refuse := l.refusingChain(chainOutboundMesh)
	return l.add(ir.TypeListener, virtualOutbound, virtualListener(pass)), l.add(ir.TypeChain, chainOutboundMesh, refuse)
}

// bound is a listener on a port of every address of both families.
func bound(name string, port uint32, direction corev3.TrafficDirection) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:                name,
		TrafficDirection:    direction,
		Address:             socket("0.0.0.0", port),
		AdditionalAddresses: []*listenerv3.AdditionalAddress{{Address: socket("::", port)}},
	}
}

func socket(address string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}
