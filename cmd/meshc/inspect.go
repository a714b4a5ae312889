package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

type inspectFlags struct {
	registryFlags
	output   string
	identity string
	workload string
	role     string
	as       string
	catalog  string
}

func newInspectCmd(s streams) *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect BUNDLE|oci://REF",
		Short: "Show what is in a bundle, who gets what, and how large it is",
		Long: `Show what is in a bundle, who gets what, and how large it is.

With --identity it shows what one identity may call and who may call it. With
--as envoy as well it prints the complete Envoy configuration of that identity
as JSON that 'envoy --mode validate' accepts. What is known only at run time is
taken from --catalog; without one, services have placeholder addresses of
240.0.0.0/4 in order of name, and target ports that are names have numbers from
20000 up. Certificates stay references: a bundle holds no secret.`,
		Example: `  meshc inspect ./bundle
  meshc inspect ./bundle -o yaml --identity bookbuyer/bookbuyer
  meshc inspect ./bundle --identity bookbuyer/bookbuyer --as envoy > envoy.json`,
		Args: cobra.ExactArgs(1),
	}
	report := addReportFlags(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "`FORMAT` of what is shown: text, yaml or json")
	cmd.Flags().StringVar(&f.identity, "identity", "", "show one identity: `NAMESPACE/SERVICEACCOUNT` or a SPIFFE id")
	cmd.Flags().StringVar(&f.role, "role", "", "with --as envoy: the `ROLE` of an identity that has several")
	cmd.Flags().StringVar(&f.workload, "workload", "", "with --as envoy and --catalog: the `WORKLOAD` whose role it is")
	cmd.Flags().StringVar(&f.as, "as", "", "print configuration `KIND` instead: envoy")
	cmd.Flags().StringVar(&f.catalog, "catalog", "", "with --as envoy: bind addresses from a catalog `FILE`")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(); err != nil {
			return usage(err)
		}
		if err := f.idle(args[0]); err != nil {
			return err
		}
		b, err := openBundle(cmd.Context(), s, report, &f.registryFlags, args[0])
		if err != nil {
			return err
		}
		return f.run(s, report, args[0], b)
	}
	return cmd
}

func (f *inspectFlags) check() error {
	switch {
	case !slices.Contains([]string{"text", "yaml", "json"}, f.output):
		return fmt.Errorf("-o %q is none of text, yaml, json", f.output)
	case f.as != "" && f.as != "envoy":
		return fmt.Errorf("--as %q: the only kind is envoy", f.as)
	case f.as != "" && f.identity == "":
		return fmt.Errorf("--as envoy needs --identity NAMESPACE/SERVICEACCOUNT")
	case f.as == "" && (f.role != "" || f.workload != "" || f.catalog != ""):
		return fmt.Errorf("--role, --workload and --catalog belong to --as envoy")
	case f.workload != "" && f.catalog == "":
		return fmt.Errorf("--workload needs --catalog: a bundle knows roles, not workloads")
	case f.workload != "" && f.role != "":
		return fmt.Errorf("--workload and --role exclude each other")
	}
	return nil
}

func (f *inspectFlags) run(s streams, report *reportFlags, path string, b *bundle.Bundle) error {
	if f.identity == "" {
		return printView(s, f.output, viewBundle(path, b))
	}
	id, err := identityIn(b, f.identity)
	if err != nil {
		return err
	}
	if f.as == "" {
		return printView(s, f.output, viewIdentity(b, id))
	}
	return f.printEnvoy(s, report, b, id)
}

// openBundle opens a bundle; one that is refused ends the run with its findings.
func openBundle(ctx context.Context, s streams, report *reportFlags, from *registryFlags, path string) (*bundle.Bundle, error) {
	b, findings, err := from.read(ctx, path)
	if err != nil {
		return nil, err
	}
	if b == nil {
		if err := report.emit(s, findings, nil); err != nil {
			return nil, err
		}
		return nil, failed(exitFindings)
	}
	return b, nil
}

// identityIn finds an identity of the bundle by either of its names.
func identityIn(b *bundle.Bundle, name string) (ir.Identity, error) {
	id, ok := ir.ParseIdentity(b.Mesh.Settings.TrustDomain, name)
	if !ok {
		return "", usage(fmt.Errorf("--identity %q is neither NAMESPACE/SERVICEACCOUNT nor a SPIFFE id", name))
	}
	if !slices.ContainsFunc(b.Plan.Identities, func(p ir.IdentityPlan) bool { return p.Identity == id }) {
		return "", usage(fmt.Errorf("the bundle has no identity %s: `meshc inspect` without --identity lists them", id.Short()))
	}
	return id, nil
}

// view is something inspect shows: as text by itself, else by its fields.
type view interface{ text() string }

func printView(s streams, format string, v view) error {
	if format == "text" {
		_, err := fmt.Fprint(s.Out, v.text())
		return err
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return engine(err)
	}
	if format == "yaml" {
		if out, err = jsonToYAML(out); err != nil {
			return engine(err)
		}
	} else {
		out = append(out, '\n')
	}
	_, err = s.Out.Write(out)
	return err
}

// jsonToYAML keeps the order of fields.
func jsonToYAML(in []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(in, &doc); err != nil {
		return nil, err
	}
	var block func(*yaml.Node)
	block = func(n *yaml.Node) {
		n.Style = 0
		for _, c := range n.Content {
			block(c)
		}
	}
	block(&doc)
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, err
	}
	return out.Bytes(), e.Close()
}

// countBySeverity is how many findings a bundle was built with.
func countBySeverity(l diag.List) map[string]int {
	out := map[string]int{}
	for _, f := range l {
		out[f.Severity.String()]++
	}
	return out
}
