package link

import (
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
)

func account(name string) ir.Identity { return ir.NewIdentity("cluster.local", "shop", name) }

func service80(name string) ir.ServiceID { return ir.ServiceID{Namespace: "shop", Name: name} }

func portOf(name string, n uint16) ir.PortID { return ir.PortID{Service: service80(name), Port: n} }

// twin is a mesh of two HTTP services and a TCP one on one role, whom buyer may
// call; buyer may leave the mesh.
func twin(t *testing.T) *bundle.Bundle {
	t.Helper()
	m := &ir.Mesh{
		Settings:   ir.Settings{Name: "m", TrustDomain: "cluster.local", Mode: ir.Strict, EgressAllowed: true},
		Identities: []ir.Identity{account("buyer"), account("web")},
		Roles:      []ir.Role{{Identity: account("buyer")}, {Identity: account("web"), Services: []ir.ServiceID{service80("admin"), service80("db"), service80("web")}}},
	}
	for _, s := range []struct {
		name     string
		port, to uint16
		protocol ir.Protocol
	}{{"admin", 81, 9090, ir.HTTP}, {"db", 5432, 5432, ir.TCP}, {"web", 80, 8080, ir.HTTP}} {
		id := portOf(s.name, s.port)
		m.Services = append(m.Services, ir.Service{ID: id.Service, Accounts: []ir.Identity{account("web")}, Ports: []ir.Port{{Number: s.port, Protocol: s.protocol, TargetPort: s.to}}})
		m.Roles[1].Ports = append(m.Roles[1].Ports, ir.InboundPort{TargetPort: s.to, Protocol: s.protocol, Services: []ir.PortID{id}})
		m.Grants = append(m.Grants, ir.Grant{Name: "TrafficTarget/shop/" + s.name + "#rule0", Sources: []ir.Identity{account("buyer")}, Destination: account("web"), Ports: []ir.PortID{id}})
	}
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lives is where twin runs: web's role on one workload, at a given last byte.
// Above 10 web has moved to another target port.
func lives(last byte) *catalog.Snapshot {
	moved := uint16(8080)
	if last > 10 {
		moved++
	}
	s := &catalog.Snapshot{
		ServiceRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
		Workloads: []catalog.Workload{
			{Name: "shop/buyer-0", Identity: account("buyer"), Meshed: true},
			{Name: "shop/web-0", Identity: account("web"), Services: []ir.ServiceID{service80("admin"), service80("db"), service80("web")}, Meshed: true},
		},
	}
	for i, v := range []struct {
		name     string
		port, to uint16
		protocol ir.Protocol
	}{{"admin", 81, 9090, ir.HTTP}, {"db", 5432, 5432, ir.TCP}, {"web", 80, moved, ir.HTTP}} {
		s.Services = append(s.Services, catalog.Service{
			ID: service80(v.name), VIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, last + byte(i)})},
			Ports:     []catalog.ServicePort{{Port: v.port, Protocol: v.protocol, TargetPort: v.to}},
			Endpoints: []catalog.Endpoint{{Address: netip.AddrFrom4([4]byte{10, 1, 0, last}), Workload: "shop/web-0", Identity: account("web"), Meshed: true}},
		})
	}
	return s
}

// changes a resource's message, in a copy.
func changed[M proto.Message](r *Resource, m M, change func(M)) *Resource {
	if err := proto.Unmarshal(r.Any.GetValue(), m); err != nil {
		panic(err)
	}
	change(m)
	out := NewResource(r.Type, r.Name, marshal(m))
	out.Needs = r.Needs
	return out
}

func onListener(name string, change func(*listenerv3.Listener)) func(*Resource) *Resource {
	return func(r *Resource) *Resource {
		if r.Type != Listener || r.Name != name {
			return r
		}
		return changed(r, &listenerv3.Listener{}, func(l *listenerv3.Listener) {
			if name != "inbound" || len(l.FilterChains) > 0 { // a client's has none
				change(l)
			}
		})
	}
}

