package verify

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// smallest is the least of the requests on which the answers differ, made smaller
// as long as they still do.
func (c *comparison) smallest(q *portQuestions) []Disagreement {
	if len(q.found) == 0 {
		return nil
	}
	least := slices.MinFunc(q.found, func(a, b Disagreement) int {
		return probe.Size(a.Request.HTTP) - probe.Size(b.Request.HTTP)
	})
	for again := least.Request.HTTP != nil && least.differs; again; {
		again = false
		for _, http := range probe.Smaller(*least.Request.HTTP) {
			if d := c.asked(q, least.Request, http); d != nil {
				least, again = *d, true
				break
			}
		}
	}
	return []Disagreement{least}
}

// asked asks a request in place of another, and gives how the answers differ.
func (c *comparison) asked(q *portQuestions, r ir.Request, http ir.HTTPRequest) *Disagreement {
	once := *q
	once.found = nil
	r.HTTP = &http
	c.ask(&once, r)
	if len(once.found) == 0 {
		return nil
	}
	return &once.found[0]
}
