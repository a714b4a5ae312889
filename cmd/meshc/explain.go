package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/policies"
)

func newExplainCmd(s streams) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:     "explain CODE",
		Short:   "Explain a finding's code, offline, with a bad and a good example",
		Example: "  meshc explain MSH1004\n  meshc explain --list",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				for _, e := range append(diag.Codes(), policies.Entries()...) {
					fmt.Fprintf(s.Out, "%s  %-7s  %s\n", e.Code, e.Build, e.Title)
				}
				return nil
			}
			if len(args) == 0 {
				return usage(fmt.Errorf("explain needs a code, or --list"))
			}
			e, ok := entryOf(diag.Code(strings.ToUpper(args[0])))
			if !ok {
				return usage(fmt.Errorf("no finding has the code %q: see 'meshc explain --list'", args[0]))
			}
			fmt.Fprint(s.Out, explanation(e))
			return nil
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list every code")
	return cmd
}

// entryOf finds a built-in code or a rule of the library.
func entryOf(code diag.Code) (diag.Entry, bool) {
	for _, e := range policies.Entries() {
		if e.Code == code {
			return e, true
		}
	}
	return diag.Lookup(code)
}

// usualLevels are what a code weighs at each stage where meshc.yaml says nothing;
// nil for one that is neither built in nor of the library.
func usualLevels(code string) []string {
	for _, r := range policies.LibraryRules() {
		if string(r.Code) != code {
			continue
		}
		var out []string
		for _, stage := range policies.Stages() {
			if level := string(r.Levels[stage]); !r.Disabled {
				out = append(out, level)
			} else {
				out = append(out, string(policies.LevelOff))
			}
		}
		return out
	}
	e, ok := diag.Lookup(diag.Code(code))
	if !ok {
		return nil
	}
	return []string{e.Build.String(), e.Admission.String(), e.Live.String()}
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
