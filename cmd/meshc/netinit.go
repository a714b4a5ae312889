package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/dataplane/netinit"
)

func newNetinitCmd(streams) *cobra.Command {
	var uid, mark uint32
	var words netinit.Words
	var remove, verify bool
	cmd := &cobra.Command{
		Use:   "netinit",
		Short: "Hand the TCP connections of this network namespace to the Envoy in it",
		Long:  "Rules are written to nftables in one transaction, for IPv4 and IPv6; running it again\nreplaces them. It needs CAP_NET_ADMIN in the namespace, and no other program. Envoy's own\nconnections are told apart by its user, or by a mark on its sockets.",
		Example: "  meshc netinit --uid 1500\n" +
			"  meshc netinit --include-outbound-ranges 10.96.0.0/16 --exclude-interfaces eth1\n" +
			"  meshc netinit --mark 1500 --exclude-inbound-ports 22 --exclude-outbound-ports 53,9000-9010\n" +
			"  meshc netinit --verify\n" +
			"  meshc netinit --remove",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if remove {
				return orEngine(netinit.Remove())
			}
			o, err := words.Options()
			o.Exempt = netinit.UID(uid)
			if cmd.Flags().Changed("mark") {
				o.Exempt = netinit.Mark(mark)
			}
			if err := errors.Join(err, o.Check()); err != nil {
				return usage(err)
			}
			if verify {
				return orEngine(netinit.Verify(cmd.Context(), o))
			}
			return orEngine(netinit.Apply(o))
		},
	}
	f := cmd.Flags()
	f.Uint32Var(&uid, "uid", 1500, "`UID` that Envoy runs as")
	f.Uint32Var(&mark, "mark", 0, "`MARK` (SO_MARK) of Envoy's sockets, instead of --uid")
	netinitFlags(cmd, &words)
	f.BoolVar(&remove, "remove", false, "undo it")
	f.BoolVar(&verify, "verify", false, "change nothing; fail unless calls are intercepted already, as by meshc cni; it needs no privilege")
	cmd.MarkFlagsMutuallyExclusive("uid", "mark")
	cmd.MarkFlagsMutuallyExclusive("remove", "verify")
	return cmd
}

// netinitFlags binds flags to what is intercepted.
func netinitFlags(cmd *cobra.Command, w *netinit.Words) {
	f := cmd.Flags()
	f.StringSliceVar(&w.ExcludeInbound, "exclude-inbound-ports", nil, "`PORTS` of the workload to leave alone, such as 22,9000-9010")
	f.StringSliceVar(&w.IncludeInbound, "include-inbound-ports", nil, "the only `PORTS` of the workload to intercept (default all)")
	f.StringSliceVar(&w.ExcludeOutbound, "exclude-outbound-ports", nil, "`PORTS` that the workload calls directly")
	f.StringSliceVar(&w.IncludeOutbound, "include-outbound-ports", nil, "`PORTS` whose calls are intercepted: with this or --include-outbound-ranges, no others")
	f.StringSliceVar(&w.ExcludeRanges, "exclude-outbound-ranges", nil, "`RANGES` that the workload calls directly, such as 169.254.169.254/32")
	f.StringSliceVar(&w.IncludeRanges, "include-outbound-ranges", nil, "`RANGES` whose calls are intercepted: with this or --include-outbound-ports, no others")
	f.StringSliceVar(&w.ExcludeInterfaces, "exclude-interfaces", nil, "`LINKS` whose traffic is left alone, such as eth1")
	f.StringSliceVar(&w.Own, "envoy-ports", nil, "`PORTS` that Envoy itself serves, for probes, beside 15003 and 15010")
}

func orEngine(err error) error {
	if err != nil {
		return engine(err)
	}
	return nil
}
