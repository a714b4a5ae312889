package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/graph"
	"github.com/meshc/meshc/compiler/ir"
)

type graphFlags struct {
	canFlags   // where the mesh comes from
	namespaces []string
	identities []string
	depth      int
}

func newGraphCmd(s streams) *cobra.Command {
	f := &graphFlags{}
	cmd := &cobra.Command{
		Use:   "graph [SOURCE...]",
		Short: "Draw who may call whom",
		Long: `Draw the mesh: identities, services, who was granted what, which service's calls
are split over which, and which identities run a service.

The drawing goes to standard output, as Graphviz (dot), Mermaid, JSON, SVG, or as
one HTML page to zoom, search and filter, which asks nothing of the network.

--namespace keeps what lies in a namespace and what it is tied to. --identity keeps
what an identity may reach and who may reach it, over --depth calls.`,
		Example: `  meshc graph -o mermaid examples/01-bookstore
  meshc graph -o html examples/01-bookstore
  meshc graph -o svg --identity bookbuyer/bookbuyer --depth 2 examples/01-bookstore`,
	}
	f.report = addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	f.add(cmd)
	cmd.Flags().StringVar(&f.bundle, "bundle", "", "draw the bundle in `DIR`, or at oci://REF, instead of sources")
	cmd.Flags().StringVarP(&f.output, "output", "o", "dot", "`FORMAT` of the drawing: "+strings.Join(graph.Formats, ", "))
	cmd.Flags().StringArrayVar(&f.namespaces, "namespace", nil, "only what lies in the namespace `NAME`, and what it is tied to; repeatable")
	cmd.Flags().StringArrayVar(&f.identities, "identity", nil, "only what surrounds `NAMESPACE/SERVICEACCOUNT` or a SPIFFE id; repeatable")
	cmd.Flags().IntVar(&f.depth, "depth", 1, "how many `CALLS` around --identity; 0 for any number")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if cmd.Flags().Changed("depth") && len(f.identities) == 0 {
			return usage(fmt.Errorf("--depth counts calls around an --identity"))
		}
		return f.run(s, args)
	}
	return cmd
}

func (f *graphFlags) run(s streams, sources []string) error {
	write, ok := graph.Writers[f.output]
	switch {
	case !ok:
		return usage(fmt.Errorf("-o %q is none of %s", f.output, strings.Join(graph.Formats, ", ")))
	case f.depth < 0:
		return usage(fmt.Errorf("--depth %d is less than none", f.depth))
	case f.bundle != "" && len(sources) > 0:
		return usage(fmt.Errorf("--bundle and sources exclude each other"))
	}
	mesh, _, err := f.mesh(s, sources)
	if err != nil {
		return err
	}
	whole := graph.New(mesh)
	filter, err := f.filter(mesh, whole)
	if err != nil {
		return usage(err)
	}
	return write(s.Out, whole.Only(filter))
}

// filter is what the flags want of a graph. What it does not have is refused: an
// empty drawing would look like a mesh in which nobody calls anybody.
func (f *graphFlags) filter(mesh *ir.Mesh, g *graph.Graph) (graph.Filter, error) {
	out := graph.Filter{Namespaces: f.namespaces, Depth: f.depth}
	var namespaces, identities []string
	for _, n := range g.Nodes {
		namespaces = append(namespaces, n.Namespace)
		if n.Kind == graph.Identity {
			identities = append(identities, strings.TrimPrefix(n.ID, "identity:"))
		}
	}
	for _, ns := range f.namespaces {
		if !slices.Contains(namespaces, ns) {
			return out, fmt.Errorf("--namespace: nothing lies in %q%s", ns, meant(ns, namespaces))
		}
	}
	for _, written := range f.identities {
		id, ok := ir.ParseIdentity(mesh.Settings.TrustDomain, written)
		if !ok || !slices.Contains(identities, id.Short()) {
			return out, fmt.Errorf("--identity: no identity %q is known%s", written, meant(written, identities))
		}
		out.Identities = append(out.Identities, graph.IdentityID(id))
	}
	return out, nil
}

// meant asks whether a name near to one that is not known was meant.
func meant(name string, known []string) string {
	if near := diag.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return ""
}
