package sieve

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Values of rules are string, bool, int64, nil for null, []any, *Record, *Set and
// Map. Whatever else an any holds, such as a number that is not whole, is opaque:
// the sieve gives up when a condition depends on it.

// Undefined is what has no value.
var Undefined any = &struct{ _ byte }{}

// Map is an object whose entries are made when they are asked for.
type Map interface {
	Get(key string) any // Undefined: there is no such entry
	Keys() []string     // sorted
	AST() ast.Value     // as OPA has it
}

// Record is an object of a few fields.
type Record struct {
	Names  []string // no two are equal
	Values []any
}

// Get is the value of a field.
func (r *Record) Get(name string) any {
	for i, n := range r.Names {
		if n == name {
			return r.Values[i]
		}
	}
	return Undefined
}

// Set adds a field, or gives it another value.
func (r *Record) Set(name string, v any) {
	if i := slices.Index(r.Names, name); i >= 0 {
		r.Values[i] = v
		return
	}
	r.Names, r.Values = append(r.Names, name), append(r.Values, v)
}

// Set is a set. Elements that are no text, number or truth value are few.
type Set struct {
	Items   []any
	complex int              // how many of them are no text, number or truth value
	simple  map[any]struct{} // the others, once they are many
}

// fewItems is how many elements are searched one by one.
const fewItems = 8

func (s *Set) hasSimple(v any) bool {
	if s.simple != nil {
		_, ok := s.simple[v]
		return ok
	}
	return slices.ContainsFunc(s.Items, func(e any) bool { return isSimple(e) && e == v })
}

func isSimple(v any) bool {
	switch v.(type) {
	case string, int64, bool, nil:
		return true
	}
	return false
}

// maxSets bounds sets of objects, lists and sets, which are searched in order.
const maxSets = 200

// has tells whether an element is in the set.
func (m *Machine) has(s *Set, v any) bool {
	if isSimple(v) {
		return s.hasSimple(v)
	}
	if !m.known(v) {
		return false
	}
	return slices.ContainsFunc(s.Items, func(e any) bool { return !isSimple(e) && m.equal(e, v) })
}

func (m *Machine) insert(s *Set, v any) {
	if !isSimple(v) {
		if m.has(s, v) || m.gaveUp {
			return
		}
		if s.complex++; s.complex > maxSets {
			m.giveUp()
			return
		}
	} else if s.hasSimple(v) {
		return
	} else if s.simple != nil {
		s.simple[v] = struct{}{}
	} else if len(s.Items) >= fewItems {
		s.simple = map[any]struct{}{v: {}}
		for _, e := range s.Items {
			if isSimple(e) {
				s.simple[e] = struct{}{}
			}
		}
	}
	s.Items = append(s.Items, v)
}

// known gives up on what is opaque, and on objects that are made lazily.
func (m *Machine) known(v any) bool {
	switch v.(type) {
	case string, int64, bool, nil, []any, *Record, *Set:
		return true
	}
	m.giveUp()
	return false
}

// equal compares as Rego does. It gives up on what is opaque.
func (m *Machine) equal(a, b any) bool {
	if !m.known(a) || !m.known(b) {
		return false
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !m.equal(x[i], y[i]) {
				return false
			}
		}
		return true
	case *Record:
		y, ok := b.(*Record)
		return ok && m.equalRecords(x, y)
	case *Set:
		y, ok := b.(*Set)
		return ok && len(x.Items) == len(y.Items) && !slices.ContainsFunc(x.Items, func(e any) bool { return !m.has(y, e) })
	}
	return isSimple(b) && a == b
}

func (m *Machine) equalRecords(x, y *Record) bool {
	if len(x.Names) != len(y.Names) {
		return false
	}
	for i, n := range x.Names {
		if v := y.Get(n); v == Undefined || !m.equal(x.Values[i], v) {
			return false
		}
	}
	return true
}

// at is the value at a key or place of a value.
func (m *Machine) at(of, key any) any {
	switch of := of.(type) {
	case *Record:
		if k, ok := key.(string); ok {
			return of.Get(k)
		}
	case []any:
		if i, ok := key.(int64); ok && i >= 0 && i < int64(len(of)) {
			return of[i]
		}
	case *Set:
		if m.has(of, key) {
			return key
		}
	case Map:
		if k, ok := key.(string); ok {
			return m.read(of, k)
		}
	case string, int64, bool, nil:
	default:
		m.giveUp()
	}
	if !isSimple(key) {
		m.giveUp()
	}
	return Undefined
}

// each walks over a collection in an order that is always the same, in that of
// Rego where it matters; it ends early, and says so, when f says that it is enough.
func (m *Machine) each(of any, f func(key, v any) bool) bool {
	switch of := of.(type) {
	case []any:
		for i, v := range of {
			if f(int64(i), v) {
				return true
			}
		}
	case *Record:
		return m.eachField(of, f)
	case *Set:
		for _, v := range m.inOrder(of) {
			if f(v, v) {
				return true
			}
		}
	case Map:
		m.note(of, "", true)
		for _, k := range of.Keys() {
			if f(k, of.Get(k)) {
				return true
			}
		}
	case string, int64, bool, nil:
	default:
		m.giveUp()
	}
	return m.gaveUp
}

func (m *Machine) eachField(of *Record, f func(key, v any) bool) bool {
	if m.ordered == 0 {
		for i, k := range of.Names {
			if f(k, of.Values[i]) {
				return true
			}
		}
		return m.gaveUp
	}
	for _, k := range slices.Sorted(slices.Values(of.Names)) {
		if f(k, of.Get(k)) {
			return true
		}
	}
	return m.gaveUp
}

// inOrder are the elements of a set; in the order of Rego where lists are made.
func (m *Machine) inOrder(s *Set) []any {
	if m.ordered == 0 || len(s.Items) < 2 {
		return s.Items
	}
	texts := m.texts(s.Items)
	if texts == nil {
		m.giveUp()
		return nil
	}
	slices.Sort(texts)
	return list(texts)
}

// texts are the elements as texts, nil unless all of them are.
func (m *Machine) texts(items []any) []string {
	out := make([]string, len(items))
	for i, v := range items {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		out[i] = s
	}
	return out
}

func list(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}
