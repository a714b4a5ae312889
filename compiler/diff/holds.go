package diff

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Comparer tells whether sets of requests hold each other. It remembers what it
// has worked out; it is for one goroutine.
type Comparer struct{ weigher *weigher }

// comparerBudget is the work that one Comparer may do: a build waits for it.
const comparerBudget = 10_000_000

// NewComparer is a comparer that has worked out nothing yet.
func NewComparer() *Comparer {
	w := newWeigher()
	w.budget = comparerBudget
	return &Comparer{w}
}

// Equal tells whether two unions of matches are the same requests, however they
// are written. No match is no request; the zero ir.Match is every request. known
// is false where that was too large to decide.
func (c *Comparer) Equal(a, b []ir.Match) (equal, known bool) {
	if slices.EqualFunc(a, b, sameRequests) {
		return true, true
	}
	undecided := false
	these, those := classesOf(a), classesOf(b)
	for _, pair := range [][2][]class{{these, those}, {those, these}} {
		for _, e := range c.weigher.beyond(pair[0], pair[1]) {
			if e.example != nil {
				return false, true
			}
			undecided = true
		}
	}
	return !undecided, !undecided
}

// sameRequests tells whether two matches are written alike, whatever their names.
func sameRequests(a, b ir.Match) bool {
	return a.Path == b.Path && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Headers, b.Headers)
}
