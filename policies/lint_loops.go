package policies

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// loop is a walk over all entries of a document of data.mesh.
type loop struct {
	over string // such as data.mesh.services
	at   *ast.Location
}

// loops finds how deep walks over data.mesh lie in one another.
type loops struct {
	compiler *ast.Compiler
	calls    map[*ast.Rule]bool // that are being followed
}

// scope of one body: what is bound, and which variables stand for documents.
type bindings struct {
	bound map[ast.Var]bool
	alias map[ast.Var]string
}

func (b bindings) inner() bindings {
	out := bindings{map[ast.Var]bool{}, map[ast.Var]string{}}
	for v := range b.bound {
		out.bound[v] = true
	}
	for v, doc := range b.alias {
		out.alias[v] = doc
	}
	return out
}

// pairs reports a rule whose work grows with the square of the mesh.
func (l *linter) pairs(of *Rule, rule *ast.Rule) {
	w := &loops{compiler: l.program.compiler, calls: map[*ast.Rule]bool{}}
	deepest := w.rule(rule)
	most := 1
	if once := len(of.Kinds) == 1 && of.Kinds[0] == "Mesh"; of.Scope == ScopeObject && !once {
		most = 0
	}
	if len(deepest) <= most {
		return
	}
	last := deepest[len(deepest)-1]
	f := diag.New(CodePairs, line(spanOf(last.at)), "%s walks over all of %s for each entry of %s", of.Code, last.over, deepest[max(0, len(deepest)-2)].over).
		WithHelp("look an entry up by name, follow the references that data.mesh holds (incoming, services, roots, ...), or group by the key once in a rule of its own")
	if len(deepest) == 1 {
		f.Message = string(of.Code) + " walks over all of " + last.over + " for each object that it judges"
	} else {
		f = f.WithRelated(line(spanOf(deepest[len(deepest)-2].at)), "the outer walk")
	}
	l.found.Add(f.WithEffect("what it costs grows with the square of the mesh, until it hits the limit of steps"))
}

// rule is the deepest nest of walks in a rule and its else branches.
func (w *loops) rule(r *ast.Rule) []loop {
	if w.calls[r] {
		return nil
	}
	w.calls[r] = true
	defer delete(w.calls, r)
	b := bindings{map[ast.Var]bool{}, map[ast.Var]string{}}
	for _, arg := range r.Head.Args {
		b.bind(arg)
	}
	deepest := w.body(r.Body, b)
	for other := r.Else; other != nil; other = other.Else {
		deepest = deeper(deepest, w.body(other.Body, b.inner()))
	}
	return deepest
}

func deeper(a, b []loop) []loop {
	if len(b) > len(a) {
		return b
	}
	return a
}

// bind notes that the variables in a node have values from here on.
func (b bindings) bind(node any) {
	vis := ast.NewVarVisitor().WithParams(ast.VarVisitorParams{SkipRefCallHead: true, SkipClosures: true})
	vis.Walk(node)
	for v := range vis.Vars() {
		b.bound[v] = true
	}
}

// body follows expressions in the order of evaluation: each lies within the walks
// of those before it.
func (w *loops) body(body ast.Body, b bindings) []loop {
	var open, deepest []loop
	within := func(inner []loop) {
		deepest = deeper(deepest, append(append([]loop(nil), open...), inner...))
	}
	for _, e := range body {
		if every, ok := e.Terms.(*ast.Every); ok {
			inner := b.inner()
			inner.bind(every.Value)
			if every.Key != nil {
				inner.bind(every.Key)
			}
			nested := w.body(every.Body, inner)
			if doc := b.document(every.Domain); doc != "" {
				nested = append([]loop{{doc, e.Location}}, nested...)
			}
			within(nested)
			continue
		}
		for _, nested := range closures(e) {
			within(w.body(nested, b.inner()))
		}
		open = append(open, w.walks(e, b)...)
		for _, callee := range w.callees(e) {
			within(at(w.rule(callee), e.Location))
		}
		b.note(e)
		b.bind(e)
	}
	return deeper(deepest, open)
}

// at moves walks inside a function to its call: that is where they nest.
func at(inner []loop, loc *ast.Location) []loop {
	out := make([]loop, len(inner))
	for i, l := range inner {
		out[i] = loop{l.over, loc}
	}
	return out
}

// document names the document of data.mesh that a term stands for, "" if none.
func (b bindings) document(t *ast.Term) string {
	switch v := t.Value.(type) {
	case ast.Var:
		return b.alias[v]
	case ast.Ref:
		if len(v) == 3 && meshDocument(v) {
			return v.String()
		}
	}
	return ""
}

func meshDocument(ref ast.Ref) bool {
	if len(ref) < 3 || !ref[0].Equal(ast.DefaultRootDocument) || !ref[1].Equal(ast.StringTerm("mesh")) {
		return false
	}
	name, ok := ref[2].Value.(ast.String)
	return ok && name != "settings"
}

// note remembers `x := data.mesh.services`.
func (b bindings) note(e *ast.Expr) {
	if !e.IsEquality() && !e.IsAssignment() {
		return
	}
	v, ok := e.Operand(0).Value.(ast.Var)
	if doc := b.document(e.Operand(1)); ok && doc != "" {
		b.alias[v] = doc
	}
}

// walks are the references of an expression whose key nothing has bound yet.
func (w *loops) walks(e *ast.Expr, b bindings) []loop {
	var out []loop
	vis := ast.NewGenericVisitor(func(node any) bool {
		switch n := node.(type) {
		case *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			return true
		case *ast.Term:
			ref, ok := n.Value.(ast.Ref)
			if !ok {
				return false
			}
			doc, key := "", 1
			if head, isVar := ref[0].Value.(ast.Var); isVar && b.alias[head] != "" {
				doc = b.alias[head]
			} else if meshDocument(ref) {
				doc, key = ref[:3].String(), 3
				if strings.HasSuffix(doc, ".objects") { // KIND comes first
					key = 4
				}
			}
			if doc == "" || len(ref) <= key {
				return false
			}
			if v, open := ref[key].Value.(ast.Var); open && !b.bound[v] {
				at := n.Location
				if !at.HasFile() { // made by the compiler, as for `some x in`
					at = e.Location
				}
				out = append(out, loop{doc, at})
			}
		}
		return false
	})
	vis.Walk(e)
	return out
}

// callees are the functions that an expression calls.
func (w *loops) callees(e *ast.Expr) []*ast.Rule {
	if !e.IsCall() {
		return nil
	}
	var out []*ast.Rule
	for _, r := range w.compiler.GetRules(e.Operator()) {
		if len(r.Head.Args) > 0 {
			out = append(out, r)
		}
	}
	return out
}

// closures are the bodies of the comprehensions of an expression.
func closures(e *ast.Expr) []ast.Body {
	var out []ast.Body
	ast.WalkClosures(e, func(node any) bool {
		switch n := node.(type) {
		case *ast.ArrayComprehension:
			out = append(out, n.Body)
		case *ast.SetComprehension:
			out = append(out, n.Body)
		case *ast.ObjectComprehension:
			out = append(out, n.Body)
		}
		return true
	})
	return out
}
