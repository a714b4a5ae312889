// Package sieve tells at little cost that a rule finds nothing. In come rules as
// OPA's compiler leaves them and values that were never made into OPA's; out comes
// "certainly nothing" or "perhaps something", and then OPA is asked. It knows a
// part of Rego. Where that ends, where a function could fail, or when it takes too
// long, it gives up, which means "perhaps": it never finds, excuses or fails
// anything itself.
package sieve

import (
	"regexp"
)

// Machine asks rules about inputs, one after the other. It belongs to one goroutine.
type Machine struct {
	// Mesh is data.mesh, Input is input.
	Mesh, Input any
	// Note is told each entry of a Map that an answer depends on, there or not, and
	// each Map that was walked over as a whole.
	Note func(of Map, key string, all bool)

	logs    bool // what is read is noted in log, too
	log     []Read
	left    int
	gaveUp  bool
	ordered int // lists are being made: the order of what is walked over matters
	asked   int // which question this is: what groups gave before is forgotten
	given   []given
	stack   []any
	regexes map[string]*regexp.Regexp
}

// given is what a rule without arguments gave to a question.
type given struct {
	asked int
	value any
	reads []Read // for it, where that is logged
	whole bool   // reads is all
}

// maxSteps is how many expressions a question may take here before OPA, which has
// a limit of its own, is asked instead.
const maxSteps = 20_000

// WideSteps is how many it may take of a rule that judges the whole mesh.
const WideSteps = 50 * maxSteps

// May tells whether a rule may find something, or fail. False is certain. known, if
// it is not nil, spares elements that nothing was found of.
func (m *Machine) May(t *Test, steps int, known Elements) bool {
	if steps == 0 {
		steps = maxSteps
	}
	m.left, m.gaveUp, m.ordered = steps, false, 0
	m.stack = m.stack[:0]
	found := false
	for n, d := range t.defs {
		if may, ok := m.overElements(n, d, known); may {
			return true
		} else if ok {
			continue
		}
		f := m.frame(d.slots)
		d.body.run(m, f, 0, func([]any) bool { found = true; return true })
		if found || m.gaveUp {
			return true
		}
	}
	return false
}

// Next begins with another input.
func (m *Machine) Next(input any) {
	m.Input = input
	m.asked++
}

func (m *Machine) giveUp() { m.gaveUp = true }

func (m *Machine) note(of Map, key string, all bool) {
	if m.logs {
		m.log = append(m.log, Read{of, key, all})
	}
	if m.Note != nil {
		m.Note(of, key, all)
	}
}

func (m *Machine) read(of Map, key string) any {
	m.note(of, key, false)
	return of.Get(key)
}

// frame is room for the variables of a rule.
func (m *Machine) frame(n int) []any {
	at := len(m.stack)
	if at+n > cap(m.stack) {
		m.stack = make([]any, 0, 2*(at+n)+256) // frames in use stay where they are
		at = 0
	}
	m.stack = m.stack[:at+n]
	return m.stack[at : at+n : at+n]
}

// regex compiles an expression once, nil if it is none.
func (m *Machine) regex(text string) *regexp.Regexp {
	re, known := m.regexes[text]
	if !known {
		if len(text) > maxText {
			return nil
		}
		if re, _ = regexp.Compile(text); len(m.regexes) > 500 || m.regexes == nil {
			m.regexes = map[string]*regexp.Regexp{}
		}
		m.regexes[text] = re
	}
	return re
}
