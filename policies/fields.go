package policies

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/diag"
)

// fieldChecker finds fields that entries of data.mesh do not have. OPA checks
// schemas of objects whose names are known; in maps by name its types end.
type fieldChecker struct {
	module *ast.Module
	known  map[ast.Var]shape // nil: of several shapes
	params map[string][]ast.Args
	more   bool
}

// misspelt are the fields in a compiled module that nothing in data.mesh has: a
// rule that reads them would find nothing, and pass everything.
func misspelt(m *ast.Module) diag.List {
	c := &fieldChecker{module: m, known: map[ast.Var]shape{}, params: map[string][]ast.Args{}}
	for _, r := range m.Rules {
		ref := r.Ref().String()
		c.params[ref] = append(c.params[ref], r.Head.Args)
	}
	for c.more = true; c.more; {
		c.more = false
		ast.WalkExprs(m, func(e *ast.Expr) bool { c.learn(e); return false })
	}
	var found diag.List
	seen := map[diag.Span]bool{}
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if _, f, ok := c.walk(r); !ok && !seen[f.At()] {
			seen[f.At()] = true
			found.Add(f)
		}
		return false
	})
	return found
}

// learn takes from an expression what shape its variables have.
func (c *fieldChecker) learn(e *ast.Expr) {
	switch t := e.Terms.(type) {
	case *ast.Every:
		if s := c.shapeOf(t.Domain); s != nil {
			c.is(t.Value, item(s))
		}
	case []*ast.Term:
		if name := t[0].String(); name != "eq" {
			for _, args := range c.params[name] {
				for i := range min(len(args), len(t)-1) {
					c.is(args[i], c.shapeOf(t[i+1]))
				}
			}
			return
		}
		c.is(t[1], c.shapeOf(t[2]))
		c.is(t[2], c.shapeOf(t[1]))
	}
}

// is says that a variable has a shape. One that has two is not judged.
func (c *fieldChecker) is(t *ast.Term, s shape) {
	v, ok := t.Value.(ast.Var)
	if !ok || s == nil {
		return
	}
	had, twice := c.known[v]
	switch {
	case !twice:
		c.known[v], c.more = s, true
	case had != nil && !sameShape(had, s):
		c.known[v], c.more = nil, true
	}
}

// sameShape compares by what fields there are.
func sameShape(a, b shape) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func (c *fieldChecker) shapeOf(t *ast.Term) shape {
	switch v := t.Value.(type) {
	case ast.Var:
		return c.known[v]
	case ast.Ref:
		s, _, _ := c.walk(v)
		return s
	}
	return nil
}

// walk goes along a reference. ok is false, with a finding, where there is no such
// field; the shape is nil where nothing is known.
func (c *fieldChecker) walk(r ast.Ref) (s shape, f diag.Finding, ok bool) {
	rest := r[1:]
	switch {
	case len(r) > 2 && r[0].Equal(ast.DefaultRootDocument) && r[1].Equal(ast.StringTerm("mesh")):
		s, rest = meshShape, r[2:]
	default:
		v, isVar := r[0].Value.(ast.Var)
		if !isVar {
			return nil, f, true
		}
		s = c.known[v]
	}
	for _, step := range rest {
		fields, named := s["properties"].(shape)
		name, isText := step.Value.(ast.String)
		switch {
		case s == nil:
			return nil, f, true
		case named && isText && fields[string(name)] == nil:
			return nil, unknownField(r, step, fields), false
		case named && isText:
			s, _ = fields[string(name)].(shape)
		case named:
			return nil, f, true
		default:
			s = item(s)
		}
	}
	return s, f, true
}

// item is what a list or map holds, nil if nothing is known of it.
func item(s shape) shape {
	if of, ok := s["items"].(shape); ok {
		return of
	}
	of, _ := s["additionalProperties"].(shape)
	return of
}

func unknownField(r ast.Ref, step *ast.Term, fields shape) diag.Finding {
	at := spanOf(step.Location)
	if at.File == "" {
		at = spanOf(r[0].Location)
	}
	name, _ := step.Value.(ast.String)
	have := slices.Sorted(maps.Keys(fields))
	f := diag.New(CodeCompile, at, "nothing in data.mesh has a field %q here", string(name)).
		WithEffect("the rule was not applied").
		WithHelp("there are %s: see docs/rules-format.md", strings.Join(have, ", "))
	if near := diag.Nearest(string(name), have); near != "" {
		f = f.WithHelp("did you mean %q?", near)
	}
	return f
}