func onAssignment(change func(*endpointv3.ClusterLoadAssignment)) func(*Resource) *Resource {
	return func(r *Resource) *Resource {
		if r.Type != Endpoint || r.Name != "shop/web:80" {
			return r
		}
		return changed(r, &endpointv3.ClusterLoadAssignment{}, change)
	}
}

func socket(a *corev3.Address) *corev3.SocketAddress { return a.GetSocketAddress() }

func firstOf(l *endpointv3.ClusterLoadAssignment) *corev3.SocketAddress {
	return socket(l.Endpoints[0].LbEndpoints[0].GetEndpoint().GetAddress())
}

// flaws are defects that composing might have.
var flaws = map[string]func(*Resource) *Resource{
	"two target ports are swapped": onListener("inbound", func(l *listenerv3.Listener) {
		a, b := l.FilterChains[0].FilterChainMatch, l.FilterChains[len(l.FilterChains)-1].FilterChainMatch
		a.DestinationPort, b.DestinationPort = b.DestinationPort, a.DestinationPort
	}),
	"a chain is dropped":            onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains = l.FilterChains[1:] }),
	"a chain is there twice":        onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains = append(l.FilterChains, l.FilterChains[0]) }),
	"a chain's match is lost":       onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains[0].FilterChainMatch = nil }),
	"a chain takes every port":      onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains[0].FilterChainMatch.DestinationPort = nil }),
	"a chain takes plain text":      onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains[0].FilterChainMatch.TransportProtocol = "" }),
	"a chain's certificates go":     onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains[0].TransportSocket = nil }),
	"a chain's server names go":     onListener("inbound", func(l *listenerv3.Listener) { tcpChain(l).FilterChainMatch.ServerNames = nil }),
	"a chain has another's filters": onListener("inbound", func(l *listenerv3.Listener) { l.FilterChains[0].Filters = tcpChain(l).Filters }),
	"a filter is lost":              onListener("inbound", func(l *listenerv3.Listener) { c := tcpChain(l); c.Filters = c.Filters[1:] }),
	"the inspector of TLS goes":     onListener("inbound", func(l *listenerv3.Listener) { l.ListenerFilters = l.ListenerFilters[:1] }),
	"a default chain appears":       onListener("inbound", func(l *listenerv3.Listener) { l.DefaultFilterChain = l.FilterChains[0] }),
	"another service's address":     onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { socket(l.Address).Address = "10.0.0.1" }),
	"another service's port": onListener("outbound/shop/web:80", func(l *listenerv3.Listener) {
		socket(l.Address).PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: 81}
	}),
	"one address more": onListener("outbound/shop/web:80", func(l *listenerv3.Listener) {
		l.AdditionalAddresses = []*listenerv3.AdditionalAddress{{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{Address: "10.0.0.99", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 80}}}}}}
	}),
	"every address":                onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { socket(l.Address).Address = "0.0.0.0" }),
	"the name of another listener": onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { l.Name = "outbound/shop/admin:81" }),
	"no address at all":            onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { l.Address = nil }),
	"the outbound chain is gone":   onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { l.FilterChains = nil }),
	"it binds its port":            onListener("outbound/shop/web:80", func(l *listenerv3.Listener) { l.BindToPort = wrapperspb.Bool(true) }),
	"no range is refused":          onListener("outbound", func(l *listenerv3.Listener) { l.FilterChains = l.FilterChains[:len(l.FilterChains)-1] }),
	"a range is too narrow": onListener("outbound", func(l *listenerv3.Listener) {
		l.FilterChains[len(l.FilterChains)-1].FilterChainMatch.PrefixRanges[0].PrefixLen = wrapperspb.UInt32(28)
	}),
	"an address is not refused": onListener("outbound", func(l *listenerv3.Listener) {
		m := l.FilterChains[len(l.FilterChains)-1].FilterChainMatch
		m.PrefixRanges = m.PrefixRanges[:1]
	}),
	"refused are one port's only": onListener("outbound", func(l *listenerv3.Listener) {
		l.FilterChains[len(l.FilterChains)-1].FilterChainMatch.DestinationPort = wrapperspb.UInt32(80)
	}),
	"an endpoint is somebody else's": onAssignment(func(l *endpointv3.ClusterLoadAssignment) { firstOf(l).Address = "10.9.9.9" }),
	"an endpoint has another port": onAssignment(func(l *endpointv3.ClusterLoadAssignment) {
		firstOf(l).PortSpecifier = &corev3.SocketAddress_PortValue{PortValue: 9090}
	}),
	"an endpoint is lost":           onAssignment(func(l *endpointv3.ClusterLoadAssignment) { l.Endpoints = nil }),
	"the endpoints of another name": onAssignment(func(l *endpointv3.ClusterLoadAssignment) { l.ClusterName = "shop/admin:81" }),
	"bytes that are no message": func(r *Resource) *Resource {
		if r.Name != "outbound/shop/web:80" || r.Type != Listener {
			return r
		}
		return NewResource(Listener, r.Name, r.Any.GetValue()[:len(r.Any.GetValue())-1])
	},
}

