package sieve

// body is what must hold, in the order of OPA's compiler. Variables have slots in
// the frame of their rule; which are bound at a step is known beforehand.
type body []step

// step is one expression: it runs the rest of the body for each way in which it holds.
type step interface {
	run(m *Machine, f []any, rest body, i int, y yield) bool
}

// yield is given each solution; true: that is enough. A run that gave up is true, too.
type yield func(f []any) bool

func (b body) run(m *Machine, f []any, i int, y yield) bool {
	if m.left--; m.left < 0 {
		m.giveUp()
	}
	if m.gaveUp {
		return true
	}
	if i == len(b) {
		return y(f)
	}
	return b[i].run(m, f, b, i+1, y)
}

func enough([]any) bool { return true }

// holds tells whether a body has a solution.
func (b body) holds(m *Machine, f []any) bool { return b.run(m, f, 0, enough) && !m.gaveUp }

// assign gives a variable its value.
type assign struct {
	slot int
	of   term
}

func (s assign) run(m *Machine, f []any, rest body, i int, y yield) bool {
	v := s.of.eval(m, f)
	if v == Undefined {
		return m.gaveUp
	}
	f[s.slot] = v
	return rest.run(m, f, i, y)
}

// truth wants a value that is not false.
type truth struct{ of term }

func (s truth) run(m *Machine, f []any, rest body, i int, y yield) bool {
	if v := s.of.eval(m, f); v == Undefined || v == false {
		return m.gaveUp
	}
	return rest.run(m, f, i, y)
}

// same compares two values.
type same struct{ a, b term }

func (s same) run(m *Machine, f []any, rest body, i int, y yield) bool {
	a := s.a.eval(m, f)
	if a == Undefined {
		return m.gaveUp
	}
	b := s.b.eval(m, f)
	if b == Undefined || !m.equal(a, b) {
		return m.gaveUp
	}
	return rest.run(m, f, i, y)
}

// hop is one step of a walk: a key that is known, or a variable that takes each.
type hop struct {
	key  term // nil: slot
	slot int
}

// walk goes along a path with variables, and binds, compares or tests what it
// comes to.
type walk struct {
	from term
	hops []hop
	bind int  // slot of what it comes to; -1: none
	want term // what it must come to; nil: anything but false, or to bind
}

func (s *walk) run(m *Machine, f []any, rest body, i int, y yield) bool {
	v := s.from.eval(m, f)
	if v == Undefined {
		return m.gaveUp
	}
	return s.step(m, f, 0, v, func(f []any) bool { return rest.run(m, f, i, y) })
}

func (s *walk) step(m *Machine, f []any, n int, v any, y yield) bool {
	for n < len(s.hops) && s.hops[n].key != nil {
		key := s.hops[n].key.eval(m, f)
		if key == Undefined {
			return m.gaveUp
		}
		if v = m.at(v, key); v == Undefined {
			return m.gaveUp
		}
		n++
	}
	if n == len(s.hops) {
		return s.end(m, f, v, y)
	}
	return m.each(v, func(key, item any) bool {
		if m.left--; m.left < 0 {
			m.giveUp()
			return true
		}
		f[s.hops[n].slot] = key
		return s.step(m, f, n+1, item, y)
	})
}

func (s *walk) end(m *Machine, f []any, v any, y yield) bool {
	switch {
	case m.gaveUp:
		return true
	case s.bind >= 0:
		f[s.bind] = v
	case s.want == nil:
		if v == false {
			return false
		}
	default:
		want := s.want.eval(m, f)
		if want == Undefined || !m.equal(v, want) {
			return m.gaveUp
		}
	}
	return y(f)
}

// none wants a body without a solution.
type none struct{ body body }

func (s none) run(m *Machine, f []any, rest body, i int, y yield) bool {
	found := s.body.holds(m, f)
	if m.gaveUp {
		return true
	}
	if found {
		return false
	}
	return rest.run(m, f, i, y)
}

// every wants a body to hold for each element.
type every struct {
	key, value int // slots; -1: none
	of         term
	body       body
}

func (s *every) run(m *Machine, f []any, rest body, i int, y yield) bool {
	of := s.of.eval(m, f)
	switch of.(type) {
	case []any, *Record, *Set, Map:
	default:
		m.giveUp()
		return true
	}
	broken := m.each(of, func(key, v any) bool {
		if s.key >= 0 {
			f[s.key] = key
		}
		if s.value >= 0 {
			f[s.value] = v
		}
		return !s.body.holds(m, f)
	})
	if broken || m.gaveUp {
		return m.gaveUp
	}
	return rest.run(m, f, i, y)
}

// beyond is what the sieve does not know.
type beyond struct{}

func (beyond) run(m *Machine, _ []any, _ body, _ int, _ yield) bool { m.giveUp(); return true }
func (beyond) eval(m *Machine, _ []any) any                         { m.giveUp(); return Undefined }

// nothing is what never fails and binds nothing, such as a print.
type nothing struct{}

func (nothing) run(m *Machine, f []any, rest body, i int, y yield) bool { return rest.run(m, f, i, y) }
