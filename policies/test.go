package policies

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// TestResult is what became of one test_ rule.
type TestResult struct {
	Name    string // PACKAGE.test_name
	At      diag.Span
	Passed  bool
	Why     string // it did not pass
	Printed []string
	Took    time.Duration
}

// Test runs the test_ rules in files of rules and tests, as the judge would run
// the rules: in the sandbox, against the schemas, each parameter at its default
// unless a test gives it `with data.params as {...}`. Findings mean that nothing ran.
func Test(files []*source.File, only func(name string) bool) ([]TestResult, diag.List) {
	return test(files, only, nil)
}

func test(files []*source.File, only func(name string) bool, cover *Coverage) ([]TestResult, diag.List) {
	modules, found := readModules(files)
	codes := map[string]diag.Code{}
	params := map[string]any{}
	for _, m := range modules {
		if m.rule != nil {
			codes[m.ast.Package.Path.String()] = m.rule.Code
			params[string(m.rule.Code)] = m.rule.values()
		}
	}
	tests, faults := readTests(files, codes)
	if found.Add(faults...); len(found) > 0 {
		return nil, found
	}
	value, err := ast.InterfaceToValue(params)
	if err != nil {
		return nil, diag.List{crashed(diag.Span{File: files[0].Path}, "reading parameters", err)}
	}
	p, found := compile(append(modules, tests...))
	if len(found) > 0 {
		return nil, found
	}
	p.params, p.cover = value, cover
	cover.know(modules)
	var out []TestResult
	for _, m := range tests {
		for _, rule := range m.ast.Rules {
			name := string(rule.Head.Name)
			full := strings.TrimPrefix(m.ast.Package.Path.String(), "data.") + "." + name
			if strings.HasPrefix(name, "test_") && (only == nil || only(full)) && !slices.ContainsFunc(out, func(r TestResult) bool { return r.Name == full }) {
				out = append(out, p.test(m, rule, full))
			}
		}
	}
	return out, nil
}

// readTests parses the files that end in _test.rego. data.params in them are the
// parameters of the rule that they are beside or import.
func readTests(files []*source.File, codes map[string]diag.Code) ([]*module, diag.List) {
	var out []*module
	var found diag.List
	for _, f := range files {
		if !strings.HasSuffix(f.Path, testSuffix) {
			continue
		}
		parsed, err := ast.ParseModuleWithOpts(f.Path, string(f.Data), ast.ParserOptions{RegoVersion: ast.RegoV1})
		if err != nil || parsed == nil {
			found.Add(regoErrors(f.Path, errors.Join(err))...)
			continue
		}
		if faults := forbidden(parsed); len(faults) > 0 {
			found.Add(faults...)
			continue
		}
		of := []string{strings.TrimSuffix(parsed.Package.Path.String(), "_test")}
		for _, i := range parsed.Imports {
			of = append(of, i.Path.Value.String())
		}
		for _, pkg := range of {
			if code, ok := codes[pkg]; ok {
				ownParams(parsed, code)
				break
			}
		}
		out = append(out, &module{file: f.Path, ast: parsed})
	}
	return out, found
}

// test runs one test.
func (p *program) test(m *module, rule *ast.Rule, name string) TestResult {
	r := TestResult{Name: name, At: line(spanOf(rule.Head.Location))}
	ref := append(slices.Clone(m.ast.Package.Path), ast.StringTerm(string(rule.Head.Name)))
	var body ast.Body
	body.Append(ast.Equality.Expr(ast.VarTerm("r0"), ast.NewTerm(ref)))
	compiled, err := p.compiler.QueryCompiler().Compile(body)
	if err != nil {
		r.Why = err.Error()
		return r
	}
	start := time.Now()
	printed := &printer{}
	passed, err := p.passes(compiled, printed)
	r.Took, r.Printed = time.Since(start), printed.lines
	switch {
	case err != nil:
		r.Why = err.Error()
	case !passed:
		r.Why = "it is not true"
	}
	r.Passed = r.Why == ""
	return r
}

func (p *program) passes(query ast.Body, out print.Hook) (passed bool, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("the policy engine crashed: %v", what)
		}
	}()
	b := &budget{left: wideSteps * Limits{}.withDefaults().Steps, stop: &atomic.Bool{}}
	err = p.cover.trace(topdown.NewQuery(query)).WithCompiler(p.compiler).
		WithStore(&store{world: emptyWorld(), params: p.params}).WithTransaction(snapshot{}).
		WithCancel(b).WithTime(time.Unix(0, 0)).WithSeed(zeros{}).WithStrictBuiltinErrors(true).WithPrintHook(out).
		Iter(context.Background(), func(r topdown.QueryResult) error {
			passed = passed || r["r0"] != nil && r["r0"].Value.Compare(ast.Boolean(true)) == 0
			return nil
		})
	if topdown.IsCancel(err) {
		err = errors.New("it took too many steps")
	}
	return passed, err
}

// printer keeps what tests print.
type printer struct{ lines []string }

// Print keeps one line, with the place of the call.
func (p *printer) Print(c print.Context, text string) error {
	p.lines = append(p.lines, fmt.Sprintf("%s:%d: %s", c.Location.File, c.Location.Row, text))
	return nil
}
