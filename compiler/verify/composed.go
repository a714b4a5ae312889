package verify

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// What a plan says was proved with placeholders for addresses and ports. What the
// control plane makes of it, once they are known, means the same if it is the
// plan's own parts, unchanged, with the right addresses and ports in the places
// of the placeholders, and if each connection comes to the chain it came to
// before. That is judged here, on the message that is about to be served, with
// the interpreter's way of picking chains; it shares no code with what composed
// it. What the parts do by themselves was judged when they were compiled.

// Bound judges a listener of a service port: the plan's one with a name and the
// addresses, in any order, and nothing else.
func Bound(composed, plan []byte, name string, at []netip.AddrPort) error {
	got, want, err := readBoth(composed, plan)
	if err != nil {
		return err
	}
	l, err := shapeOf(got)
	if err != nil {
		return err
	}
	if err := sameAddresses(l.addresses, at); err != nil {
		return err
	}
	if got.Name != name {
		return fmt.Errorf("it is named %s and not %s", got.Name, name)
	}
	got.Address, got.AdditionalAddresses, want.Address, want.AdditionalAddresses = nil, nil, nil, nil
	want.Name = name
	return sameListener(got, want)
}

func sameAddresses(got, want []netip.AddrPort) error {
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, netip.AddrPort.Compare)
	slices.SortFunc(want, netip.AddrPort.Compare)
	if !slices.Equal(got, slices.Compact(want)) {
		return fmt.Errorf("it takes %v, and what is called there is at %v", got, want)
	}
	return nil
}

// Placed is a chain of a plan on a target port.
type Placed struct {
	Chain []byte
	Port  uint16
}

// Inbound judges the listener of a workload's inbound ports: the plan's one with
// each chain on its target port, in order, and nothing else. A connection that a
// chain is for must come to it.
func Inbound(composed, plan []byte, chains []Placed) error {
	got, want, err := readBoth(composed, plan)
	if err != nil {
		return err
	}
	for _, p := range chains {
		c := &listenerv3.FilterChain{}
		if err := decode(p.Chain, c); err != nil {
			return err
		}
		if c.FilterChainMatch == nil {
			c.FilterChainMatch = &listenerv3.FilterChainMatch{}
		}
		c.FilterChainMatch.DestinationPort = wrapperspb.UInt32(uint32(p.Port))
		want.FilterChains = append(want.FilterChains, c)
	}
	if err := sameListener(got, want); err != nil {
		return err
	}
	l, err := shapeOf(got)
	if err != nil {
		return err
	}
	for _, c := range l.chains {
		if err := l.comesTo(c); err != nil {
			return err
		}
	}
	return nil
}

// shapeOf is a listener with all that picks a chain, and nothing of what chains do.
func shapeOf(m *listenerv3.Listener) (*listener, error) {
	l := &listener{name: m.Name}
	var err error
	if l.addresses, err = addressesOf(m); err != nil {
		return nil, err
	}
	for _, f := range m.ListenerFilters {
		l.inspects = l.inspects || f.GetTypedConfig().MessageIs(&tlsinspectorv3.TlsInspector{})
	}
	for _, f := range m.FilterChains {
		c, err := pickedBy(f)
		if err != nil {
			return nil, err
		}
		l.chains = append(l.chains, c)
	}
	return l, nil
}

func pickedBy(m *listenerv3.FilterChain) (*chain, error) {
	c := &chain{name: m.Name}
	if m.FilterChainMatch == nil {
		return c, nil
	}
	return c, inside(c.match(m.FilterChainMatch), "chain %s", c.name)
}

// comesTo picks the chain of a connection that is made for one.
func (l *listener) comesTo(c *chain) error {
	r := &request{to: netip.AddrPortFrom(elsewhere, uint16(c.port))}
	if len(c.prefixes) > 0 {
		r.to = netip.AddrPortFrom(c.prefixes[0].Addr(), uint16(c.port))
	}
	if c.transport == "tls" || len(c.names) > 0 || len(c.alpn) > 0 {
		r.tls = &hello{alpn: c.alpn}
		if len(c.names) > 0 {
			r.tls.sni = c.names[0]
		}
	}
	got, err := l.pick(r)
	if err == nil && got != c {
		err = fmt.Errorf("a connection to port %d that is for chain %s comes to another", c.port, c.name)
	}
	return err
}

