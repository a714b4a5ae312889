package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/policies"
)

type testFlags struct {
	report  *reportFlags
	compile *compileFlags
	lab     *labFlags
	live    bool
	table   string
	output  string
	verbose bool
	cover   bool
	least   int // percent
}

func newTestCmd(s streams) *cobra.Command {
	f := &testFlags{}
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run verdict tables: tests of who may call whom",
		Long: `Run the verdict tables of the sources: each case says what is to become of a
request. It is asked of the policy and of the Envoy configuration compiled from
it, and with --live of real Envoys in a lab on this machine; all must agree.

A table is a file of kind VerdictTable beside a meshc.yaml or in a folder, or the
one that --table names.

--coverage tells which matches of grants, which grants and which splits no case
exercises, and which rules never fired; --min-coverage fails the run below a
percentage of the grants and splits. A denied request exercises no grant.

The exit code is 0 when every case holds, 1 when one does
not, 4 when there is no case or when nobody can tell, as of an account that is
not known.`,
		Example: `  meshc test examples/01-bookstore
  meshc test -v --table examples/02-canary/verdicts.yaml examples/02-canary
  meshc test --coverage --min-coverage 80 examples/01-bookstore
  meshc test --live examples/03-tcp-and-databases`,
	}
	f.report = addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	f.lab = addLabFlags(cmd)
	cmd.Flags().BoolVar(&f.live, "live", false, "run the cases on real Envoys in a lab, too")
	cmd.Flags().StringVar(&f.table, "table", "", "run the tables in `FILE` instead of those that the sources hold")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "`FORMAT` of the results: text or json")
	cmd.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "show the cases that hold, too")
	cmd.Flags().BoolVar(&f.cover, "coverage", false, "tell which grants and splits no case exercises, and which rules never fired")
	cmd.Flags().IntVar(&f.least, "min-coverage", 0, "fail when cases exercise less than `PERCENT` of the grants and splits; implies --coverage")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.cover = f.cover || cmd.Flags().Changed("min-coverage")
		ctx := cmd.Context()
		if f.live {
			var stop context.CancelFunc
			ctx, stop = untilStopped(cmd)
			defer stop()
		}
		return f.run(ctx, s, args)
	}
	return cmd
}

func (f *testFlags) run(ctx context.Context, s streams, paths []string) error {
	if !slices.Contains([]string{"text", "json"}, f.output) {
		return usage(fmt.Errorf("-o %q is none of text, json", f.output))
	}
	if f.least < 0 || f.least > 100 {
		return usage(fmt.Errorf("--min-coverage %d is no percentage", f.least))
	}
	c, err := f.compile.compile(s, f.report, paths)
	if err != nil {
		return err
	}
	texts := c.text
	if f.table != "" {
		tree, tables, err := loadTables(s, f.report, f.table)
		if err != nil {
			return err
		}
		c.Tables = tables
		texts = func(name string) ([]byte, bool) {
			if b, ok := tree.Text(name); ok {
				return b, true
			}
			return c.text(name)
		}
	}
	c.Findings.Add(verdict.Check(c.Tables, c.Mesh.Settings.TrustDomain)...)
	err = f.report.emit(s, f.report.worth(c.Findings), texts)
	switch {
	case err != nil && (c.Plan != nil || exitCode(err) != exitFindings):
		return err
	case c.Plan == nil:
		return engine(errors.New("the sources have errors: nothing was tested"))
	}
	cases, err := f.cases(ctx, s, c)
	if err != nil {
		return err
	}
	var cover *verdict.Coverage
	if f.cover {
		cover = coverage(c, cases)
	}
	return f.results(s, cases, cover)
}

// loadTables reads the tables of one file.
func loadTables(s streams, report *reportFlags, path string) (*source.Tree, []*syntax.VerdictTable, error) {
	tree, findings, err := source.Load(source.Options{Paths: []string{path}, Stdin: s.In})
	if err != nil {
		return nil, nil, input(err)
	}
	files, more := syntax.Parse(tree)
	findings.Add(more...)
	if findings.HasErrors() {
		if err := report.emit(s, findings, tree.Text); err != nil {
			return nil, nil, err
		}
	}
	return tree, files.Tables, nil
}

func (f *testFlags) cases(ctx context.Context, s streams, c *compilation) ([]verdict.Case, error) {
	cases, err := verdict.Run(c.Tables, c.Mesh, c.Plan)
	if err != nil {
		return nil, engine(err)
	}
	if len(cases) == 0 {
		return nil, engine(errors.New("there is no verdict table with a case: nothing was tested"))
	}
	if !f.live {
		return cases, nil
	}
	if err := f.lab.runLive(ctx, s, c, cases); err != nil {
		if errors.As(err, new(*exitError)) {
			return nil, err
		}
		return nil, engine(err)
	}
	return cases, nil
}

// coverage is what the cases exercise, and how often each rule fired.
func coverage(c *compilation, cases []verdict.Case) *verdict.Coverage {
	out := verdict.Cover(c.Mesh, cases)
	fired := map[diag.Code]int{}
	for _, f := range c.Findings {
		fired[f.Code]++
	}
	judge, _ := policies.For(c.Tree, c.Config) // its findings are among the compilation's
	for _, r := range judge.Rules() {
		out.Rules = append(out.Rules, verdict.RuleCount{
			Code: string(r.Code), Title: r.Title, Own: !r.Library, File: r.At.File, Line: r.At.Line, Fired: fired[r.Code],
		})
	}
	return out
}

func (f *testFlags) results(s streams, cases []verdict.Case, cover *verdict.Coverage) error {
	var err error
	switch {
	case f.output == "json":
		err = verdict.JSONWith(s.Out, cases, cover)
	default:
		if err = verdict.Text(s.Out, cases, f.verbose); err == nil && cover != nil {
			err = cover.Text(s.Out)
		}
	}
	if err != nil {
		return err
	}
	code := codeOf(cases)
	if cover != nil {
		if short := cover.Short(f.least); short != "" {
			fmt.Fprintf(s.Err, "meshc: %s\n", short)
			code = cmp.Or(code, exitFindings)
		}
	}
	if code != exitClean {
		return failed(code)
	}
	return nil
}

// codeOf is 1 where a case failed; 4 where the only cases that do not hold are
// those of which nobody can tell.
func codeOf(cases []verdict.Case) int {
	code := exitClean
	for i := range cases {
		switch {
		case !cases[i].Failed():
		case cases[i].Mesh.Outcome != ir.Unknown:
			return exitFindings
		default:
			code = exitEngine
		}
	}
	return code
}
