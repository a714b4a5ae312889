package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/deploy/install"
)

func newUninstallCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var what install.Removal
	var all, wait bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take the control plane out of a cluster",
		Long: `Take the control plane out of a cluster: webhooks first, then everything that
"meshc install" made and that the controller made after it. What is left is told,
with the reason. Without a flag this is policy with its definitions (they then serve
their newest version alone, for nobody converts any more), the root key of the mesh,
and the labels of namespaces.

Proxies that run keep what they have until their pods are made anew: it tells where
there are some. An uninstall that broke off is simply run again; run again with another
flag, it deletes what the first one left.`,
		Example: "  meshc uninstall --dry-run\n  meshc uninstall\n  meshc uninstall --delete-all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all {
				what.Definitions, what.Labels, what.Authority = true, true, true
			}
			if !wait {
				timeout = 0
			}
			return f.uninstall(cmd.Context(), s, what, timeout)
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&what.DryRun, "dry-run", false, "tell what would be deleted and left, and change nothing")
	flags.BoolVar(&what.Definitions, "delete-crds", false, "delete the definitions, and with them all policy in the cluster")
	flags.BoolVar(&what.Labels, "delete-labels", false, "take the mesh's labels off namespaces")
	flags.BoolVar(&what.Authority, "delete-ca", false, "delete the mesh's root key, and the namespace")
	flags.BoolVar(&all, "delete-all", false, "delete all of these")
	flags.BoolVar(&wait, "wait", false, "wait until what is deleted is gone")
	flags.DurationVar(&timeout, "timeout", 5*time.Minute, "how long --wait waits")
	return cmd
}

// uninstall deletes, and waits until that is gone for as long as it is given.
func (f *controlFlags) uninstall(ctx context.Context, s streams, what install.Removal, wait time.Duration) error {
	c, err := f.open()
	if err != nil {
		return err
	}
	record, err := install.Installed(ctx, c, f.namespace)
	if err == nil && record == nil {
		record, err = install.Leftovers(ctx, c, f.namespace)
	}
	if err != nil {
		return input(err)
	}
	if record == nil {
		fmt.Fprintf(s.Err, "nothing is installed in namespace %s\n", f.namespace)
		return nil
	}
	changes, err := install.Remove(ctx, c, f.namespace, record, what, install.Options{Tell: func(c install.Change) { fmt.Fprintln(s.Out, c) }})
	if err != nil {
		return input(err)
	}
	if wait > 0 && !what.DryRun {
		if err := install.Vanished(ctx, c, changes, wait); err != nil {
			return input(err)
		}
	}
	sidecars, err := install.Sidecars(ctx, c)
	if err != nil {
		return input(err)
	}
	for _, ns := range slices.Sorted(maps.Keys(sidecars)) {
		fmt.Fprintf(s.Err, "%s of namespace %s still run with a proxy: kubectl -n %s rollout restart deployment,statefulset,daemonset\n", plural(sidecars[ns], "pod"), ns, ns)
	}
	return nil
}
