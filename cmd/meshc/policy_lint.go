package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/suite"
)

const policyLintHelp = `Find what is weak in the rules below the folders that are named (default: the working
folder): metadata that say too little, parameters that are not explained or not used, helpers
that hide comparisons from the index of rules, walks over the mesh within one another, parts
that no deny needs, deprecated functions, missing samples. Each deny and each condition is
taken away, and the conditions are turned round too: what no test and no sample notices is a
finding.

Most findings are warnings: --fail-on warning makes them count. A finding may be accepted
until a day by a comment in the rule, above or beside what it is about (above everything, of
the whole file):

  # meshc:waive MSH0629 until=2027-01-31 owner=team reason="why"

Rules that cannot be judged by end the run with exit code 4.`

func newPolicyLintCmd(s streams) *cobra.Command {
	var noProof bool
	at := &judging{}
	cmd := &cobra.Command{
		Use:     "lint [DIR...]",
		Short:   "Find what is weak in how rules are written and proved",
		Long:    policyLintHelp,
		Example: "  meshc policy lint policies/lib/trace-method\n  meshc policy lint policies/lib --no-proof --report sarif=rules.sarif",
	}
	report := addReportFlags(cmd)
	cmd.Flags().StringVar(&at.now, "now", "", "judge ends of waivers at `TIME` (default the clock, or SOURCE_DATE_EPOCH)")
	cmd.Flags().BoolVar(&noProof, "no-proof", false, "leave out the search for parts that no test needs")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			args = []string{"."}
		}
		var found diag.List
		texts := map[string][]byte{}
		rules := 0
		for _, dir := range args {
			if err := isFolder(dir); err != nil {
				return err
			}
			of, read, n, err := suite.Lint(os.DirFS(dir), suite.LintOptions{Dir: filepath.ToSlash(dir), World: sampleWorld, NoProof: noProof})
			if err != nil {
				return input(err)
			}
			found.Add(of...)
			rules += n
			for name, text := range read {
				texts[name] = text
			}
		}
		now, err := at.time()
		if err != nil {
			return usage(err)
		}
		found = accepted(found, texts, now)
		err = report.emit(s, found, func(name string) ([]byte, bool) { text, ok := texts[name]; return text, ok })
		switch {
		case err != nil && exitCode(err) != exitFindings:
			return err
		case policies.Failed(found):
			return failed(exitEngine)
		case rules == 0 && len(found) == 0:
			return engine(errors.New("there is no rule: a rule's folder has a policy.rego with metadata"))
		case len(found) == 0 && len(report.reports) == 0:
			fmt.Fprintf(s.Err, "no findings in %s\n", plural(rules, "rule"))
		}
		return err
	}
	return cmd
}

// accepted marks the findings that comments in the rules waive.
func accepted(found diag.List, texts map[string][]byte, now time.Time) diag.List {
	var waivers []syntax.Waiver
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		own, faults := syntax.RegoWaivers(name, texts[name])
		waivers = append(waivers, own...)
		found.Add(faults...)
	}
	return waive.Apply(found, waivers, waive.Longest, now)
}

// isFolder judges a folder that was named on the command line.
func isFolder(dir string) error {
	if info, err := os.Stat(dir); err != nil {
		return input(err)
	} else if !info.IsDir() {
		return usage(fmt.Errorf("%s is no folder", dir))
	}
	return nil
}

// sampleWorld resolves the manifests of a sample; what is wrong with them is for
// `policy test` to say.
func sampleWorld(tree *source.Tree) policies.Proof {
	files, _ := syntax.Parse(tree)
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	world := policies.NewWorld(files, mesh, inventory, time.Time{})
	if tree.Before != nil {
		world.Since(sampleWorld(tree.Before).World)
	}
	return policies.Proof{World: world, Config: files.Config}
}
