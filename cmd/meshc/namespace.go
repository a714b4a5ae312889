package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
)

func newNamespaceCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "namespace",
		Short: "Add namespaces of a cluster to the mesh, and take them out",
	}
	cmd.AddCommand(newNamespaceAddCmd(s), newNamespaceRemoveCmd(s), newNamespaceListCmd(s), newNamespaceIgnoreCmd(s))
	return cmd
}

// meshFlags say which mesh is meant.
type meshFlags struct {
	controlFlags
	mesh string
}

func (f *meshFlags) add(cmd *cobra.Command) {
	f.controlFlags.add(cmd)
	cmd.Flags().StringVar(&f.mesh, "mesh", "", "`NAME` of the mesh (default the installed one's)")
}

// meet opens the cluster and finds the mesh's name.
func (f *meshFlags) meet(ctx context.Context) (*api.Client, error) {
	c, err := f.open()
	if err != nil || f.mesh != "" {
		return c, err
	}
	record, err := install.Find(ctx, c, f.namespace)
	if err != nil {
		return nil, input(err)
	}
	if record == nil {
		return nil, usage(errors.New("no mesh is installed in namespace " + f.namespace + ": name one with --mesh, or say where it is with --namespace"))
	}
	f.mesh = record.Mesh
	return c, nil
}

func newNamespaceAddCmd(s streams) *cobra.Command {
	f := &meshFlags{}
	var osm, quiet bool
	cmd := &cobra.Command{
		Use:   "add NAMESPACE...",
		Short: "Add namespaces to the mesh",
		Long: `Label namespaces as the mesh's: pods that are made in them from now on get a proxy.
Those that run get none until they are made anew; it tells which. With --osm the
words of Open Service Mesh are written, which mean the same.`,
		Example: "  meshc namespace add shop cart\n  meshc namespace add --no-injection legacy",
		Args:    cobra.MinimumNArgs(1),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&osm, "osm", false, "write openservicemesh.io/monitored-by in the place of meshc.dev/mesh")
	cmd.Flags().BoolVar(&quiet, "no-injection", false, "their pods get no proxy, but those that ask for one")
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		c, err := f.meet(cmd.Context())
		if err != nil {
			return err
		}
		join := install.Join{Mesh: f.mesh, Osm: osm, NoInjection: quiet, Home: f.namespace}
		found, err := join.Refusals(cmd.Context(), c, names)
		if err != nil {
			return input(err)
		}
		if err := report.emit(s, found, nil); err != nil {
			return err
		}
		for _, name := range names {
			if err := join.Add(cmd.Context(), c, name); err != nil {
				return input(err)
			}
			fmt.Fprintf(s.Out, "namespace %s is of mesh %s\n", name, f.mesh)
		}
		return tellRestarts(cmd.Context(), s, c, f.mesh, names)
	}
	return cmd
}

func newNamespaceRemoveCmd(s streams) *cobra.Command {
	return leavingCmd(s, &cobra.Command{
		Use:   "remove NAMESPACE...",
		Short: "Take namespaces out of the mesh",
		Long: `Take the labels of the mesh off namespaces, in whichever form they are there. Pods that
run keep their proxies until they are made anew; it tells which.`,
		Example: "  meshc namespace remove shop",
	}, false, "is of no mesh")
}

func newNamespaceIgnoreCmd(s streams) *cobra.Command {
	return leavingCmd(s, &cobra.Command{
		Use:   "ignore NAMESPACE...",
		Short: "Keep namespaces out of every mesh",
		Long: `Take namespaces out of the mesh and label them openservicemesh.io/ignore: "true":
nothing in them is injected, whatever else it says. "meshc namespace add" takes the
word back.`,
		Example: "  meshc namespace ignore monitoring",
	}, true, "is ignored")
}

func leavingCmd(s streams, cmd *cobra.Command, ignored bool, says string) *cobra.Command {
	f := &meshFlags{}
	f.add(cmd)
	cmd.Args = cobra.MinimumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		c, err := f.meet(cmd.Context())
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := install.Leave(cmd.Context(), c, name, ignored); err != nil {
				return input(err)
			}
			fmt.Fprintf(s.Out, "namespace %s %s\n", name, says)
		}
		return tellRestarts(cmd.Context(), s, c, f.mesh, names)
	}
	return cmd
}

// tellRestarts tells whose pods are to be made anew.
func tellRestarts(ctx context.Context, s streams, c *api.Client, mesh string, names []string) error {
	all, err := install.Members(ctx, c, mesh)
	if err != nil {
		return input(err)
	}
	for _, m := range all {
		if !slices.Contains(names, m.Name) {
			continue
		}
		for _, r := range m.Restart {
			fmt.Fprintf(s.Err, "to be made anew: %s\n", restart(r))
		}
	}
	return nil
}

// restart is how a workload's pods are made anew.
func restart(r api.Ref) string {
	kind := strings.ToLower(r.Kind)
	if slices.Contains([]string{"deployment", "statefulset", "daemonset"}, kind) {
		return fmt.Sprintf("kubectl -n %s rollout restart %s/%s", r.Namespace, kind, r.Name)
	}
	return fmt.Sprintf("%s %s of namespace %s", kind, r.Name, r.Namespace)
}

func newNamespaceListCmd(s streams) *cobra.Command {
	f := &meshFlags{}
	var every bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the namespaces of the mesh, and how many of their pods have a proxy",
		Example: "  meshc namespace list\n  meshc namespace list --all",
		Args:    cobra.NoArgs,
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&every, "all", false, "list namespaces of no mesh too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.meet(cmd.Context())
		if err != nil {
			return err
		}
		all, err := install.Members(cmd.Context(), c, f.mesh)
		if err != nil {
			return input(err)
		}
		w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "NAMESPACE\tMESH\tINJECTION\tPODS\tWITH A PROXY\tTO BE MADE ANEW")
		for _, m := range all {
			if m.Mesh == "" && !m.Ignored && m.Proxies == 0 && !every {
				continue
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\n", m.Name, orDash(m.Mesh), injectionOf(m), m.Pods, m.Proxies, orDash(names(m.Restart)))
		}
		return w.Flush()
	}
	return cmd
}

func injectionOf(m install.Member) string {
	switch {
	case m.Ignored:
		return "ignored"
	case m.Mesh == "":
		return "-"
	case m.In(m.Mesh):
		return "enabled"
	}
	return "disabled"
}

func names(refs []api.Ref) string {
	var out []string
	for _, r := range refs {
		out = append(out, strings.ToLower(r.Kind)+"/"+r.Name)
	}
	return strings.Join(out, ", ")
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
