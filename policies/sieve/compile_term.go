package sieve

import (
	"github.com/open-policy-agent/opa/v1/ast"
)

func (s *scope) terms(list []*ast.Term) []term {
	out := make([]term, len(list))
	for i, t := range list {
		out[i] = s.term(t)
	}
	return out
}

// term compiles what has one value. Unbound variables in it are beyond the sieve.
func (s *scope) term(t *ast.Term) term {
	switch v := t.Value.(type) {
	case ast.Var:
		if v == ast.InputRootDocument.Value {
			return input{}
		}
		if !s.bound[v] {
			s.bind(v)
			return beyond{}
		}
		return local(s.slots[v])
	case ast.Ref:
		return s.ref(v)
	case *ast.ArrayComprehension:
		inner := s.within()
		b := inner.body(v.Body)
		return &collect{value: inner.term(v.Term), body: b}
	case *ast.SetComprehension:
		inner := s.within()
		b := inner.body(v.Body)
		return &collect{value: inner.term(v.Term), body: b, set: true}
	case *ast.ObjectComprehension:
		inner := s.within()
		b := inner.body(v.Body)
		return &collect{key: inner.term(v.Key), value: inner.term(v.Value), body: b}
	}
	if t.IsGround() && !hasRef(t) {
		return constant{FromAST(t.Value)}
	}
	return s.compound(t)
}

// hasRef tells whether a term refers to something, or computes it.
func hasRef(t *ast.Term) bool {
	found := false
	ast.WalkTerms(t, func(t *ast.Term) bool {
		switch t.Value.(type) {
		case ast.Ref, ast.Call, *ast.ArrayComprehension, *ast.SetComprehension, *ast.ObjectComprehension:
			found = true
		}
		return found
	})
	return found
}

func (s *scope) compound(t *ast.Term) term {
	switch v := t.Value.(type) {
	case *ast.Array:
		out := items{}
		v.Foreach(func(t *ast.Term) { out.of = append(out.of, s.term(t)) })
		return out
	case ast.Set:
		return items{of: s.terms(v.Slice()), set: true}
	case ast.Object:
		out := fields{}
		v.Foreach(func(k, v *ast.Term) {
			out.names, out.values = append(out.names, s.term(k)), append(out.values, s.term(v))
		})
		return out
	}
	return beyond{}
}

// ref compiles a reference whose every step is known.
func (s *scope) ref(r ast.Ref) term {
	from, rest := s.root(r)
	if len(rest) == 0 {
		return from
	}
	return &path{from: from, steps: s.terms(rest)}
}

// root is what a reference begins with: input, a variable, data.mesh, a parameter
// or a rule; and its further steps.
func (s *scope) root(r ast.Ref) (term, []*ast.Term) {
	switch {
	case !r[0].Equal(ast.DefaultRootDocument):
		return s.term(r[0]), r[1:]
	case len(r) < 2:
		return beyond{}, nil
	case r[1].Equal(ast.StringTerm("mesh")):
		return mesh{}, r[2:]
	case r[1].Equal(ast.StringTerm(s.program.root)):
		return s.parameter(r)
	}
	for n := len(r.GroundPrefix()); n > 1; n-- {
		if g := s.program.group(r[:n].String()); g != nil && g.number >= 0 {
			return reference{g}, r[n:]
		}
	}
	return beyond{}, nil
}

// parameter is as much of a parameter as is known beforehand.
func (s *scope) parameter(r ast.Ref) (term, []*ast.Term) {
	v, n := s.program.params, 2
	for ; n < len(r) && v != nil; n++ {
		o, ok := v.(ast.Object)
		if _, text := r[n].Value.(ast.String); !ok || !text {
			break
		}
		if t := o.Get(r[n]); t != nil {
			v = t.Value
		} else {
			return constant{Undefined}, nil
		}
	}
	if n < 4 {
		return beyond{}, nil
	}
	return constant{FromAST(v)}, r[n:]
}

// walk compiles a reference with unbound variables, nil if there are none in it.
func (s *scope) walk(t *ast.Term) *walk {
	r, ok := t.Value.(ast.Ref)
	if !ok {
		return nil
	}
	first := 0
	for i, step := range r {
		if _, free := s.free(step); free && i > 0 {
			first = i
			break
		}
	}
	if first == 0 {
		return nil
	}
	from, rest := s.root(r)
	known := first - (len(r) - len(rest))
	if known < 0 { // beyond
		known = 0
	}
	if len(rest) < known {
		known = len(rest)
	}
	w := &walk{from: from, bind: -1}
	if known > 0 {
		w.from = &path{from: from, steps: s.terms(rest[:known])}
	}
	for _, step := range rest[known:] {
		if v, free := s.free(step); free {
			w.hops = append(w.hops, hop{slot: s.bind(v)})
		} else {
			w.hops = append(w.hops, hop{key: s.term(step)})
		}
	}
	return w
}
