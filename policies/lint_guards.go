package policies

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// guards reports, in bodies of rules of several definitions, comparisons that a
// helper hides from the rule index, and guards for a kind that meshc sees to.
func (l *linter) guards(of *Rule, m *ast.Module) {
	definitions := map[string]int{}
	for _, r := range m.Rules {
		definitions[r.Head.Ref().String()]++
	}
	for _, r := range m.Rules {
		inputs := map[ast.Var]bool{} // that stand for a part of the input
		for _, e := range r.Body {
			l.kindGuard(of, e)
			if e.IsEquality() {
				if v, ok := e.Operand(0).Value.(ast.Var); ok && ofInput(e.Operand(1), inputs) {
					inputs[v] = true
				}
			}
			if definitions[r.Head.Ref().String()] > 1 && !e.Negated && len(e.With) == 0 {
				l.hidden(r, e, inputs)
			}
		}
	}
}

// kindGuard finds `input.object.kind == "X"` in a rule that is asked about X only.
func (l *linter) kindGuard(of *Rule, e *ast.Expr) {
	if !e.IsEquality() || e.Negated || of.Scope != ScopeObject || len(of.Kinds) != 1 {
		return
	}
	a, b := e.Operand(0), e.Operand(1)
	if _, text := a.Value.(ast.String); text {
		a, b = b, a
	}
	kind := ast.MustParseRef("input.object.kind")
	if ref, ok := a.Value.(ast.Ref); ok && ref.Equal(kind) && b.Equal(ast.StringTerm(of.Kinds[0])) {
		l.found.Add(diag.New(CodeKindGuard, spanOf(e.Location), "%s is asked about a %s only", of.Code, of.Kinds[0]).
			WithHelp("delete the comparison: `kinds` in the metadata sees to it"))
	}
}

// hidden finds a call of a helper all of whose definitions do nothing but compare
// parts of the input with constants.
func (l *linter) hidden(r *ast.Rule, e *ast.Expr, inputs map[ast.Var]bool) {
	var helpers []*ast.Rule
	var args []*ast.Term
	switch {
	case e.IsCall() && !e.IsEquality():
		helpers, args = l.program.compiler.GetRules(e.Operator()), e.Operands()
	default:
		t, ok := e.Terms.(*ast.Term)
		if !ok {
			return
		}
		ref, ok := t.Value.(ast.Ref)
		if !ok {
			return
		}
		helpers = l.program.compiler.GetRulesExact(ref)
	}
	if len(helpers) == 0 || slices.ContainsFunc(args, func(t *ast.Term) bool { return !ofInput(t, inputs) && !constant(t) }) {
		return
	}
	for _, h := range helpers {
		if !compares(h) {
			return
		}
	}
	name := helpers[0].Head.Ref().String()
	l.found.Add(diag.New(CodeHidden, spanOf(e.Location), "%q hides a comparison from the index of rules", name).
		WithRelated(line(spanOf(helpers[0].Head.Location)), "it compares the input with constants").
		WithEffect("each of the definitions of %q is tried on every object, one by one, instead of those that can match", r.Head.Ref()).
		WithHelp("write the comparison into the rule itself: input.object.spec.x == \"...\""))
}

// compares tells whether a helper is true when parts of the input, or of its
// arguments, equal constants, and does nothing else.
func compares(h *ast.Rule) bool {
	if h.Default || h.Else != nil || h.Head.RuleKind() != ast.SingleValue || h.Head.Value != nil && !h.Head.Value.Equal(ast.BooleanTerm(true)) {
		return false
	}
	of := map[ast.Var]bool{}
	for _, a := range h.Head.Args {
		if v, ok := a.Value.(ast.Var); ok {
			of[v] = true
		}
	}
	for _, e := range h.Body {
		if !e.IsEquality() || e.Negated || len(e.With) > 0 {
			return false
		}
		a, b := e.Operand(0), e.Operand(1)
		if !(ofInput(a, of) && constant(b) || ofInput(b, of) && constant(a)) {
			return false
		}
	}
	return len(h.Body) > 0
}

// ofInput tells whether a term is a part of the input, or of what stands for one.
func ofInput(t *ast.Term, of map[ast.Var]bool) bool {
	switch v := t.Value.(type) {
	case ast.Var:
		return of[v]
	case ast.Ref:
		head, ok := v[0].Value.(ast.Var)
		return ok && v.IsGround() && (v[0].Equal(ast.InputRootDocument) || of[head])
	}
	return false
}

func constant(t *ast.Term) bool {
	return ast.IsConstant(t.Value)
}
