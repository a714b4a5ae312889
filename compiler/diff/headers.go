package diff

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// line is a line of a header with the conditions on that header that it meets.
type line struct {
	name, text string
	meets      []ir.HeaderMatch
}

// The most ways to choose the lines of a request's headers that are tried.
const mostLines = 512

// lines are the lines that meet a condition, those with the fewest other
// conditions of the rivals met: one for each smallest set. no: there is none.
func (w *weigher) lines(h ir.HeaderMatch, rivals []class) ([]line, answer) {
	conditions := []ir.HeaderMatch{h}
	for _, o := range rivals {
		for _, c := range o.headers {
			if c.Name == h.Name && !slices.Contains(conditions, c) {
				conditions = append(conditions, c)
			}
		}
	}
	walk := walk{must: 1, alphabet: latin, budget: &w.budget}
	for _, c := range conditions {
		walk.machines = append(walk.machines, w.machine(c.Regex, !c.Full))
	}
	var out []line
	answer := walk.each(func(states []int, text func() string) bool {
		found := line{name: h.Name}
		for i, m := range walk.machines {
			if m.states[states[i]].accept {
				found.meets = append(found.meets, conditions[i])
			}
		}
		if !slices.Contains(found.meets, h) {
			return false
		}
		if slices.ContainsFunc(out, func(l line) bool { return subset(l.meets, found.meets) }) {
			return false
		}
		out = slices.DeleteFunc(out, func(l line) bool { return subset(found.meets, l.meets) })
		found.text = text()
		out = append(out, found)
		return len(found.meets) == 1 // nothing is smaller
	})
	switch {
	case answer == unsure:
		return nil, unsure
	case len(out) == 0:
		return nil, no
	}
	return out, yes
}

func subset(a, b []ir.HeaderMatch) bool {
	return !slices.ContainsFunc(a, func(h ir.HeaderMatch) bool { return !slices.Contains(b, h) })
}

// met tells whether the lines meet every condition of a class on headers.
func met(o class, lines []line) bool {
	return !slices.ContainsFunc(o.headers, func(h ir.HeaderMatch) bool {
		return !slices.ContainsFunc(lines, func(l line) bool { return l.name == h.Name && slices.Contains(l.meets, h) })
	})
}

// combinations are all ways to take one line of each slot. Where they are too
// many, the last is nil.
func combinations(slots [][]line) [][]line {
	out := [][]line{{}}
	for _, slot := range slots {
		var next [][]line
		for _, chosen := range out {
			for _, l := range slot {
				if len(next) >= mostLines {
					return [][]line{nil}
				}
				next = append(next, append(slices.Clone(chosen), l))
			}
		}
		out = next
	}
	return out
}
