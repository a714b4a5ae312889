package policies

import (
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// Coverage notes which heads and expressions of rules tests and samples reach,
// as OPA counts them. One may take in the tests of many rules, one after another.
type Coverage struct {
	tracer  *cover.Cover
	modules map[string]*module
}

// FileCoverage is what was reached of one Rego file. Lines that hold nothing to
// evaluate do not count.
type FileCoverage struct {
	File    string
	Code    diag.Code // "" for a file of shared functions
	Covered int       // lines
	Missed  []diag.Span
	missed  int
}

// Lines is how many lines can be reached.
func (f FileCoverage) Lines() int { return f.Covered + f.missed }

// Percent is what share of the lines was reached: 0 to 100, and 100 of none.
func (f FileCoverage) Percent() float64 {
	if f.Lines() == 0 {
		return 100
	}
	return 100 * float64(f.Covered) / float64(f.Lines())
}

// NewCoverage is a coverage into which nothing was noted yet.
func NewCoverage() *Coverage {
	return &Coverage{tracer: cover.New(), modules: map[string]*module{}}
}

// Test is Test, with what the tests reach noted; a nil coverage notes nothing.
func (c *Coverage) Test(files []*source.File, only func(name string) bool) ([]TestResult, diag.List) {
	return test(files, only, c)
}

// Judge evaluates every rule of a judge on a world and notes what was reached.
// What the rules find, or why they fail, is for Judge.Mesh to say.
func (c *Coverage) Judge(j *Judge, w *World) {
	c.know(j.program.modules)
	t := j.trial(w)
	t.wrap = c.trace
	for _, u := range j.units(w) {
		input := ast.NewTerm(u.input.term())
		for _, q := range u.queries {
			_, _ = t.ask(q, input, j.limits.steps(u.wide))
		}
	}
}

// know keeps the modules that the report is about.
func (c *Coverage) know(modules []*module) {
	if c == nil {
		return
	}
	for _, m := range modules {
		if !strings.HasSuffix(m.file, testSuffix) {
			c.modules[m.file] = m
		}
	}
}

// trace lets the coverage watch a query.
func (c *Coverage) trace(q *topdown.Query) *topdown.Query {
	if c == nil {
		return q
	}
	return q.WithQueryTracer(c.tracer)
}

// Files is what was reached of each file, in order of name.
func (c *Coverage) Files() []FileCoverage {
	parsed := make(map[string]*ast.Module, len(c.modules))
	for name, m := range c.modules {
		parsed[name] = m.ast
	}
	report := c.tracer.Report(parsed)
	var out []FileCoverage
	for _, name := range slices.Sorted(maps.Keys(c.modules)) {
		f := FileCoverage{File: name}
		if rule := c.modules[name].rule; rule != nil {
			f.Code = rule.Code
		}
		of := report.Files[name]
		f.Covered, f.missed = of.CoveredLines, of.NotCoveredLines
		for _, r := range of.NotCovered {
			f.Missed = append(f.Missed, diag.Span{
				File: name, Line: r.Start.Row, Col: max(1, r.Start.Col), EndLine: r.End.Row, EndCol: max(1, r.End.Col),
			})
		}
		out = append(out, f)
	}
	return out
}

// Total is the coverage of all files together.
func Total(files []FileCoverage) FileCoverage {
	var out FileCoverage
	for _, f := range files {
		out.Covered += f.Covered
		out.missed += f.missed
	}
	return out
}
