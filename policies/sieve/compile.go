package sieve

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

// Program is rules that were compiled by OPA. What the sieve does not know of them
// is compiled too: into giving up, should it be reached.
type Program struct {
	rules  map[string][]*ast.Rule // by the reference to them, as text
	params ast.Value
	root   string // under data, of params
	groups map[string]*group
	count  int // of groups that take no arguments
}

// Test is a set of findings, such as deny of a rule.
type Test struct{ defs []*def }

// New prepares the modules of a compiler. params is data.ROOT.
func New(c *ast.Compiler, root string, params ast.Value) *Program {
	p := &Program{rules: map[string][]*ast.Rule{}, params: params, root: root, groups: map[string]*group{}}
	for _, m := range c.Modules {
		for _, r := range m.Rules {
			ref := r.Ref().GroundPrefix().String()
			p.rules[ref] = append(p.rules[ref], r)
		}
	}
	return p
}

// Test compiles the set at a reference, and what it uses.
func (p *Program) Test(ref ast.Ref) *Test {
	g := p.group(ref.String())
	if g == nil || !g.set || g.beyond {
		return &Test{defs: []*def{{body: body{beyond{}}}}}
	}
	return &Test{defs: g.defs}
}

// group compiles the definitions of a name, nil if there are none.
func (p *Program) group(ref string) *group {
	if g, done := p.groups[ref]; done {
		return g
	}
	rules := p.rules[ref]
	if len(rules) == 0 {
		return nil
	}
	g := &group{number: -1}
	p.groups[ref] = g
	if len(rules[0].Head.Args) == 0 {
		g.number = p.count
		p.count++
	}
	for _, r := range rules {
		g.set = r.Head.RuleKind() == ast.MultiValue
		if len(r.Ref()) != len(r.Ref().GroundPrefix()) || g.set != (rules[0].Head.RuleKind() == ast.MultiValue) || g.set && r.Else != nil {
			g.beyond = true
			continue
		}
		if r.Default {
			g.fallback = p.def(r).value
			continue
		}
		g.defs = append(g.defs, p.def(r))
	}
	return g
}

// def compiles a definition, and those behind its else.
func (p *Program) def(r *ast.Rule) *def {
	s := &scope{program: p, slots: map[ast.Var]int{}, bound: map[ast.Var]bool{}}
	d := &def{}
	for _, a := range r.Head.Args {
		if v, ok := a.Value.(ast.Var); ok && !s.bound[v] {
			d.params = append(d.params, param{slot: s.bind(v)})
		} else {
			d.params = append(d.params, param{slot: -1, want: s.term(a)})
		}
	}
	d.body = s.body(r.Body)
	switch {
	case r.Head.Key != nil:
		d.value = s.term(r.Head.Key)
	default:
		d.value = s.term(r.Head.Value)
	}
	d.slots = len(s.slots)
	if r.Else != nil {
		d.otherwise = p.def(r.Else)
	}
	return d
}

// scope is the variables of a definition, and which of them are bound so far.
type scope struct {
	program *Program
	slots   map[ast.Var]int
	bound   map[ast.Var]bool
}

func (s *scope) bind(v ast.Var) int {
	s.bound[v] = true
	slot, ok := s.slots[v]
	if !ok {
		slot = len(s.slots)
		s.slots[v] = slot
	}
	return slot
}

// within is the scope of a body inside: what it binds is unknown outside.
func (s *scope) within() *scope {
	inner := &scope{program: s.program, slots: s.slots, bound: make(map[ast.Var]bool, len(s.bound))}
	for v := range s.bound {
		inner.bound[v] = true
	}
	return inner
}

func (s *scope) body(b ast.Body) body {
	var out body
	for _, e := range b {
		out = append(out, s.expr(e))
	}
	return out
}

func (s *scope) expr(e *ast.Expr) step {
	if len(e.With) > 0 {
		return beyond{}
	}
	if e.Negated {
		inner := s.within()
		return none{body{inner.positive(e)}}
	}
	return s.positive(e)
}

func (s *scope) positive(e *ast.Expr) step {
	switch t := e.Terms.(type) {
	case *ast.Term:
		return s.test(t)
	case *ast.Every:
		of := s.term(t.Domain)
		inner := s.within()
		out := &every{key: -1, value: -1, of: of}
		if t.Key != nil {
			out.key = inner.variable(t.Key)
		}
		out.value = inner.variable(t.Value)
		out.body = inner.body(t.Body)
		return out
	case []*ast.Term:
		return s.call(e, t)
	}
	return beyond{}
}

// variable is the slot of a term that is a variable, -1 of others.
func (s *scope) variable(t *ast.Term) int {
	if v, ok := t.Value.(ast.Var); ok {
		return s.bind(v)
	}
	return -1
}

// free is a variable that is not bound yet.
func (s *scope) free(t *ast.Term) (ast.Var, bool) {
	v, ok := t.Value.(ast.Var)
	return v, ok && !s.bound[v] && v != ast.InputRootDocument.Value && v != ast.DefaultRootDocument.Value
}

func (s *scope) test(t *ast.Term) step {
	if w := s.walk(t); w != nil {
		return w
	}
	return truth{s.term(t)}
}

func (s *scope) call(e *ast.Expr, terms []*ast.Term) step {
	name := terms[0].String()
	switch name {
	case "eq":
		return s.eq(terms[1], terms[2])
	case "internal.print":
		return nothing{}
	}
	var of term
	var arity int
	if g := s.program.group(name); g != nil {
		rules := s.program.rules[name]
		arity = len(rules[0].Head.Args)
		if arity == 0 || len(terms) < arity+1 {
			return beyond{}
		}
		of = &call{of: g, args: s.terms(terms[1 : 1+arity])}
	} else {
		b, known := ast.BuiltinMap[name]
		f := builtins[name]
		if !known || f == nil || len(terms) < b.Decl.Arity()+1 {
			return s.unknown(terms[1:])
		}
		arity = b.Decl.Arity()
		of = &builtin{of: f, args: s.terms(terms[1 : 1+arity])}
	}
	if len(terms) == arity+1 {
		return truth{of}
	}
	return s.to(of, terms[arity+1])
}

// unknown is a call beyond the sieve; its output is bound for what follows.
func (s *scope) unknown(terms []*ast.Term) step {
	for _, t := range terms {
		if v, ok := s.free(t); ok {
			s.bind(v)
		}
	}
	return beyond{}
}

// to binds a variable to a value, or compares it with what it is.
func (s *scope) to(of term, t *ast.Term) step {
	if v, ok := s.free(t); ok {
		return assign{s.bind(v), of}
	}
	return same{of, s.term(t)}
}

func (s *scope) eq(a, b *ast.Term) step {
	if _, ok := s.free(b); ok {
		a, b = b, a
	}
	w := s.walk(b)
	if w == nil {
		if v, ok := s.free(a); ok {
			of := s.term(b)
			return assign{s.bind(v), of}
		}
		if w = s.walk(a); w == nil {
			return same{s.term(a), s.term(b)}
		}
		a = b
	}
	if v, ok := s.free(a); ok {
		w.bind = s.bind(v)
		return w
	}
	w.want = s.term(a)
	return w
}
