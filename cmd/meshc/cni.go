package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/dataplane/cni"
)

const cniHelp = `Intercept the connections of meshed pods from outside of them, so that no container
of a pod needs NET_ADMIN: for namespaces that enforce baseline or restricted pods.

It puts itself on the node as the chained CNI plugin meshc-cni, at the end of the
network that the container runtime uses, and keeps it there until it is told to end.
The runtime runs the plugin for every pod that starts; the annotation
meshc.dev/interception, which the injector writes, says what to intercept. Where the
plugin did not run, the pod's own init container sees that and the pod does not start.

The plugin stays when this ends, so that a pod started meanwhile is intercepted;
--remove takes it off the node.`

func newCNICmd(s streams) *cobra.Command {
	var node cni.Node
	var remove bool
	cmd := &cobra.Command{
		Use:   "cni",
		Short: "Keep the CNI plugin that intercepts pods on this node",
		Long:  cniHelp,
		Example: `  meshc cni --bin-dir /host/opt/cni/bin --conf-dir /host/etc/cni/net.d
  meshc cni --remove`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if remove {
				return orEngine(node.Remove())
			}
			if node.Program, err = os.Executable(); err != nil {
				return engine(err)
			}
			node.Log = slog.New(slog.NewTextHandler(s.Err, nil))
			ctx, stop := untilStopped(cmd)
			defer stop()
			return orEngine(node.Keep(ctx))
		},
	}
	f := cmd.Flags()
	f.StringVar(&node.BinDir, "bin-dir", "/opt/cni/bin", "`DIR` of the node's plugins")
	f.StringVar(&node.ConfDir, "conf-dir", "/etc/cni/net.d", "`DIR` of the node's networks")
	f.BoolVar(&remove, "remove", false, "take the plugin off the node")
	return cmd
}
