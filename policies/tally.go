package policies

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
)

// tally takes what rules found, in the order of their inputs, up to the limit of
// each rule, and of a rule that is at fault itself the first fault.
type tally struct {
	limit  int
	count  map[diag.Code]int
	failed map[diag.Code]bool
}

func newTally(l Limits) *tally {
	return &tally{limit: l.Findings, count: map[diag.Code]int{}, failed: map[diag.Code]bool{}}
}

// left is how many findings of a rule may still be shown.
func (t *tally) left(rule *Rule) int { return t.limit - t.count[rule.Code] }

func (t *tally) take(rule *Rule, elements []said) diag.List {
	var out diag.List
	for _, e := range elements {
		if e.counted {
			if t.count[rule.Code]++; t.left(rule) < 0 {
				continue
			}
		}
		if e.fault {
			if t.failed[rule.Code] {
				continue
			}
			t.failed[rule.Code] = true
		}
		out.Add(e.Finding)
	}
	return out
}

// tooMany tells of rules what was left out.
func (t *tally) tooMany(rules []*Rule) diag.List {
	var out diag.List
	for _, rule := range rules {
		if n := t.count[rule.Code]; n > t.limit {
			out.Add(diag.New(CodeTooMany, rule.At, "the rule %s found %d faults; the first %d are shown", rule.Code, n, t.limit).
				WithHelp("mend these first, or turn the rule off in meshc.yaml: rules: {severity: {%s: off}}", rule.Code))
		}
	}
	return out
}

// made is an answer and the findings that it comes to, once they are asked for.
type made struct {
	answer
	elements []said
	list     *diag.List // of elements, when none is a fault; nil: not made
	mentions []string   // objects that were found by name for it, there or not
}

// anyObject stands for the object that a finding about none is shown at.
const anyObject = ""

// unmake forgets findings whose positions may be others.
func (d *judged) unmake() {
	for i, m := range d.made {
		d.made[i] = &made{answer: m.answer, mentions: m.mentions}
	}
}

// names tells whether findings name one of some objects.
func (m *made) names(others map[string]bool) bool {
	return slices.ContainsFunc(m.mentions, func(name string) bool { return name == anyObject || others[name] })
}

// report is the findings of all that have any. What is as it was is the same batch.
func (s *Session) report(stopped string) *diag.Section {
	out, t := &diag.Section{}, newTally(s.judge.limits)
	r := &reporter{world: s.world, stage: s.stage, limits: s.judge.limits, stopped: stopped}
	for _, d := range s.speaking {
		for _, m := range d.made {
			n := r.count(m.answer)
			if n > 0 && t.left(m.rule) <= 0 {
				t.count[m.rule.Code] += n
				continue
			}
			if m.elements == nil {
				r.mentions = nil
				m.make(r, d.unit)
			}
			if m.list != nil && n <= t.left(m.rule) {
				t.count[m.rule.Code] += n
				out.Batches = append(out.Batches, m.list)
			} else if cut := t.take(m.rule, m.elements); len(cut) > 0 {
				out.Batches = append(out.Batches, &cut)
			}
		}
	}
	if left := t.tooMany(s.judge.rules); len(left) > 0 {
		out.Batches = append(out.Batches, &left)
	}
	if s.shown == nil || !slices.Equal(s.shown.Batches, out.Batches) {
		s.shown = out
	}
	return s.shown
}

func (m *made) make(r *reporter, u unit) {
	m.elements = r.elements(u, m.answer)
	m.mentions = r.mentions
	if slices.ContainsFunc(m.elements, func(e said) bool { return e.fault }) || len(m.elements) == 0 {
		return
	}
	list := make(diag.List, len(m.elements))
	for i, e := range m.elements {
		list[i] = e.Finding
	}
	m.list = &list
}
