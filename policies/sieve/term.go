package sieve

import "slices"

// term is an expression that has one value, or is Undefined.
type term interface {
	eval(m *Machine, f []any) any
}

type constant struct{ v any }

func (t constant) eval(*Machine, []any) any { return t.v }

type local int

func (t local) eval(_ *Machine, f []any) any { return f[t] }

type input struct{}

func (input) eval(m *Machine, _ []any) any { return m.Input }

type mesh struct{}

func (mesh) eval(m *Machine, _ []any) any { return m.Mesh }

// path is a reference whose every step is known.
type path struct {
	from  term
	steps []term
}

func (t *path) eval(m *Machine, f []any) any {
	v := t.from.eval(m, f)
	for _, s := range t.steps {
		if v == Undefined {
			return Undefined
		}
		key := s.eval(m, f)
		if key == Undefined {
			return Undefined
		}
		v = m.at(v, key)
	}
	return v
}

type items struct {
	of  []term
	set bool
}

func (t items) eval(m *Machine, f []any) any {
	out := make([]any, len(t.of))
	for i, e := range t.of {
		if out[i] = e.eval(m, f); out[i] == Undefined {
			return Undefined
		}
	}
	if !t.set {
		return out
	}
	s := &Set{}
	for _, v := range out {
		m.insert(s, v)
	}
	return s
}

type fields struct{ names, values []term }

func (t fields) eval(m *Machine, f []any) any {
	out := &Record{Names: make([]string, 0, len(t.names)), Values: make([]any, 0, len(t.names))}
	for i := range t.names {
		name, value := t.names[i].eval(m, f), t.values[i].eval(m, f)
		if name == Undefined || value == Undefined {
			return Undefined
		}
		text, ok := name.(string)
		if !ok || slices.Contains(out.Names, text) {
			m.giveUp()
			return Undefined
		}
		out.Names, out.Values = append(out.Names, text), append(out.Values, value)
	}
	return out
}

// maxItems bounds what is collected.
const maxItems = 100_000

// collect is a comprehension.
type collect struct {
	key, value term // key of objects only
	body       body
	set        bool
}

func (t *collect) eval(m *Machine, f []any) any {
	var out []any
	set, record := &Set{}, &Record{}
	listed := t.key == nil && !t.set
	if listed {
		m.ordered++
	}
	t.body.run(m, f, 0, func(f []any) bool {
		v := t.value.eval(m, f)
		if v == Undefined {
			return m.gaveUp
		}
		switch {
		case t.key != nil:
			m.field(record, t.key.eval(m, f), v)
		case t.set:
			m.insert(set, v)
		default:
			if out = append(out, v); len(out) > maxItems {
				m.giveUp()
			}
		}
		return m.gaveUp
	})
	if listed {
		m.ordered--
	}
	switch {
	case m.gaveUp:
		return Undefined
	case t.key != nil:
		return record
	case t.set:
		return set
	case out == nil:
		return []any{}
	}
	return out
}

// field adds to an object that a comprehension makes; two values for a key are an
// error, which is OPA's to tell.
func (m *Machine) field(r *Record, key, v any) {
	if key == Undefined {
		return
	}
	name, ok := key.(string)
	if had := r.Get(name); !ok || had != Undefined && !m.equal(had, v) || len(r.Names) > maxSets {
		m.giveUp()
		return
	}
	r.Set(name, v)
}
