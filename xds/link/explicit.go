package link

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	state "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/common/set_filter_state/v3"
	netstate "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/set_filter_state/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
)

// A machine whose connections nothing intercepts gets the same chains, routes and
// policies on other addresses: each of its upstreams on the loopback port that
// stands for it, its inbound ports on the machine's own addresses, from where
// they lead to the application on loopback.

// refusedAt is where such a machine's proxy answers what is no upstream, so that
// a program that dials it reads why.
var refusedAt = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 15001)

const (
	originalDstFilter = "envoy.filters.listener.original_dst"
	filterStateFilter = "envoy.filters.network.set_filter_state"
	// destinationKey is where an ORIGINAL_DST cluster looks for another address
	// than the one that was dialled.
	destinationKey = "envoy.network.transport_socket.original_dst_address"
)

// explicitly is the view of a workload that says at which ports it is proxied.
func (v View) explicitly(w *catalog.Workload) View {
	x := w.Explicit
	v.outbound = v.outbound.derive(fmt.Sprint("outbound", x.Upstreams), func(p *part) *part { return outboundAt(p, x.Upstreams) })
	v.inbound = v.inbound.derive(fmt.Sprint("inbound", w.Addresses, x.LocalPorts), func(p *part) *part { return inboundAt(p, w.Addresses, x.LocalPorts) })
	return v
}

// derived are parts made of another one, by what they were made for: equal
// demands share one, so that views of equal parts are equal.
type derived struct {
	mu  sync.Mutex
	all map[string]*part
}

func (p *part) derive(key string, from func(*part) *part) *part {
	if p == nil {
		return nil
	}
	p.derived.mu.Lock()
	defer p.derived.mu.Unlock()
	if done, ok := p.derived.all[key]; ok {
		return done
	}
	if p.derived.all == nil {
		p.derived.all = map[string]*part{}
	}
	done := from(p)
	p.derived.all[key] = done
	return done
}

// with is a part with other listeners.
func (p *part) with(listeners []*Resource) *part {
	out := &part{sets: p.sets, findings: slices.Clone(p.findings)}
	var good []*Resource
	for _, r := range listeners {
		if err := checked(r); err != nil {
			out.findings.Add(withheld(r.Name, err))
			continue
		}
		good = append(good, r)
	}
	out.sets[Listener] = newSet(good)
	return out
}

// outboundAt binds the listeners of upstreams to their loopback ports. One that
// the identity has no grant for keeps its name and says so: a grant that comes
// or goes changes a chain, and no address.
func outboundAt(p *part, upstreams []catalog.Upstream) *part {
	virtual := p.sets[Listener].Get("outbound")
	if virtual == nil {
		return p.with(nil)
	}
	refusing := refusal(virtual)
	out := []*Resource{rebound(virtual, refusing, virtual.Name, []netip.AddrPort{refusedAt})}
	binds := map[string][]netip.AddrPort{}
	var names []string
	for _, u := range upstreams {
		name := "outbound/" + ir.PortID{Service: u.Service, Port: u.Port}.String()
		if binds[name] == nil {
			names = append(names, name)
		}
		binds[name] = append(binds[name], u.Bind)
	}
	for _, name := range names {
		if r := p.sets[Listener].Get(name); r != nil {
			l := &listener.Listener{}
			decode(r, l)
			out = append(out, rebound(r, l, name, binds[name]))
			continue
		}
		out = append(out, rebound(virtual, refusing, name, binds[name]))
	}
	return p.with(out)
}

// refusal is the listener that answers 403 to everything: the one of unknown
// addresses, and where egress is allowed the one of the mesh's own.
func refusal(virtual *Resource) *listener.Listener {
	l := &listener.Listener{}
	decode(virtual, l)
	if own := l.GetFilterChains(); len(own) > 0 {
		l.DefaultFilterChain, l.FilterChains = own[0], nil
		l.DefaultFilterChain.FilterChainMatch = nil
	}
	l.UseOriginalDst = nil
	return l
}

// rebound is a listener's resource with sockets of its own.
func rebound(was *Resource, l *listener.Listener, name string, at []netip.AddrPort) *Resource {
	l.Name, l.BindToPort, l.Address, l.AdditionalAddresses = name, nil, nil, nil
	r := NewResource(Listener, name, withAddresses(marshal(l), name, at))
	r.Needs = was.Needs
	return r
}

// inboundAt binds a role's target ports to the machine's addresses. The machine's
// application listens on loopback: nobody reaches it past its proxy.
func inboundAt(p *part, addresses []netip.Addr, local map[uint16]uint16) *part {
	r := p.sets[Listener].Get("inbound")
	if r == nil {
		return p
	}
	l := &listener.Listener{}
	decode(r, l)
	var ports []uint16
	for _, c := range l.GetFilterChains() {
		port := uint16(c.GetFilterChainMatch().GetDestinationPort().GetValue())
		ports = append(ports, port)
		to := port
		if n, ok := local[port]; ok {
			to = n
		}
		c.Filters = append([]*listener.Filter{deliver(to)}, c.GetFilters()...)
	}
	l.ListenerFilters = slices.DeleteFunc(l.GetListenerFilters(), func(f *listener.ListenerFilter) bool { return f.GetName() == originalDstFilter })
	slices.Sort(ports)
	var at []netip.AddrPort
	for _, port := range slices.Compact(ports) {
		for _, a := range addresses {
			at = append(at, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	if len(at) == 0 {
		return p.with(nil)
	}
	return p.with([]*Resource{rebound(r, l, r.Name, at)})
}

// deliver sends a connection to a port of 127.0.0.1.
func deliver(port uint16) *listener.Filter {
	config := &netstate.Config{OnNewConnection: []*state.FilterStateValue{{
		Key: &state.FilterStateValue_ObjectKey{ObjectKey: destinationKey},
		Value: &state.FilterStateValue_FormatString{FormatString: &core.SubstitutionFormatString{
			Format: &core.SubstitutionFormatString_TextFormatSource{TextFormatSource: &core.DataSource{
				Specifier: &core.DataSource_InlineString{InlineString: "127.0.0.1:" + strconv.Itoa(int(port))},
			}},
		}},
	}}}
	return &listener.Filter{Name: filterStateFilter, ConfigType: &listener.Filter_TypedConfig{
		TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config", Value: marshal(config)},
	}}
}
