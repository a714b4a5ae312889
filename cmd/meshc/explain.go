package main

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

func newExplainCmd(s streams) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "explain CODE [PATH...]",
		Short: "Explain a finding's code, offline, with a bad and a good example",
		Long: `Explain a finding's code, offline, with a bad and a good example.

A code that is none of meshc's own is looked up among the rules that the meshc.yaml
of PATH (default: the working folder) has judge.`,
		Example: "  meshc explain MSH1004\n  meshc explain MSH1506\n  meshc explain --list",
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				all := append(diag.Codes(), policies.Entries()...)
				slices.SortStableFunc(all, func(a, b diag.Entry) int { return cmp.Compare(a.Code, b.Code) })
				for _, e := range all {
					fmt.Fprintf(s.Out, "%s  %-7s  %s\n", e.Code, e.Build, e.Title)
				}
				return nil
			}
			if len(args) == 0 {
				return usage(fmt.Errorf("explain needs a code, or --list"))
			}
			e, err := entryOf(s, diag.Code(strings.ToUpper(args[0])), args[1:])
			if err != nil {
				return err
			}
			fmt.Fprint(s.Out, explanation(e))
			return nil
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list every code")
	return cmd
}

// entryOf finds a rule of the library, a built-in code or a rule of the sources.
func entryOf(s streams, code diag.Code, paths []string) (diag.Entry, error) {
	for _, r := range policies.LibraryRules() {
		if r.Code == code {
			return r.Explained(nil)
		}
	}
	if e, ok := diag.Lookup(code); ok {
		return e, nil
	}
	tree, _, err := source.Load(source.Options{Paths: paths, Stdin: s.In, RuleSets: keptRules})
	if err != nil && len(paths) > 0 {
		return diag.Entry{}, input(err)
	}
	if err == nil {
		files, _ := syntax.Parse(tree)
		judge, _ := policies.For(tree, files.Config) // what is wrong with rules is told by check
		for _, r := range judge.Known() {
			if r.Code == code {
				e, err := r.Explained(os.DirFS(path.Dir(r.File)))
				if err != nil {
					return e, input(err)
				}
				return e, nil
			}
		}
	}
	return diag.Entry{}, usage(fmt.Errorf("no finding has the code %q: see 'meshc explain --list'; rules of your own are found with 'meshc explain CODE PATH'", code))
}

// usualLevels are what a code weighs at each stage where meshc.yaml says nothing;
// nil for one that is neither built in nor of the library.
func usualLevels(code string) []string {
	for _, r := range policies.LibraryRules() {
		if string(r.Code) != code {
			continue
		}
		return levelsOf(r)
	}
	e, ok := diag.Lookup(diag.Code(code))
	if !ok {
		return nil
	}
	return []string{e.Build.String(), e.Admission.String(), e.Live.String()}
}

// levelsOf are what a rule weighs at each stage where meshc.yaml says nothing.
func levelsOf(r *policies.Rule) []string {
	var out []string
	for _, stage := range policies.Stages() {
		out = append(out, string(r.Level(stage)))
	}
	return out
}

// explanation is the text of one code.
func explanation(e diag.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", e.Code, e.Title)
	fmt.Fprintf(&b, "severity: %s in a build, %s at admission, %s in a live mesh\n\n%s\n", e.Build, e.Admission, e.Live, strings.TrimSpace(e.Explain))
	for _, x := range []struct{ head, text string }{{"Bad", e.Bad}, {"Good", e.Good}} {
		if x.text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n%s\n", x.head, indent(x.text))
		}
	}
	return b.String()
}

func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.Trim(s, "\n"), "\n", "\n    ")
}