func tcpChain(l *listenerv3.Listener) *listenerv3.FilterChain {
	for _, c := range l.FilterChains {
		if len(c.GetFilterChainMatch().GetServerNames()) > 0 {
			return c
		}
	}
	panic("no chain of a TCP port")
}

// sent is all that buyer's and web's proxies are sent of what link composes.
func sent(t *testing.T, w *World) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, v := range []struct{ who, workload string }{{"buyer", "shop/buyer-0"}, {"web", "shop/web-0"}} {
		view, err := w.ForWorkload(account(v.who), v.workload)
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range []Type{Listener, Route, Extension, Cluster} {
			for r := range view.All(typ) {
				out[v.who+" "+typ.String()+" "+r.Name] = r.Version
			}
		}
	}
	for _, c := range []string{"shop/admin:81", "shop/db:5432", "shop/web:80"} {
		out["EDS "+c] = w.Endpoints(c).Version
	}
	return out
}

// A defect of composing is withheld: whoever was served what it should replace
// keeps that, a finding says so, and everything else is served as ever.
func TestWhatIsComposedWronglyIsWithheld(t *testing.T) {
	b := twin(t)
	for name, flaw := range flaws {
		t.Run(name, func(t *testing.T) {
			before := After(nil, b, lives(1), nil)
			was := sent(t, before)
			right := sent(t, After(nil, b, lives(11), nil))
			for _, bundles := range []string{"the same bundle", "another bundle"} {
				var noted diag.List
				note := func(f diag.Finding) { noted.Add(f) }
				w := before
				if bundles == "the same bundle" {
					w.flaw, w.note = flaw, note
					w = w.With(lives(11))
				} else {
					w = flawed(before, twin(t), lives(11), flaw, note)
				}
				got := sent(t, w)
				before.flaw, before.note = nil, nil
				kept := 0
				for k, v := range got {
					if v == right[k] {
						continue
					}
					if v != was[k] {
						t.Errorf("%s: %s is neither what was served nor what should be", bundles, k)
					}
					kept++
				}
				if kept == 0 || len(got) != len(was) {
					t.Errorf("%s: %d resources stay as they were, of %d, before of %d", bundles, kept, len(got), len(was))
				}
				if len(noted) != 1 || noted[0].Code != "MSH4611" || !strings.Contains(noted[0].Message, "as composed") {
					t.Errorf("%s: the findings are %v", bundles, noted)
				}
			}
		})
	}
}

// flawed is After with a defect.
func flawed(before *World, b *bundle.Bundle, snap *catalog.Snapshot, flaw func(*Resource) *Resource, note func(diag.Finding)) *World {
	s := newStatic(b)
	s.flaw, s.note = flaw, note
	s.before.Store(before)
	return (&World{static: s, snapshot: &catalog.Snapshot{}}).With(snap)
}
