package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/suite"
)

// testOutput is how `policy test` prints, and whether it counts what was reached.
type testOutput struct {
	format   string
	coverage bool
	least    float64
	flag     func(name string) bool // tells whether a flag was given
}

func (o *testOutput) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "text", "text or json")
	cmd.Flags().BoolVar(&o.coverage, "coverage", false, "count the lines of Rego that tests and samples reach")
	cmd.Flags().Float64Var(&o.least, "min-coverage", 0, "fail when less than `PERCENT` of all lines is reached; counts as --coverage does")
	o.flag = cmd.Flags().Changed
}

// check judges the flags; the coverage is nil when it is not asked for.
func (o *testOutput) check() (*policies.Coverage, error) {
	if o.format != "text" && o.format != "json" {
		return nil, usage(fmt.Errorf("-o %q is neither text nor json", o.format))
	}
	if o.least < 0 || o.least > 100 {
		return nil, usage(fmt.Errorf("--min-coverage %g is no percentage", o.least))
	}
	if !o.coverage && !o.flag("min-coverage") {
		return nil, nil
	}
	return policies.NewCoverage(), nil
}

func (o *testOutput) print(s streams, results []suite.Result, cover *policies.Coverage, verbose bool) error {
	var files []policies.FileCoverage
	if cover != nil {
		files = cover.Files()
	}
	total := policies.Total(files)
	var err error
	if o.format == "json" {
		if wrong := writeSuite(s, results, files, cover != nil); wrong != nil {
			return wrong
		}
		err = countSuite(results).verdict()
	} else {
		err = printSuite(s, results, verbose)
		if cover != nil {
			if wrong := printCoverage(s, files); wrong != nil {
				return wrong
			}
		}
	}
	if err == nil && cover != nil && total.Percent() < o.least {
		fmt.Fprintf(s.Err, "the coverage of %.1f%% is below --min-coverage %g\n", total.Percent(), o.least)
		return failed(exitFindings)
	}
	return err
}

func printCoverage(s streams, files []policies.FileCoverage) error {
	total := policies.Total(files)
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nCOVERAGE\tLINES\tRULE\tFILE")
	for _, f := range files {
		fmt.Fprintf(w, "%.1f%%\t%d/%d\t%s\t%s\n", f.Percent(), f.Covered, f.Lines(), f.Code, f.File)
	}
	fmt.Fprintf(w, "%.1f%%\t%d/%d\t\tin total\n", total.Percent(), total.Covered, total.Lines())
	if err := w.Flush(); err != nil {
		return err
	}
	for _, f := range files {
		for _, at := range f.Missed {
			fmt.Fprintf(s.Out, "%s: no test and no sample comes here\n", at)
		}
	}
	return nil
}

// suiteJSON is what `policy test -o json` prints.
type suiteJSON struct {
	Rules    []suiteRule  `json:"rules"`
	Coverage *coverageAll `json:"coverage,omitempty"`
}

type suiteRule struct {
	Dir      string        `json:"dir"`
	Code     string        `json:"code,omitempty"`
	Passed   bool          `json:"passed"`
	Tests    []suiteTest   `json:"tests,omitempty"`
	Samples  []suiteSample `json:"samples,omitempty"`
	Findings []string      `json:"findings,omitempty"`
}

type suiteTest struct {
	Name    string   `json:"name"`
	At      string   `json:"at"`
	Passed  bool     `json:"passed"`
	Why     string   `json:"why,omitempty"`
	Printed []string `json:"printed,omitempty"`
}

type suiteSample struct {
	Dir    string   `json:"dir"`
	Passed bool     `json:"passed"`
	Faults []string `json:"faults,omitempty"`
}

type coverageAll struct {
	Percent float64        `json:"percent"`
	Covered int            `json:"covered"`
	Lines   int            `json:"lines"`
	Files   []coverageFile `json:"files"`
}

type coverageFile struct {
	File    string   `json:"file"`
	Code    string   `json:"code,omitempty"`
	Percent float64  `json:"percent"`
	Covered int      `json:"covered"`
	Lines   int      `json:"lines"`
	Missed  []string `json:"missed,omitempty"`
}

func writeSuite(s streams, results []suite.Result, files []policies.FileCoverage, covered bool) error {
	out := suiteJSON{Rules: []suiteRule{}}
	for _, r := range results {
		rule := suiteRule{Dir: r.Dir, Code: string(r.Code), Passed: r.Passed()}
		for _, t := range r.Tests {
			rule.Tests = append(rule.Tests, suiteTest{t.Name, t.At.String(), t.Passed, t.Why, t.Printed})
		}
		for _, p := range r.Samples {
			rule.Samples = append(rule.Samples, suiteSample{p.Dir, len(p.Faults) == 0, p.Faults})
		}
		for _, f := range r.Findings {
			rule.Findings = append(rule.Findings, fmt.Sprintf("%s: %s: %s", f.At(), f.Code, f.Message))
		}
		out.Rules = append(out.Rules, rule)
	}
	if total := policies.Total(files); covered {
		out.Coverage = &coverageAll{Percent: total.Percent(), Covered: total.Covered, Lines: total.Lines(), Files: []coverageFile{}}
	}
	for _, f := range files {
		own := coverageFile{f.File, string(f.Code), f.Percent(), f.Covered, f.Lines(), nil}
		for _, at := range f.Missed {
			own.Missed = append(own.Missed, at.String())
		}
		out.Coverage.Files = append(out.Coverage.Files, own)
	}
	enc := json.NewEncoder(s.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
