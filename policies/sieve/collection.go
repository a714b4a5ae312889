package sieve

import "slices"

// member tells whether a collection has a value, under a key unless that is
// Undefined.
func (m *Machine) member(key, v, of any) any {
	if s, ok := of.(*Set); ok && key == Undefined {
		return m.has(s, v)
	}
	if key != Undefined {
		at := m.at(of, key)
		return at != Undefined && m.equal(at, v)
	}
	return m.each(of, func(_, item any) bool { return m.equal(item, v) || m.gaveUp })
}

// get is object.get: a field, or what a path leads to.
func get(m *Machine, a []any) any {
	switch a[0].(type) {
	case *Record, Map:
	default:
		return fail(m)
	}
	steps, ok := a[1].([]any)
	if !ok {
		steps = a[1:2]
	}
	v := a[0]
	for _, s := range steps {
		if v = m.at(v, s); v == Undefined {
			return a[2]
		}
	}
	return v
}

// unionN lays objects over each other.
func unionN(m *Machine, a []any) any {
	of, ok := a[0].([]any)
	if !ok {
		return fail(m)
	}
	out := &Record{}
	for _, o := range of {
		r, ok := o.(*Record)
		if !ok {
			return fail(m)
		}
		out = m.merge(out, r)
	}
	return out
}

func (m *Machine) merge(a, b *Record) *Record {
	out := &Record{Names: slices.Clone(a.Names), Values: slices.Clone(a.Values)}
	if len(a.Names)+len(b.Names) > maxSets {
		m.giveUp()
		return out
	}
	for i, n := range b.Names {
		v := b.Values[i]
		if _, lazy := v.(Map); lazy {
			m.giveUp()
		}
		if below, ok := v.(*Record); ok {
			if had, ok := out.Get(n).(*Record); ok {
				v = m.merge(had, below)
			}
		}
		out.Set(n, v)
	}
	return out
}

// sets are the sets in a list or set of them.
func (m *Machine) sets(v any) ([]*Set, bool) {
	var of []any
	switch x := v.(type) {
	case []any:
		of = x
	case *Set:
		of = x.Items
	default:
		return nil, false
	}
	out := make([]*Set, len(of))
	for i, e := range of {
		s, ok := e.(*Set)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

func union(m *Machine, a []any) any {
	of, ok := m.sets(a[0])
	if !ok {
		return fail(m)
	}
	out := &Set{}
	for _, s := range of {
		for _, v := range s.Items {
			m.insert(out, v)
		}
	}
	return out
}

func intersection(m *Machine, a []any) any {
	of, ok := m.sets(a[0])
	if !ok {
		return fail(m)
	}
	out := &Set{}
	if len(of) == 0 {
		return out
	}
	for _, v := range of[0].Items {
		if !slices.ContainsFunc(of[1:], func(s *Set) bool { return !m.has(s, v) }) {
			m.insert(out, v)
		}
	}
	return out
}

// minus is of numbers or of sets.
func minus(m *Machine, a []any) any {
	of, ok := m.sets(a)
	if !ok {
		return numbers(func(a, b int64) (int64, bool) { return a - b, true })(m, a)
	}
	out := &Set{}
	for _, v := range of[0].Items {
		if !m.has(of[1], v) {
			m.insert(out, v)
		}
	}
	return out
}
