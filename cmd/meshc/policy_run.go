package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/suite"
)

const policyTestHelp = `Run the tests of the rules below the folders that are named (default: the working
folder): each test_ rule in a file that ends in _test.rego, in the sandbox in which rules
run; each bad sample, which must have the rule's finding on every line that ends in
"# want: CODE" and on no other; each good sample, which must have none.

With --compat conftest the folders hold policies that were written for conftest: their test_
rules run, as in 'conftest verify'; coverage is not counted.

With --coverage the lines of Rego that tests and samples reach are counted, for each file
and in total; --min-coverage fails the run when the total, in percent, is lower.

The exit code is 1 when something fails, and 4 when a rule does not compile or when there
is nothing to test.`

func newPolicyTestCmd(s streams) *cobra.Command {
	var run string
	var verbose bool
	var output testOutput
	cmd := &cobra.Command{
		Use:     "test [DIR...]",
		Short:   "Run the Rego tests of rules and judge their good and bad samples",
		Long:    policyTestHelp,
		Example: "  meshc policy test policies/lib\n  meshc policy test policies/lib --run trace -v\n  meshc policy test policies/lib --coverage --min-coverage 95",
	}
	cmd.Flags().StringVar(&run, "run", "", "only tests and samples whose name has a match of `REGEX`")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "list what passed, and what tests print")
	output.add(cmd)
	var compat compatFlags
	compat.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		only, err := regexp.Compile(run)
		if err != nil {
			return usage(fmt.Errorf("--run: %w", err))
		}
		if len(args) == 0 {
			args = []string{"."}
		}
		cover, err := output.check()
		if err != nil {
			return err
		}
		if err := compat.check(cmd); err != nil {
			return err
		}
		if compat.compat != "" {
			results, err := compat.test(args, only)
			if err != nil {
				return err
			}
			return output.print(s, results, nil, verbose)
		}
		var results []suite.Result
		for _, dir := range args {
			if err := isFolder(dir); err != nil {
				return err
			}
			of, err := suite.Run(os.DirFS(dir), sampleJudge(cover), suite.Options{Dir: filepath.ToSlash(dir), Only: only.MatchString, Cover: cover})
			if err != nil {
				return input(err)
			}
			results = append(results, of...)
		}
		return output.print(s, results, cover, verbose)
	}
	return cmd
}

// sampleJudge judges a sample by the rule that it is a sample of, and by no other:
// the library may hold another state of the same rule.
func sampleJudge(cover *policies.Coverage) suite.Compile {
	return func(tree *source.Tree) diag.List {
		files, found := syntax.Parse(tree)
		mesh, inventory, _, faults := resolve.Mesh(files, ir.Known{}, resolve.Options{})
		found.Add(faults...)
		judge, faults := policies.Load(policies.Options{Files: tree.Rules, Config: files.Config, NoLibrary: true})
		found.Add(faults...)
		world := policies.NewWorld(files, mesh, inventory, time.Time{})
		if tree.Before != nil {
			world.Since(sampleWorld(tree.Before).World)
		}
		found.Add(judge.Mesh(world, policies.Build)...)
		if cover != nil {
			cover.Judge(judge, world)
		}
		return found
	}
}

func printSuite(s streams, results []suite.Result, verbose bool) error {
	count := countSuite(results)
	for _, r := range results {
		state := "ok  "
		switch {
		case len(r.Findings) == 0 && len(r.Tests)+len(r.Samples) == 0:
			continue
		case !r.Passed():
			state = "FAIL"
		}
		if r.Code != "" { // policies of other tools have none
			state += "  " + string(r.Code)
		}
		fmt.Fprintf(s.Out, "%s  %s (%s, %s)\n", state, r.Dir, plural(len(r.Tests), "test"), plural(len(r.Samples), "sample"))
		printSuiteResult(s, r, verbose)
	}
	fmt.Fprintf(s.Out, "%s, %s of %s; %d failed\n", plural(count.tests, "test"), plural(count.samples, "sample"), plural(len(results), "rule"), count.wrong+count.broken)
	return count.verdict()
}

// suiteCount is what a run of tests came to, in rules that failed and could not be tested.
type suiteCount struct{ tests, samples, wrong, broken int }

func countSuite(results []suite.Result) suiteCount {
	var c suiteCount
	for _, r := range results {
		c.tests, c.samples = c.tests+len(r.Tests), c.samples+len(r.Samples)
		switch {
		case len(r.Findings) > 0:
			c.broken++
		case len(r.Tests)+len(r.Samples) > 0 && !r.Passed():
			c.wrong++
		}
	}
	return c
}

func (c suiteCount) verdict() error {
	switch {
	case c.broken > 0:
		return failed(exitEngine)
	case c.wrong > 0:
		return failed(exitFindings)
	case c.tests+c.samples == 0:
		return engine(errors.New("nothing was tested: a rule's folder has a policy_test.rego, good/ and bad/"))
	}
	return nil
}

func printSuiteResult(s streams, r suite.Result, verbose bool) {
	for _, f := range r.Findings {
		fmt.Fprintf(s.Out, "      %s: %s: %s\n", f.At(), f.Code, f.Message)
	}
	for _, t := range r.Tests {
		if !t.Passed {
			fmt.Fprintf(s.Out, "      %s: %s: %s\n", t.At, t.Name, t.Why)
		} else if verbose {
			fmt.Fprintf(s.Out, "      pass %s (%.1f ms)\n", t.Name, float64(t.Took.Microseconds())/1000)
		}
		if verbose || !t.Passed {
			for _, line := range t.Printed {
				fmt.Fprintf(s.Out, "        %s\n", strings.TrimSpace(line))
			}
		}
	}
	for _, sample := range r.Samples {
		for _, fault := range sample.Faults {
			fmt.Fprintf(s.Out, "      %s: %s\n", sample.Dir, fault)
		}
		if verbose && len(sample.Faults) == 0 {
			fmt.Fprintf(s.Out, "      pass %s\n", sample.Dir)
		}
	}
}
