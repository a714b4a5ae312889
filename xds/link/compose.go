package link

import (
	"net/netip"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers of the messages that are composed. Appending a field to a
// message's bytes sets it, adds to it, or merges with it: that is protobuf's own
// rule for parsing, and it saves link from decoding what the compiler made.
const (
	listenerName       = 1
	listenerAddress    = 2
	listenerChains     = 3
	listenerAdditional = 33
	chainMatch         = 1
	matchPrefixRanges  = 3
	matchPort          = 8
	additionalAddress  = 1
	uint32Value        = 1
)

func appendMessage(b []byte, field protowire.Number, body []byte) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

// withAddresses gives a listener its name and its addresses, the first as
// address, the others as additional_addresses.
func withAddresses(body []byte, name string, at []netip.AddrPort) []byte {
	out := append(make([]byte, 0, len(body)+len(name)+40*len(at)), body...)
	out = appendMessage(out, listenerName, []byte(name))
	for i, a := range at {
		addr := socketAddress(a)
		if i == 0 {
			out = appendMessage(out, listenerAddress, addr)
		} else {
			out = appendMessage(out, listenerAdditional, appendMessage(nil, additionalAddress, addr))
		}
	}
	return out
}

func socketAddress(a netip.AddrPort) []byte {
	return marshal(&core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address:       a.Addr().String(),
		PortSpecifier: &core.SocketAddress_PortValue{PortValue: uint32(a.Port())},
	}}})
}

// withChain appends a chain to a listener after merging more into the chain's
// filter_chain_match.
func withChain(body, chain, match []byte) []byte {
	chain = appendMessage(append(make([]byte, 0, len(chain)+len(match)+4), chain...), chainMatch, match)
	return appendMessage(body, listenerChains, chain)
}

// onPort is a filter_chain_match with nothing but a destination port.
func onPort(port uint16) []byte {
	value := protowire.AppendTag(nil, uint32Value, protowire.VarintType)
	value = protowire.AppendVarint(value, uint64(port))
	return appendMessage(nil, matchPort, value)
}

// onRanges is a filter_chain_match with nothing but destination ranges.
func onRanges(ranges []netip.Prefix) []byte {
	var out []byte
	for _, r := range ranges {
		out = appendMessage(out, matchPrefixRanges, marshal(&core.CidrRange{
			AddressPrefix: r.Addr().String(),
			PrefixLen:     wrapUint32(uint32(r.Bits())),
		}))
	}
	return out
}

// marshal serialises a message of our own making: it cannot fail.
func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("link: " + err.Error())
	}
	return b
}

// checked decodes a composed listener as Envoy will and judges it by the rules
// of its fields. An error is our defect, and the listener must not be served.
func checked(r *Resource) error {
	var l listener.Listener
	if err := proto.Unmarshal(r.Any.GetValue(), &l); err != nil {
		return err
	}
	return l.ValidateAll()
}
