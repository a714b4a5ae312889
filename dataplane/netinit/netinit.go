// Package netinit makes a network namespace hand its TCP connections to the
// Envoy in it: nftables rules written over netlink in one transaction, for IPv4
// and IPv6. Input is typed; nothing is a shell's. It knows the ports of the
// data plane and nothing of policy.
package netinit

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// The data plane's ports.
const (
	OutboundPort = 15001
	InboundPort  = 15003
	MetricsPort  = 15010
)

// Table is the name of the nftables table, family inet.
const Table = "meshc"

// inbound sources: Envoy delivers to the application from these.
var (
	source4 = netip.MustParseAddr("127.0.0.6")
	source6 = netip.MustParseAddr("::6")
)

// Exemption tells Envoy's own connections from the application's.
type Exemption struct {
	by    string // "", "uid" or "mark"
	value uint32
}

// UID exempts the processes of a user: Envoy runs as 1500 in pods and in the
// lab as root.
func UID(uid uint32) Exemption { return Exemption{"uid", uid} }

// Mark exempts the sockets with this SO_MARK: for namespaces that know one user only.
func Mark(mark uint32) Exemption { return Exemption{"mark", mark} }

// Ports is a range of ports, both ends in it. To 0 means From alone.
type Ports struct{ From, To uint16 }

func (p Ports) last() uint16 {
	if p.To == 0 {
		return p.From
	}
	return p.To
}

// String is FROM or FROM-TO.
func (p Ports) String() string {
	if p.last() == p.From {
		return fmt.Sprint(p.From)
	}
	return fmt.Sprintf("%d-%d", p.From, p.To)
}

// Options are what is intercepted: everything, or what they include, but never
// what they exclude.
type Options struct {
	Exempt Exemption // required
	// IncludeInbound are the only ports of the workload that are intercepted,
	// ExcludeInbound those that are reached directly. None: all, and none.
	IncludeInbound, ExcludeInbound []Ports
	// IncludeOutbound and IncludeRanges are what is intercepted of the workload's
	// calls: those to one of the ports, and those to an address in one of the
	// ranges. Neither: all of them. ExcludeOutbound and ExcludeRanges it calls
	// directly in any case.
	IncludeOutbound, ExcludeOutbound []Ports
	IncludeRanges, ExcludeRanges     []netip.Prefix
	// ExcludeInterfaces are links, such as a second network's, whose traffic is
	// left alone both ways.
	ExcludeInterfaces []string
	// Own are ports that Envoy itself serves beside 15003 and 15010, for probes: who
	// calls the workload there reaches Envoy, and the workload can call nobody there,
	// as 15001 would hand such a call to its own Envoy.
	Own []Ports
}

// Check says what is wrong with the options, before anything is changed.
func (o Options) Check() error {
	switch {
	case o.Exempt.by == "":
		return errors.New("nothing is exempt: Envoy's own connections would come back to it for ever")
	case o.Exempt.value == 0:
		return fmt.Errorf("%s 0 is exempt: nearly everything has it, so nearly nothing would be intercepted", o.Exempt.by)
	}
	for _, p := range slices.Concat(o.IncludeInbound, o.ExcludeInbound, o.IncludeOutbound, o.ExcludeOutbound, o.Own) {
		if p.From == 0 || p.last() < p.From {
			return fmt.Errorf("%s is not a range of ports", p)
		}
	}
	for _, name := range o.ExcludeInterfaces {
		if name == "" || len(name) >= unix.IFNAMSIZ || strings.ContainsAny(name, "/ \t\n") {
			return fmt.Errorf("%q is not the name of an interface", name)
		}
	}
	for _, r := range slices.Concat(o.IncludeRanges, o.ExcludeRanges) {
		switch {
		case !r.IsValid() || r.Addr().Is4In6():
			return fmt.Errorf("%s is not a range of addresses", r)
		case r != r.Masked():
			return fmt.Errorf("range %s has bits past its mask: %s is meant, or another one", r, r.Masked())
		}
	}
	return nil
}

// Apply intercepts the connections of the calling thread's network namespace.
// It replaces what an earlier Apply did, in one transaction. Open connections
// stay as they are.
func Apply(o Options) error {
	if err := o.Check(); err != nil {
		return fmt.Errorf("netinit: %w", err)
	}
	if err := prepareLoopback(); err != nil {
		return fmt.Errorf("netinit: loopback: %w", explain(err))
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("netinit: %w", explain(err))
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: Table}
	conn.AddTable(table) // so that deleting it never fails
	conn.DelTable(table)
	conn.AddTable(table)
	for _, c := range chains(o) {
		chain := conn.AddChain(&nftables.Chain{
			Table: table, Name: c.name, Type: nftables.ChainTypeNAT,
			Hooknum: c.hook, Priority: nftables.ChainPriorityNATDest,
		})
		for _, r := range c.rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: r})
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("netinit: nftables: %w", explain(err))
	}
	return nil
}

// Remove undoes Apply. Where there is nothing to undo it does nothing.
func Remove() error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("netinit: %w", explain(err))
	}
	table := &nftables.Table{Family: nftables.TableFamilyINet, Name: Table}
	conn.AddTable(table)
	conn.DelTable(table)
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("netinit: nftables: %w", explain(err))
	}
	if err := restoreLoopback(); err != nil {
		return fmt.Errorf("netinit: loopback: %w", explain(err))
	}
	return nil
}

// Applied tells whether Apply ran in this namespace and nobody undid it.
func Applied() (bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("netinit: %w", explain(err))
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return false, fmt.Errorf("netinit: nftables: %w", explain(err))
	}
	return slices.ContainsFunc(tables, func(t *nftables.Table) bool { return t.Name == Table }), nil
}

// explain says what the kernel's refusals mean here.
func explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: this needs CAP_NET_ADMIN in the network namespace of the workload", err)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: this kernel lacks a part of nftables (nat and redirect for the inet family, reject)", err)
	}
	return err
}
