package compiler

import (
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
)

// NextEnd is when the first of the grants that end by themselves ends; zero: none does.
func NextEnd(m *ir.Mesh) time.Time {
	var first time.Time
	for i := range m.Grants {
		if end := m.Grants[i].Until; !end.IsZero() && (first.IsZero() || end.Before(first)) {
			first = end
		}
	}
	return first
}

// WithoutEnded is a mesh without those of the grants that end by themselves of which
// ended holds, with its plan, which is proved as any other: for who has a compiled mesh
// and not what it was compiled of. What is found is our own defect.
func WithoutEnded(m *ir.Mesh, ended func(*ir.Grant) bool) (*ir.Mesh, *ir.Plan, diag.List) {
	out := *m
	out.Grants = slices.DeleteFunc(slices.Clone(m.Grants), func(g ir.Grant) bool { return !g.Until.IsZero() && ended(&g) })
	s := &Session{lowering: envoy.NewSession()}
	plan, found := s.lower(&out)
	return &out, plan, found
}
