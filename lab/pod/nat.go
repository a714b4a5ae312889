package pod

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/lab/wire"
)

// NAT is what a cluster's kube-proxy does: connections to a virtual address go to
// one of the targets. Envoy's own connections are not to virtual addresses, so
// meshed pods have the rules too, for UDP and for what leaves the mesh.
type NAT struct{ Rules []NATRule }

// NATRule is one virtual address and port; without targets connections are refused.
type NATRule struct {
	UDP     bool
	Virtual netip.AddrPort
	Targets []netip.AddrPort // of the same family
}

// natTable is the table of these rules; natPriority puts them behind interception
// (-100), which has decided first what goes to Envoy.
const (
	natTable    = "meshc_lab"
	natPriority = -90
)

// nat replaces all rules in one transaction.
func nat(c *wire.Call) (any, error) {
	var args NAT
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: natTable}
	conn.AddTable(table)
	conn.DelTable(table)
	conn.AddTable(table)
	chain := conn.AddChain(&nftables.Chain{
		Table: table, Name: "output", Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(natPriority),
	})
	for _, r := range args.Rules {
		if len(r.Targets) == 0 {
			refuse := &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: append(r.match(), refuse)})
		}
		for i := range r.Targets {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: r.toTarget(i)})
		}
	}
	return nil, conn.Flush()
}

// toTarget is the rule for target i: it takes one in as many of the connections as
// there are targets left, so that each target gets an equal share.
func (r NATRule) toTarget(i int) []expr.Any {
	exprs := r.match()
	if left := len(r.Targets) - i; left > 1 {
		exprs = append(exprs,
			&expr.Numgen{Register: 1, Modulus: uint32(left), Type: unix.NFT_NG_RANDOM},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0, 0, 0, 0}})
	}
	target := r.Targets[i]
	family := uint32(unix.NFPROTO_IPV4)
	if target.Addr().Is6() {
		family = unix.NFPROTO_IPV6
	}
	return append(exprs,
		&expr.Immediate{Register: 1, Data: target.Addr().AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, target.Port())},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: family, RegAddrMin: 1, RegProtoMin: 2})
}

// match holds for packets to the virtual address and port.
func (r NATRule) match() []expr.Any {
	family, offset, size := byte(unix.NFPROTO_IPV4), uint32(16), uint32(4) // destination in the IPv4 header
	if r.Virtual.Addr().Is6() {
		family, offset, size = unix.NFPROTO_IPV6, 24, 16
	}
	protocol := byte(unix.IPPROTO_TCP)
	if r.UDP {
		protocol = unix.IPPROTO_UDP
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: r.Virtual.Addr().AsSlice()},
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{protocol}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, r.Virtual.Port())},
	}
}
