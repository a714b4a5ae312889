package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

func newPolicyCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Make, test and publish the rules that judge a mesh",
		Long: `Make, test, measure and publish the rules, written in Rego, that judge a mesh. A library
of them is built in; yours lie in the folders that spec.rules.dirs of meshc.yaml names.
docs/rules-format.md says how a rule is written.`,
	}
	cmd.AddCommand(newPolicyListCmd(s), newPolicyNewCmd(s), newPolicyTestCmd(s), newPolicyFmtCmd(s),
		newPolicyLintCmd(s), newPolicyBenchCmd(s), newPolicyDocsCmd(s),
		newPolicyPushCmd(s), newPolicyPullCmd(s))
	return cmd
}

func newPolicyListCmd(s streams) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list [PATH]",
		Short: "List the rules that are in force for a mesh, and those that are off",
		Long: `List the rules that are in force for a mesh: those of the library and those of the
folders in spec.rules.dirs, with the severities that meshc.yaml gives them. PATH is as in
check; without a meshc.yaml the library is listed as it is.`,
		Example: "  meshc policy list\n  meshc policy list examples/01-bookstore -o json",
		Args:    cobra.MaximumNArgs(1),
	}
	report := addReportFlags(cmd)
	compile := addCompileFlags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if output != "text" && output != "json" {
			return usage(fmt.Errorf("-o %q is neither text nor json", output))
		}
		tree := &source.Tree{}
		if len(args) > 0 {
			loaded, found, err := source.Load(source.Options{Paths: args, Environment: compile.env, RuleSets: keptRules})
			if err != nil {
				return errors.Join(input(err), report.emit(s, found, nil))
			}
			tree = loaded
		}
		files, _ := syntax.Parse(&source.Tree{Config: tree.Config, Environment: tree.Environment, Limits: tree.Limits})
		judge, found := policies.For(tree, files.Config)
		if err := printRules(s, output, judge.Known()); err != nil {
			return err
		}
		if err := report.emit(s, found, tree.Text); err != nil && policies.Failed(found) {
			return failed(exitEngine)
		} else if err != nil {
			return err
		}
		return nil
	}
	return cmd
}

// listedRule is a rule as `policy list -o json` prints it.
type listedRule struct {
	Code     string            `json:"code"`
	Title    string            `json:"title"`
	Severity map[string]string `json:"severity"` // by stage
	Scope    string            `json:"scope"`
	Kinds    []string          `json:"kinds,omitempty"`
	Params   []string          `json:"params,omitempty"`
	File     string            `json:"file"`
	Compares bool              `json:"needsBase,omitempty"` // it finds nothing without a base
}

func printRules(s streams, output string, rules []*policies.Rule) error {
	var out []listedRule
	for _, r := range rules {
		l := listedRule{Code: string(r.Code), Title: r.Title, Severity: map[string]string{}, Scope: string(r.Scope), Kinds: r.Kinds, File: r.File, Compares: r.Compares}
		for _, stage := range policies.Stages() {
			l.Severity[string(stage)] = string(r.Level(stage))
		}
		for _, p := range r.Params {
			l.Params = append(l.Params, p.Name)
		}
		out = append(out, l)
	}
	if output == "json" {
		enc := json.NewEncoder(s.Out)
		enc.SetIndent("", "  ")
		return enc.Encode(out)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CODE\tBUILD\tADMISSION\tLIVE\tJUDGES\tTITLE")
	for _, r := range out {
		if r.Compares {
			r.Title += " (silent without --base)"
		}
		judges := strings.Join(r.Kinds, ",")
		if judges == "" {
			judges = "the " + r.Scope
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Code, r.Severity["build"], r.Severity["admission"], r.Severity["live"], judges, r.Title)
	}
	return w.Flush()
}
