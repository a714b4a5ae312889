package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/admin"
	"github.com/meshc/meshc/deploy/api"
)

// askEnvoy bounds how long an Envoy may take to tell its configuration.
const askEnvoy = time.Minute

func newProxyGetCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var what, output string
	cmd := &cobra.Command{
		Use:   "get NAMESPACE/POD",
		Short: "Show what a pod's Envoy has now: listeners, routes, clusters, endpoints, certificates",
		Long: `Ask a pod's Envoy what it has now, by the admin address that is for the pod alone: the
API server forwards the question, as with "kubectl port-forward", and no port is opened
here. FROM names the objects that a resource comes from and, where the served bundle
knows them, their files and lines. With -o it is as Envoy says it; what may be secret is
redacted.`,
		Example: "  meshc proxy get shop/web-7c9f\n  meshc proxy get shop/web-7c9f --what routes\n  meshc proxy get shop/web-7c9f --what clusters -o yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind := strings.TrimSuffix(what, "s") + "s"
			if kind == "alls" {
				kind = ""
			} else if !slices.Contains(admin.Kinds, kind) {
				return usage(fmt.Errorf("--what %q is none of %s, all", what, strings.Join(admin.Kinds, ", ")))
			}
			return f.showEnvoy(cmd.Context(), s, args[0], output, func(dump map[string]any) any {
				if kind == "" {
					return dump
				}
				return admin.Section(dump, kind)
			}, kind)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&what, "what", "all", "`KIND`: "+strings.Join(admin.Kinds, ", ")+" or all")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text, json or yaml")
	return cmd
}

func newProxyConfigCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var output string
	cmd := &cobra.Command{
		Use:     "config NAMESPACE/POD",
		Short:   "Print the whole configuration of a pod's Envoy, as it says it",
		Long:    "Print the whole configuration of a pod's Envoy as its admin interface says it, with its\nbootstrap and endpoints, without private keys and tokens. \"meshc proxy get\" reads it.",
		Example: "  meshc proxy config shop/web-7c9f\n  meshc proxy config shop/web-7c9f -o json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "text" {
				return usage(fmt.Errorf("-o %q is none of yaml, json", output))
			}
			return f.showEnvoy(cmd.Context(), s, args[0], output, func(dump map[string]any) any { return dump }, "")
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "yaml", "`FORMAT`: yaml or json")
	return cmd
}

// showEnvoy asks a pod's Envoy, and shows the part of its configuration that is wanted.
func (f *controlFlags) showEnvoy(ctx context.Context, s streams, word, output string, part func(map[string]any) any, kind string) error {
	if !slices.Contains([]string{"text", "json", "yaml"}, output) {
		return usage(fmt.Errorf("-o %q is none of text, json, yaml", output))
	}
	c, err := f.open()
	if err != nil {
		return err
	}
	quietKlog()
	ns, pod := podOf(word, c.Namespace)
	web := c.Inside(ns, pod, admin.Port)
	defer web.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, askEnvoy)
	defer cancel()
	dump, err := admin.Dump(ctx, web)
	if err != nil {
		return input(fmt.Errorf("the Envoy of pod %s/%s does not tell its configuration: %w", ns, pod, err))
	}
	switch output {
	case "json":
		e := json.NewEncoder(s.Out)
		e.SetIndent("", "  ")
		return e.Encode(part(dump))
	case "yaml":
		text, err := yaml.Marshal(part(dump))
		if err != nil {
			return engine(err)
		}
		_, err = s.Out.Write(text)
		return err
	}
	return f.printEnvoy(ctx, s, c, web, dump, kind)
}

func (f *controlFlags) printEnvoy(ctx context.Context, s streams, c *api.Client, web *http.Client, dump map[string]any, kind string) error {
	hosts, err := admin.Hosts(ctx, web)
	if err != nil {
		return input(err)
	}
	from, err := f.origins(ctx, c)
	if err != nil {
		fmt.Fprintf(s.Err, "where objects are written is not told: %v\n", err)
	}
	for i, t := range admin.Tables(dump, hosts, kind, from) {
		if i > 0 {
			fmt.Fprintln(s.Out)
		}
		fmt.Fprintln(s.Out, strings.ToUpper(t.Kind))
		w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, strings.Join(t.Columns, "\t"))
		for _, row := range t.Rows {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// origins tells where objects are written, as far as the bundle that is served says it:
// of one that was built from files; objects of the cluster are in the cluster.
func (f *controlFlags) origins(ctx context.Context, c *api.Client) (func(string) string, error) {
	b, err := clusterBundle(ctx, c, f.namespace)
	if err != nil {
		return nil, err
	}
	at := map[string]string{}
	for _, o := range b.Mesh.Origins {
		name := o.Kind + "/" + o.Namespace + "/" + o.Name
		if place := fmt.Sprintf("%s:%d", o.File, o.Line); o.File != "" && o.File != name && (at[name] == "" || place < at[name]) {
			at[name] = place
		}
	}
	return func(name string) string { return at[name] }, nil
}
