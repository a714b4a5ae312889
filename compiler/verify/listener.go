package verify

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	originaldstv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/original_dst/v3"
	tlsinspectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/listener/tls_inspector/v3"
)

// listener is where connections come in.
type listener struct {
	name      string
	addresses []netip.AddrPort
	handsOn   bool // to the listener of the original destination
	inspects  bool // it looks for TLS before it picks a chain
	chains    []*chain
	otherwise *chain
}

// chain is a filter chain with what picks it; zero values pick anything.
type chain struct {
	name      string
	port      uint32
	prefixes  []netip.Prefix
	names     []string
	transport string
	alpn      []string
	tls       *tlsContext
	filters   []filter
}

func newListener(m *listenerv3.Listener) (*listener, error) {
	if err := only(m, "name", "address", "additional_addresses", "bind_to_port", "use_original_dst", "traffic_direction",
		"listener_filters", "listener_filters_timeout", "continue_on_listener_filters_timeout",
		"filter_chains", "default_filter_chain", "stat_prefix", "per_connection_buffer_limit_bytes"); err != nil {
		return nil, err
	}
	l := &listener{name: m.Name, handsOn: m.UseOriginalDst.GetValue()}
	var err error
	if l.addresses, err = addressesOf(m); err != nil {
		return nil, err
	}
	for _, f := range m.ListenerFilters {
		if err := l.listenerFilter(f); err != nil {
			return nil, inside(err, "listener filter %s", f.GetName())
		}
	}
	if l.chains, err = each(m.FilterChains, newChain); err != nil {
		return nil, err
	}
	if m.DefaultFilterChain != nil {
		l.otherwise, err = newChain(m.DefaultFilterChain)
	}
	return l, err
}

func addressesOf(m *listenerv3.Listener) ([]netip.AddrPort, error) {
	var out []netip.AddrPort
	for _, a := range append([]*corev3.Address{m.Address}, additional(m)...) {
		if a == nil {
			continue
		}
		at, err := addrPort(a)
		if err != nil {
			return nil, err
		}
		out = append(out, at)
	}
	return out, nil
}

func additional(m *listenerv3.Listener) []*corev3.Address {
	out := make([]*corev3.Address, len(m.AdditionalAddresses))
	for i, a := range m.AdditionalAddresses {
		out[i] = a.GetAddress()
	}
	return out
}

func addrPort(a *corev3.Address) (netip.AddrPort, error) {
	s := a.GetSocketAddress()
	if s == nil {
		return netip.AddrPort{}, fmt.Errorf("address %T is not understood", a.GetAddress())
	}
	ip, err := netip.ParseAddr(s.Address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(ip, uint16(s.GetPortValue())), nil
}

func (l *listener) listenerFilter(m *listenerv3.ListenerFilter) error {
	if err := only(m, "name", "typed_config"); err != nil {
		return err
	}
	config, err := unpack(m.GetTypedConfig())
	if err != nil {
		return err
	}
	switch c := config.(type) {
	case *originaldstv3.OriginalDst:
		return only(c)
	case *tlsinspectorv3.TlsInspector:
		l.inspects = true
		return only(c)
	}
	return fmt.Errorf("%T is not understood", config)
}

func newChain(m *listenerv3.FilterChain) (*chain, error) {
	err := only(m, "name", "filter_chain_match", "transport_socket", "filters", "metadata")
	if err != nil {
		return nil, err
	}
	c := &chain{name: m.Name}
	if m.FilterChainMatch != nil {
		if err := c.match(m.FilterChainMatch); err != nil {
			return nil, inside(err, "chain %s", m.Name)
		}
	}
	if c.tls, err = newTLS(m.TransportSocket); err != nil {
		return nil, inside(err, "chain %s", m.Name)
	}
	c.filters, err = each(m.Filters, newFilter)
	if err == nil && len(c.filters) == 0 {
		err = errors.New("there are no filters")
	}
	return c, inside(err, "chain %s", m.Name)
}

func (c *chain) match(m *listenerv3.FilterChainMatch) error {
	if err := only(m, "destination_port", "prefix_ranges", "server_names", "transport_protocol", "application_protocols"); err != nil {
		return err
	}
	c.port, c.names, c.transport, c.alpn = m.DestinationPort.GetValue(), m.ServerNames, m.TransportProtocol, m.ApplicationProtocols
	for _, n := range m.ServerNames {
		if strings.Contains(n, "*") || n != strings.ToLower(n) {
			return fmt.Errorf("server name %q is not understood", n)
		}
	}
	for _, r := range m.PrefixRanges {
		addr, err := netip.ParseAddr(r.GetAddressPrefix())
		if err != nil {
			return err
		}
		c.prefixes = append(c.prefixes, netip.PrefixFrom(addr, int(r.GetPrefixLen().GetValue())).Masked())
	}
	return nil
}

// pick finds the chain of a connection as Envoy does: by port, address, server
// name, transport and application protocol in turn, the most specific at each,
// and never back. nil is no chain: Envoy closes the connection.
func (l *listener) pick(c *request) (*chain, error) {
	sni, transport, alpn := "", "raw_buffer", []string(nil)
	if l.inspects && c.tls != nil {
		sni, transport, alpn = c.tls.sni, "tls", c.tls.alpn
	}
	var room [16]*chain
	left := append(room[:0], l.chains...)
	left = prefer(left, func(f *chain) bool { return f.port == uint32(c.to.Port()) }, func(f *chain) bool { return f.port == 0 })
	left = byPrefix(left, c.to.Addr().Unmap())
	left = prefer(left, func(f *chain) bool { return sni != "" && slices.Contains(f.names, sni) }, func(f *chain) bool { return len(f.names) == 0 })
	left = prefer(left, func(f *chain) bool { return f.transport == transport }, func(f *chain) bool { return f.transport == "" })
	left = byALPN(left, alpn)
	switch len(left) {
	case 0:
		return l.otherwise, nil
	case 1:
		return left[0], nil
	}
	return nil, fmt.Errorf("listener %s: chains %s and %s match alike, Envoy refuses them", l.name, left[0].name, left[1].name)
}

// prefer keeps the exact ones, if there are any, else the indifferent ones.
func prefer(in []*chain, exact, indifferent func(*chain) bool) []*chain {
	if slices.ContainsFunc(in, exact) {
		return keep(in, exact)
	}
	return keep(in, indifferent)
}

// keep filters in place.
func keep(in []*chain, f func(*chain) bool) []*chain {
	out := in[:0]
	for _, c := range in {
		if f(c) {
			out = append(out, c)
		}
	}
	return out
}

// byPrefix keeps the chains of the longest prefix that holds the address.
func byPrefix(in []*chain, addr netip.Addr) []*chain {
	best := -1
	longest := func(c *chain) int {
		bits := -1
		if len(c.prefixes) == 0 {
			bits = 0
		}
		for _, p := range c.prefixes {
			if p.Contains(addr) {
				bits = max(bits, p.Bits())
			}
		}
		return bits
	}
	for _, c := range in {
		best = max(best, longest(c))
	}
	return keep(in, func(c *chain) bool { return best >= 0 && longest(c) == best })
}

func byALPN(in []*chain, offered []string) []*chain {
	for _, p := range offered {
		speaks := func(c *chain) bool { return slices.Contains(c.alpn, p) }
		if slices.ContainsFunc(in, speaks) {
			return keep(in, speaks)
		}
	}
	return keep(in, func(c *chain) bool { return len(c.alpn) == 0 })
}
