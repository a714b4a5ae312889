package verify

import (
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// Memo is what was proved last: a mesh and the plan made of it, and the classes
// of requests that were asked about on the way. With it a comparison asks only
// about what differs, by content, from what was proved; equal parts that share
// their memory cost next to nothing. The zero value has proved nothing. What was
// given to it must not be changed afterwards. It is safe for concurrent use.
type Memo struct {
	mu      sync.Mutex
	mesh    *ir.Mesh
	plan    *ir.Plan
	classes map[classDigest]bool
}

// mostClasses bounds what a memo knows besides the last mesh and plan.
const mostClasses = 4096

// Compare is verify.Compare for a mesh most of which is proved already: it finds
// something if and only if that does, in what differs. What it finds is not
// proved, and is asked about again the next time. A nil memo knows nothing.
func (m *Memo) Compare(mesh *ir.Mesh, plan *ir.Plan) []Disagreement {
	if m == nil {
		return Compare(mesh, plan)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	found, classes := m.compare(mesh, plan)
	if len(found) > 0 {
		return found
	}
	m.mesh, m.plan = mesh, plan
	if m.classes == nil || len(m.classes)+len(classes) > mostClasses {
		m.classes = map[classDigest]bool{}
	}
	for _, c := range classes {
		m.classes[c] = true
	}
	return nil
}

// compare asks what is not proved, and gives the classes that it asked about.
func (m *Memo) compare(mesh *ir.Mesh, plan *ir.Plan) ([]Disagreement, []classDigest) {
	before := m.plan
	if before == nil {
		before = &ir.Plan{}
	}
	if err := checkRefsSince(before, plan); err != nil {
		return []Disagreement{{Asked: "any request", Why: err.Error()}}, nil
	}
	sel := everything(mesh, plan)
	if m.plan != nil {
		sel = since(m.mesh, m.plan, mesh, plan)
	}
	return compare(mesh, plan, sel, m.classes)
}
