package sieve

import "slices"

// group is all definitions of one name.
type group struct {
	number   int // place of its answer in Machine.given; of functions: -1
	defs     []*def
	fallback term // of `default`; nil: none
	set      bool // each definition adds elements
	beyond   bool // of a form that the sieve does not know
}

// def is one definition, with those behind its `else`.
type def struct {
	slots     int
	params    []param
	body      body
	value     term // of a set: an element
	otherwise *def
}

// param takes an argument into a slot, or compares it.
type param struct {
	slot int // -1: want
	want term
}

// call gives a function its arguments.
type call struct {
	of   *group
	args []term
}

func (t *call) eval(m *Machine, f []any) any {
	at := len(m.stack)
	defer m.release(at)
	args := m.frame(len(t.args))
	for i, a := range t.args {
		if args[i] = a.eval(m, f); args[i] == Undefined {
			return Undefined
		}
	}
	return t.of.eval(m, args)
}

// release gives frames back, unless they lie in a room that was left.
func (m *Machine) release(at int) {
	if at <= len(m.stack) {
		m.stack = m.stack[:at]
	}
}

// reference is a rule without arguments: it is run once for a question.
type reference struct{ of *group }

func (t reference) eval(m *Machine, _ []any) any {
	for len(m.given) <= t.of.number {
		m.given = append(m.given, given{})
	}
	if g := &m.given[t.of.number]; g.asked == m.asked && g.value != nil && (g.whole || !m.logs) {
		if m.logs {
			m.log = append(m.log, g.reads...)
		}
		return g.value
	}
	ordered, from := m.ordered, len(m.log)
	m.ordered = 0
	v := t.of.eval(m, nil)
	if m.ordered = ordered; !m.gaveUp && v != nil {
		g := given{asked: m.asked, value: v, whole: m.logs}
		if m.logs {
			g.reads = slices.Clone(m.log[from:])
		}
		m.given[t.of.number] = g
	}
	return v
}

// eval is the one value of a name. Definitions that disagree are an error, which
// is OPA's to tell.
func (g *group) eval(m *Machine, args []any) any {
	if g.beyond {
		m.giveUp()
		return Undefined
	}
	if g.set {
		return g.elements(m)
	}
	out := Undefined
	for _, d := range g.defs {
		v := Undefined
		for ; d != nil && v == Undefined && !m.gaveUp; d = d.otherwise {
			v = d.eval(m, args)
		}
		if m.gaveUp {
			return Undefined
		}
		if v == Undefined {
			continue
		}
		if out != Undefined && !m.equal(out, v) {
			m.giveUp()
			return Undefined
		}
		out = v
	}
	if out == Undefined && g.fallback != nil {
		out = g.fallback.eval(m, nil)
	}
	return out
}

func (d *def) eval(m *Machine, args []any) any {
	at := len(m.stack)
	f := m.frame(d.slots)
	defer m.release(at)
	for i, p := range d.params {
		if p.slot >= 0 {
			f[p.slot] = args[i]
		} else if !m.equal(p.want.eval(m, f), args[i]) {
			return Undefined
		}
	}
	out := Undefined
	_, same := d.value.(constant)
	d.body.run(m, f, 0, func(f []any) bool {
		v := d.value.eval(m, f)
		switch {
		case v == Undefined:
		case out == Undefined:
			out = v
		case !m.equal(out, v):
			m.giveUp()
		}
		return m.gaveUp || same
	})
	return out
}

func (g *group) elements(m *Machine) any {
	out := &Set{}
	for _, d := range g.defs {
		at := len(m.stack)
		d.body.run(m, m.frame(d.slots), 0, func(f []any) bool {
			if v := d.value.eval(m, f); v != Undefined {
				m.insert(out, v)
			}
			return m.gaveUp
		})
		m.release(at)
	}
	return out
}
