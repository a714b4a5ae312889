package netinit

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// rule is a rule's expressions; chain is its rules in order.
type (
	rule  = []expr.Any
	chain struct {
		name  string
		hook  *nftables.ChainHook
		rules []rule
	}
)

// chains are all the rules, as DESIGN 7 lists them; the order is the meaning.
func chains(o Options) []chain {
	return []chain{
		{"output", nftables.ChainHookOutput, output(o)},
		{"prerouting", nftables.ChainHookPrerouting, prerouting(o)},
	}
}

// output is what the namespace's own processes send.
func output(o Options) []rule {
	exempt := o.Exempt.match()
	rules := []rule{
		// Envoy delivers to the application.
		join(onLoopback(), address(sourceOf, netip.PrefixFrom(source4, 32)), leave()),
		join(onLoopback(), address(sourceOf, netip.PrefixFrom(source6, 128)), leave()),
		// Traffic on loopback is not touched.
		join(onLoopback(), address(destinationOf, netip.MustParsePrefix("127.0.0.0/8")), leave()),
		join(onLoopback(), address(destinationOf, netip.MustParsePrefix("::1/128")), leave()),
		// Envoy calls its own workload: it enters by the front door.
		join(onLoopback(), exempt, tcp(), redirect(InboundPort)),
		join(exempt, leave()),
		join(onLoopback(), leave()),
		// 15001 would hand these to Envoy's own listeners of that port.
		join(ports(Ports{From: OutboundPort}), reject()),
		join(ports(Ports{From: InboundPort}), reject()),
		join(ports(Ports{From: MetricsPort}), leave()),
	}
	for _, name := range o.ExcludeInterfaces {
		rules = append(rules, join(link(expr.MetaKeyOIFNAME, name), leave()))
	}
	rules = append(rules, eachPort(o.Own, reject())...)
	rules = append(rules, eachPort(o.ExcludeOutbound, leave())...)
	rules = append(rules, eachRange(o.ExcludeRanges, leave())...)
	if len(o.IncludeOutbound)+len(o.IncludeRanges) == 0 {
		return append(rules, join(tcp(), redirect(OutboundPort)))
	}
	rules = append(rules, eachPort(o.IncludeOutbound, redirect(OutboundPort))...)
	return append(rules, eachRange(o.IncludeRanges, redirect(OutboundPort))...)
}

// prerouting is what comes from outside.
func prerouting(o Options) []rule {
	rules := []rule{
		join(ports(Ports{From: InboundPort}), leave()),
		join(ports(Ports{From: MetricsPort}), leave()),
	}
	for _, name := range o.ExcludeInterfaces {
		rules = append(rules, join(link(expr.MetaKeyIIFNAME, name), leave()))
	}
	rules = append(rules, eachPort(o.Own, leave())...)
	rules = append(rules, eachPort(o.ExcludeInbound, leave())...)
	if len(o.IncludeInbound) == 0 {
		return append(rules, join(tcp(), redirect(InboundPort)))
	}
	return append(rules, eachPort(o.IncludeInbound, redirect(InboundPort))...)
}

func eachPort(list []Ports, verdict rule) []rule {
	var out []rule
	for _, p := range list {
		out = append(out, join(ports(p), verdict))
	}
	return out
}

func eachRange(list []netip.Prefix, verdict rule) []rule {
	var out []rule
	for _, r := range list {
		out = append(out, join(tcp(), address(destinationOf, r), verdict))
	}
	return out
}

func join(parts ...rule) rule {
	var out rule
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// meta matches a property of the packet that the kernel knows.
func meta(key expr.MetaKey, value []byte) rule {
	return rule{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value}}
}

// onLoopback matches what leaves by lo: everything sent to an own address.
func onLoopback() rule { return link(expr.MetaKeyOIFNAME, "lo") }

// link matches the interface that a packet came or leaves by.
func link(key expr.MetaKey, name string) rule {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return meta(key, padded)
}

func (e Exemption) match() rule {
	key := expr.MetaKeySKUID
	if e.by == "mark" {
		key = expr.MetaKeyMARK
	}
	return meta(key, binaryutil.NativeEndian.PutUint32(e.value))
}

func tcp() rule { return meta(expr.MetaKeyL4PROTO, []byte{unix.IPPROTO_TCP}) }

// ports matches TCP to a range of ports.
func ports(p Ports) rule {
	match := join(tcp(), rule{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}})
	if p.last() == p.From {
		return join(match, rule{&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: bigEndian(p.From)}})
	}
	return join(match, rule{&expr.Range{Op: expr.CmpOpEq, Register: 1, FromData: bigEndian(p.From), ToData: bigEndian(p.last())}})
}

// side is where an address stands in the two headers, in bytes.
type side struct{ v4, v6 uint32 }

var (
	sourceOf      = side{12, 8}
	destinationOf = side{16, 24}
)

// address matches a range of addresses of one family.
func address(s side, p netip.Prefix) rule {
	family, offset := byte(unix.NFPROTO_IPV4), s.v4
	if p.Addr().Is6() {
		family, offset = unix.NFPROTO_IPV6, s.v6
	}
	size := uint32(p.Addr().BitLen() / 8)
	match := join(meta(expr.MetaKeyNFPROTO, []byte{family}),
		rule{&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size}})
	if p.Bits() < p.Addr().BitLen() {
		match = append(match, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask(p), Xor: make([]byte, size)})
	}
	return append(match, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Addr().AsSlice()})
}

func mask(p netip.Prefix) []byte {
	m := make([]byte, p.Addr().BitLen()/8)
	for i := range p.Bits() {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return m
}

func leave() rule { return rule{&expr.Verdict{Kind: expr.VerdictReturn}} }

// reject answers with a reset: the caller sees at once that nobody listens.
func reject() rule { return rule{&expr.Reject{Type: unix.NFT_REJECT_TCP_RST}} }

func redirect(port uint16) rule {
	return rule{&expr.Immediate{Register: 1, Data: bigEndian(port)}, &expr.Redir{RegisterProtoMin: 1}}
}

func bigEndian(port uint16) []byte { return binary.BigEndian.AppendUint16(nil, port) }