// Ranged judges the listener of all that a scope does not list: the plan's one
// with the chain that refuses the mesh's own addresses, on ranges that hold each
// of these; with none known it refuses everything.
func Ranged(composed, plan, chain []byte, known bool, own []netip.Addr, ranges []netip.Prefix) error {
	got, want, err := readBoth(composed, plan)
	if err != nil {
		return err
	}
	c := &listenerv3.FilterChain{}
	if err := decode(chain, c); err != nil {
		return err
	}
	if len(got.FilterChains) == 0 {
		return errors.New("the chain that refuses the mesh's own addresses is missing")
	}
	last := got.FilterChains[len(got.FilterChains)-1]
	placed, err := pickedBy(last)
	if err != nil {
		return err
	}
	if err := refuses(placed.prefixes, known, own, ranges); err != nil {
		return err
	}
	if m := last.GetFilterChainMatch(); m != nil {
		if m.PrefixRanges = nil; c.FilterChainMatch == nil {
			c.FilterChainMatch = &listenerv3.FilterChainMatch{}
		}
	}
	want.FilterChains = append(want.FilterChains, c)
	return sameListener(got, want)
}

func refuses(prefixes []netip.Prefix, known bool, own []netip.Addr, ranges []netip.Prefix) error {
	if !known {
		if len(prefixes) > 0 {
			return errors.New("the mesh's ranges are not known, and it refuses some addresses only")
		}
		return nil
	}
	if len(prefixes) == 0 {
		return nil // it refuses everything
	}
	for _, r := range ranges {
		if !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Bits() <= r.Bits() && p.Contains(r.Addr()) }) {
			return fmt.Errorf("it lets connections to the mesh's range %s leave the mesh", r)
		}
	}
	for _, a := range own {
		if !slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return fmt.Errorf("it lets connections to %s, an address of the mesh, leave the mesh", a)
		}
	}
	return nil
}

// Endpoints judges the endpoints of a cluster: these and no others, each with its
// target port, in any order.
func Endpoints(composed []byte, cluster string, at []netip.AddrPort) error {
	var m endpointv3.ClusterLoadAssignment
	if err := decode(composed, &m); err != nil {
		return err
	}
	if err := only(&m, "cluster_name", "endpoints"); err != nil {
		return err
	}
	if m.ClusterName != cluster {
		return fmt.Errorf("it is named %s and not %s", m.ClusterName, cluster)
	}
	want := make(map[netip.AddrPort]bool, len(at))
	for _, a := range at {
		want[a] = false
	}
	for _, group := range m.Endpoints {
		for _, e := range group.LbEndpoints {
			a, err := addrPort(e.GetEndpoint().GetAddress())
			if err != nil {
				return err
			}
			if _, ok := want[a]; !ok {
				return fmt.Errorf("it sends clients to %s, where no workload of its accounts takes this port", a)
			}
			want[a] = true
		}
	}
	for _, a := range at {
		if !want[a] {
			return fmt.Errorf("it sends no client to %s", a)
		}
	}
	return nil
}

func readBoth(composed, plan []byte) (got, want *listenerv3.Listener, err error) {
	got, want = &listenerv3.Listener{}, &listenerv3.Listener{}
	if err := decode(composed, got); err != nil {
		return nil, nil, err
	}
	return got, want, decode(plan, want)
}

// sameListener says in what a listener differs from what the plan has.
func sameListener(got, want *listenerv3.Listener) error {
	if len(got.FilterChains) != len(want.FilterChains) {
		return fmt.Errorf("it has %d chains and not %d", len(got.FilterChains), len(want.FilterChains))
	}
	for i, c := range want.FilterChains {
		g := got.FilterChains[i]
		switch {
		case !proto.Equal(g.FilterChainMatch, c.FilterChainMatch):
			return fmt.Errorf("chain %s takes connections {%v} and not {%v}", c.Name, g.FilterChainMatch, c.FilterChainMatch)
		case !proto.Equal(g, c):
			return fmt.Errorf("chain %s is not the one that was compiled", c.Name)
		}
	}
	if !proto.Equal(got, want) {
		return errors.New("something beside its chains is not what was compiled")
	}
	return nil
}
