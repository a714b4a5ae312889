package link

import (
	"net/netip"
	"slices"
	"sync"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/proto"
)

// IPv4 is the view for a proxy whose kernel has no IPv6: Envoy refuses there
// every resource that holds an IPv6 address, even one it would not bind.
func (v View) IPv4() View {
	v.outbound, v.inbound = v.outbound.ipv4(), v.inbound.ipv4()
	return v
}

// narrow is a part without IPv6, made when the first proxy asks for it.
type narrow struct {
	once sync.Once
	part *part
}

func (p *part) ipv4() *part {
	if p == nil {
		return nil
	}
	p.narrow.once.Do(func() {
		out := &part{sets: p.sets, findings: p.findings}
		for t, only := range map[Type]func(*Resource) *Resource{Listener: listenerIPv4, Cluster: clusterIPv4} {
			out.sets[t] = nil
			for _, r := range p.sets[t] {
				if r = only(r); r != nil {
					out.sets[t] = append(out.sets[t], r)
				}
			}
		}
		p.narrow.part = out
	})
	return p.narrow.part
}

// listenerIPv4 leaves out a listener's IPv6 addresses, and the listener if it
// has no other. A chain whose ranges were all of IPv6 keeps none: it then takes
// every address, and it is there to refuse.
func listenerIPv4(r *Resource) *Resource {
	l := &listener.Listener{}
	size := decode(r, l)
	all := append([]*listener.AdditionalAddress{{Address: l.GetAddress()}}, l.GetAdditionalAddresses()...)
	all = slices.DeleteFunc(all, func(a *listener.AdditionalAddress) bool { return isIPv6(a.GetAddress()) })
	if len(all) == 0 {
		return nil
	}
	l.Address, l.AdditionalAddresses = all[0].GetAddress(), all[1:]
	for _, c := range l.GetFilterChains() {
		if m := c.GetFilterChainMatch(); m != nil {
			m.PrefixRanges = slices.DeleteFunc(m.GetPrefixRanges(), func(p *core.CidrRange) bool { return textIPv6(p.GetAddressPrefix()) })
		}
	}
	return encoded(r, l, size)
}

// clusterIPv4 leaves out the IPv6 addresses that a cluster's connections come from.
func clusterIPv4(r *Resource) *Resource {
	c := &cluster.Cluster{}
	size := decode(r, c)
	if b := c.GetUpstreamBindConfig(); b != nil {
		b.ExtraSourceAddresses = slices.DeleteFunc(b.GetExtraSourceAddresses(), func(e *core.ExtraSourceAddress) bool {
			return textIPv6(e.GetAddress().GetAddress())
		})
	}
	return encoded(r, c, size)
}

// EndpointsIPv4 are a cluster's endpoints for a proxy whose kernel has no IPv6.
func EndpointsIPv4(r *Resource) *Resource {
	if r == nil {
		return nil
	}
	a := &endpoint.ClusterLoadAssignment{}
	size := decode(r, a)
	for _, l := range a.GetEndpoints() {
		l.LbEndpoints = slices.DeleteFunc(l.GetLbEndpoints(), func(e *endpoint.LbEndpoint) bool { return isIPv6(e.GetEndpoint().GetAddress()) })
	}
	a.Endpoints = slices.DeleteFunc(a.GetEndpoints(), func(l *endpoint.LocalityLbEndpoints) bool { return len(l.GetLbEndpoints()) == 0 })
	return encoded(r, a, size)
}

// decode reads a resource that was checked when it was loaded or composed, and
// gives its size for encoded.
func decode(r *Resource, m proto.Message) int {
	if err := proto.Unmarshal(r.Any.GetValue(), m); err != nil {
		panic("link: " + r.Name + ": " + err.Error())
	}
	return proto.Size(m)
}

// encoded is a resource with a message that things were taken out of; the same
// resource if nothing was, in its own bytes: those are composed, and the same
// message has many.
func encoded(r *Resource, m proto.Message, size int) *Resource {
	if proto.Size(m) == size {
		return r
	}
	out := NewResource(r.Type, r.Name, marshal(m))
	out.Needs = r.Needs
	return out
}

func isIPv6(a *core.Address) bool { return textIPv6(a.GetSocketAddress().GetAddress()) }

func textIPv6(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is6()
}
