package pod

import (
	"encoding/binary"
	"net"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
	"github.com/vishvananda/netlink"

	"github.com/meshc/meshc/lab/wire"
)

type Intercept struct{ Mark, UID uint32 }

func intercept(c *wire.Call) (any, error) {
	var a Intercept
	c.Decode(&a)
	lo, _ := netlink.LinkByName("lo")
	netlink.AddrReplace(lo, &netlink.Addr{IPNet: &net.IPNet{IP: net.ParseIP("::6"), Mask: net.CIDRMask(128, 128)}})
	conn, _ := nftables.New()
	t := &nftables.Table{Family: nftables.TableFamilyINet, Name: "meshc"}
	conn.AddTable(t)
	conn.DelTable(t)
	conn.AddTable(t)
	out := conn.AddChain(&nftables.Chain{Table: t, Name: "output", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityRef(-100)})
	pre := conn.AddChain(&nftables.Chain{Table: t, Name: "prerouting", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRef(-100)})
	ret := []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}
	redir := func(p uint16) []expr.Any {
		return []expr.Any{&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, p)}, &expr.Redir{RegisterProtoMin: 1}}
	}
	lo_ := []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: append([]byte("lo"), make([]byte, 14)...)}}
	tcp := []expr.Any{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{6}}}
	ex := []expr.Any{&expr.Meta{Key: expr.MetaKeySKUID, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.NativeEndian.AppendUint32(nil, a.UID)}}
	if a.Mark != 0 {
		ex = []expr.Any{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.NativeEndian.AppendUint32(nil, a.Mark)}}
	}
	addr := func(v6 bool, off4, off6 uint32, ip []byte) []expr.Any {
		fam, off := byte(unix.NFPROTO_IPV4), off4
		if v6 {
			fam, off = unix.NFPROTO_IPV6, off6
		}
		return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{fam}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: off, Len: uint32(len(ip))}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: ip}}
	}
	dport := func(p uint16) []expr.Any {
		return append(append([]expr.Any{}, tcp...), &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, p)})
	}
	add := func(ch *nftables.Chain, es ...[]expr.Any) {
		var all []expr.Any
		for _, e := range es {
			all = append(all, e...)
		}
		conn.AddRule(&nftables.Rule{Table: t, Chain: ch, Exprs: all})
	}
	add(out, lo_, addr(false, 12, 8, net.ParseIP("127.0.0.6").To4()), ret)
	add(out, lo_, addr(true, 12, 8, net.ParseIP("::6").To16()), ret)
	add(out, lo_, addr(false, 16, 24, []byte{127}), ret)
	add(out, lo_, addr(true, 16, 24, net.IPv6loopback), ret)
	add(out, lo_, ex, tcp, redir(15003))
	add(out, ex, ret)
	add(out, lo_, ret)
	add(out, tcp, redir(15001))
	add(pre, dport(15003), ret)
	add(pre, dport(15010), ret)
	add(pre, tcp, redir(15003))
	return nil, conn.Flush()
}
