package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/dataplane/netinit"
)

func newNetinitCmd(streams) *cobra.Command {
	var uid, mark uint32
	var words netinitWords
	var remove bool
	cmd := &cobra.Command{
		Use:   "netinit",
		Short: "Hand the TCP connections of this network namespace to the Envoy in it",
		Long:  "Rules are written to nftables in one transaction, for IPv4 and IPv6; running it again\nreplaces them. It needs CAP_NET_ADMIN in the namespace, and no other program. Envoy's own\nconnections are told apart by its user, or by a mark on its sockets.",
		Example: "  meshc netinit --uid 1500\n" +
			"  meshc netinit --include-outbound-ranges 10.96.0.0/16 --exclude-interfaces eth1\n" +
			"  meshc netinit --mark 1500 --exclude-inbound-ports 22 --exclude-outbound-ports 53,9000-9010\n" +
			"  meshc netinit --remove",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if remove {
				return orEngine(netinit.Remove())
			}
			o, err := words.options()
			o.Exempt = netinit.UID(uid)
			if cmd.Flags().Changed("mark") {
				o.Exempt = netinit.Mark(mark)
			}
			if err := errors.Join(err, o.Check()); err != nil {
				return usage(err)
			}
			return orEngine(netinit.Apply(o))
		},
	}
	f := cmd.Flags()
	f.Uint32Var(&uid, "uid", 1500, "`UID` that Envoy runs as")
	f.Uint32Var(&mark, "mark", 0, "`MARK` (SO_MARK) of Envoy's sockets, instead of --uid")
	words.add(cmd)
	f.BoolVar(&remove, "remove", false, "undo it")
	cmd.MarkFlagsMutuallyExclusive("uid", "mark")
	return cmd
}

// netinitWords are the flags that take lists.
type netinitWords struct {
	includeIn, excludeIn, includeOut, excludeOut, own []string
	includeRanges, excludeRanges, interfaces          []string
}

func (w *netinitWords) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&w.excludeIn, "exclude-inbound-ports", nil, "`PORTS` of the workload to leave alone, such as 22,9000-9010")
	f.StringSliceVar(&w.includeIn, "include-inbound-ports", nil, "the only `PORTS` of the workload to intercept (default all)")
	f.StringSliceVar(&w.excludeOut, "exclude-outbound-ports", nil, "`PORTS` that the workload calls directly")
	f.StringSliceVar(&w.includeOut, "include-outbound-ports", nil, "`PORTS` whose calls are intercepted: with this or --include-outbound-ranges, no others")
	f.StringSliceVar(&w.excludeRanges, "exclude-outbound-ranges", nil, "`RANGES` that the workload calls directly, such as 169.254.169.254/32")
	f.StringSliceVar(&w.includeRanges, "include-outbound-ranges", nil, "`RANGES` whose calls are intercepted: with this or --include-outbound-ports, no others")
	f.StringSliceVar(&w.interfaces, "exclude-interfaces", nil, "`LINKS` whose traffic is left alone, such as eth1")
	f.StringSliceVar(&w.own, "envoy-ports", nil, "`PORTS` that Envoy itself serves, for probes, beside 15003 and 15010")
}

func (w *netinitWords) options() (o netinit.Options, err error) {
	for _, list := range []struct {
		flag  string
		words []string
		to    *[]netinit.Ports
	}{
		{"--exclude-inbound-ports", w.excludeIn, &o.ExcludeInbound},
		{"--include-inbound-ports", w.includeIn, &o.IncludeInbound},
		{"--exclude-outbound-ports", w.excludeOut, &o.ExcludeOutbound},
		{"--include-outbound-ports", w.includeOut, &o.IncludeOutbound},
		{"--envoy-ports", w.own, &o.Own},
	} {
		ports, bad := parsePorts(list.flag, list.words)
		*list.to, err = ports, errors.Join(err, bad)
	}
	var errIn, errOut error
	o.IncludeRanges, errIn = parseRanges("--include-outbound-ranges", w.includeRanges)
	o.ExcludeRanges, errOut = parseRanges("--exclude-outbound-ranges", w.excludeRanges)
	o.ExcludeInterfaces = w.interfaces
	return o, errors.Join(err, errIn, errOut)
}

func orEngine(err error) error {
	if err != nil {
		return engine(err)
	}
	return nil
}

// parsePorts reads PORT and FROM-TO.
func parsePorts(flag string, words []string) ([]netinit.Ports, error) {
	var out []netinit.Ports
	for _, w := range words {
		from, to, isRange := strings.Cut(w, "-")
		a, errA := strconv.ParseUint(from, 10, 16)
		b, errB := a, error(nil)
		if isRange {
			b, errB = strconv.ParseUint(to, 10, 16)
		}
		if errA != nil || errB != nil {
			return nil, fmt.Errorf("%s: %q is neither a port nor FROM-TO", flag, w)
		}
		out = append(out, netinit.Ports{From: uint16(a), To: uint16(b)})
	}
	return out, nil
}

func parseRanges(flag string, words []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, w := range words {
		p, err := netip.ParsePrefix(w)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a range such as 10.0.0.0/8", flag, w)
		}
		out = append(out, p)
	}
	return out, nil
}
