package policies

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// Mutant is a rule with one part changed: without a body, or with one condition
// taken away or turned round. What no test and no sample notices is proved by none.
type Mutant struct {
	At   diag.Span
	What string
	ast  *ast.Module
}

// Proof is a sample of a rule.
type Proof struct {
	World  *World
	Config *syntax.Config // its meshc.yaml
	Wanted []string       // FILE:LINE of what the rule must find, in any order
}

// Prover holds the tests and samples of one rule, read once for all its mutants.
type Prover struct {
	rule   *module
	others []*module // shared functions and tests
	tests  []*module
	proofs []Proof
}

// NewProver reads a rule with its tests and the functions it shares. Findings
// mean that there is nothing to prove.
func NewProver(files []*source.File, proofs []Proof) (*Prover, diag.List) {
	modules, found := readModules(files)
	p := &Prover{proofs: proofs}
	codes := map[string]diag.Code{}
	for _, m := range modules {
		if m.rule == nil {
			p.others = append(p.others, m)
			continue
		}
		p.rule = m
		codes[m.ast.Package.Path.String()] = m.rule.Code
	}
	if p.rule == nil {
		return nil, found
	}
	tests, faults := readTests(files, codes)
	if found.Add(faults...); len(found) > 0 {
		return nil, found
	}
	p.tests, p.others = tests, append(p.others, tests...)
	return p, nil
}

// Original is the rule as it is.
func (p *Prover) Original() Mutant { return Mutant{What: "nothing", ast: p.rule.ast} }

// Mutants are all mutants of the rule, in the order of its text.
func (p *Prover) Mutants() []Mutant {
	var out []Mutant
	for i, r := range p.rule.ast.Rules {
		m := p.rule.ast.Copy()
		m.Rules = slices.Delete(m.Rules, i, i+1)
		out = append(out, Mutant{spanOf(r.Location), "without " + string(r.Head.Name), m})
		if r.Else != nil {
			m := p.rule.ast.Copy()
			m.Rules[i].Else = nil
			out = append(out, Mutant{spanOf(r.Else.Location), "without else", m})
		}
	}
	for i, b := range bodies(p.rule.ast) {
		for k, e := range b {
			if e.Equal(ast.NewExpr(ast.BooleanTerm(true))) {
				continue // stands for no body
			}
			for _, c := range []struct {
				what   string
				change func(*ast.Expr)
			}{{"without", drop}, {"negated:", negate}} {
				m := p.rule.ast.Copy()
				c.change(bodies(m)[i][k])
				text, _, _ := strings.Cut(string(e.Location.Text), "\n")
				out = append(out, Mutant{spanOf(e.Location), fmt.Sprintf("%s %s", c.what, text), m})
			}
		}
	}
	return out
}

// bodies are the bodies of rules, comprehensions and every.
func bodies(m *ast.Module) []ast.Body {
	var out []ast.Body
	for _, r := range m.Rules {
		ast.WalkBodies(r, func(b ast.Body) bool {
			out = append(out, b)
			return false
		})
	}
	return out
}

func drop(e *ast.Expr) {
	e.Terms, e.Negated, e.With = ast.BooleanTerm(true), false, nil
}

func negate(e *ast.Expr) { e.Negated = !e.Negated }

// Survives tells whether a mutant passes every test and sample. One that does not
// compile could not be written, so it does not survive.
func (p *Prover) Survives(m Mutant) bool {
	prog, rule, ok := p.compile(m)
	if !ok {
		return false
	}
	for _, t := range p.tests {
		for _, r := range t.ast.Rules {
			if strings.HasPrefix(string(r.Head.Name), "test_") && !prog.test(t, r, "").Passed {
				return false
			}
		}
	}
	return !slices.ContainsFunc(p.proofs, func(s Proof) bool { return !s.holds(prog, *rule) })
}

// compile compiles a mutant with what belongs to it.
func (p *Prover) compile(m Mutant) (prog *program, of *Rule, ok bool) {
	rule := *p.rule
	rule.ast = m.ast
	if prog, ok = compileLoosely(append([]*module{&rule}, p.others...)); !ok {
		return nil, nil, false
	}
	values, err := ast.InterfaceToValue(map[string]any{string(rule.rule.Code): rule.rule.values()})
	if err != nil {
		return nil, nil, false
	}
	prog.params = values
	return prog, rule.rule, true
}

// judge is a compiled rule with the parameters of the sample.
func (s Proof) judge(p *program, rule Rule) *Judge {
	own := *p
	settings([]*module{{rule: &rule}}, s.Config)
	rule.Levels = map[Stage]Level{Build: LevelError}
	own.prepare([]*Rule{&rule})
	return &Judge{rules: []*Rule{&rule}, program: &own, limits: Limits{}.withDefaults()}
}

// holds tells whether a compiled rule finds what the sample wants.
func (s Proof) holds(p *program, rule Rule) bool {
	j := s.judge(p, rule)
	var got []string
	for _, f := range j.Mesh(s.World, Build) {
		if f.Code != rule.Code {
			return false
		}
		got = append(got, fmt.Sprintf("%s:%d", f.At().File, f.At().Line))
	}
	return slices.Equal(sorted(got), sorted(slices.Clone(s.Wanted)))
}

// compileLoosely compiles without the strictness that would refuse a mutant for
// a variable that it no longer uses.
func compileLoosely(modules []*module) (p *program, ok bool) {
	defer func() {
		if recover() != nil {
			p, ok = nil, false
		}
	}()
	c := ast.NewCompiler().WithCapabilities(sandbox())
	parsed := make(map[string]*ast.Module, len(modules))
	for _, m := range modules {
		own := *m
		own.library = true // no schemas: what compiles loosely is told by the tests
		parsed[m.file] = own.prepared()
	}
	c.Compile(parsed)
	return &program{modules: modules, compiler: c}, !c.Failed()
}
