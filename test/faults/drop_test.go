package faults

import (
	"encoding/binary"
	"fmt"
	"os"
	"strconv"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// dropRole is the first argument by which the test's binary is told to lose every
// Nth packet between the pod it runs in and the control plane, both ways; N is the
// second argument, 0 ends it. It counts packets, so runs are alike.
const dropRole = "meshc-faults-drop"

const dropTable = "meshc_faults"

func dropMain(args []string) int {
	every, err := strconv.Atoi(args[0])
	if err == nil {
		err = drop(every, 15128)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "drop packets:", err)
		return 1
	}
	return 0
}

func drop(every int, port uint16) error {
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: dropTable}
	conn.AddTable(table)
	conn.DelTable(table)
	if every > 0 {
		conn.AddTable(table)
		for _, way := range []struct {
			name   string
			hook   *nftables.ChainHook
			offset uint32 // of the control plane's port in the TCP header
		}{{"output", nftables.ChainHookOutput, 2}, {"input", nftables.ChainHookInput, 0}} {
			chain := conn.AddChain(&nftables.Chain{Table: table, Name: way.name, Type: nftables.ChainTypeFilter,
				Hooknum: way.hook, Priority: nftables.ChainPriorityFilter})
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
				&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: way.offset, Len: 2},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, port)},
				&expr.Numgen{Register: 1, Modulus: uint32(every), Type: unix.NFT_NG_INCREMENTAL},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0, 0, 0, 0}},
				&expr.Verdict{Kind: expr.VerdictDrop},
			}})
		}
	}
	return conn.Flush()
}
