package verdict

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Coverage is how much of a mesh's policy the cases of its tables exercise. Its
// field names are a promise to readers.
type Coverage struct {
	// Percent of all parts that a case exercises, rounded down; 100 of none.
	Percent int    `json:"percent"`
	Total   int    `json:"total"`
	Covered int    `json:"covered"`
	Parts   []Part `json:"parts"`
	// Rules are those that judge the mesh, with how often each fired. They count for
	// nothing: of a mesh in order no rule fires.
	Rules []RuleCount `json:"rules,omitempty"`
}

// Part is something that a case can exercise: a match of a grant, a grant of any
// request, or a split.
type Part struct {
	Place               // the grant or split
	Match *Place        `json:"match,omitempty"`
	Cases []CoveredCase `json:"cases"` // that exercise it
}

// CoveredCase names a case.
type CoveredCase struct {
	Table string `json:"table"`
	Name  string `json:"name,omitempty"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
}

// RuleCount is a rule and how many findings it made.
type RuleCount struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	// Own: it is not one of those that are compiled in.
	Own   bool   `json:"own,omitempty"`
	File  string `json:"file,omitempty"`
	Line  int    `json:"line,omitempty"`
	Fired int    `json:"fired"`
}

// Cover holds cases that were run against a mesh. A case exercises the matches and
// grants that let its request in, and the split that takes it: what is denied, or let
// in by a mode, exercises no grant.
func Cover(mesh *ir.Mesh, cases []Case) *Coverage {
	c := &Coverage{Parts: parts(mesh)}
	at := map[ir.Use][]int{}
	for i, p := range c.Parts {
		key := ir.Use{Grant: p.Name}
		if p.Match != nil {
			key.Match = p.Match.Name
		}
		at[key] = append(at[key], i)
	}
	for i := range cases {
		if cases[i].Mesh.Outcome == "" || cases[i].Mesh.Outcome == ir.Unknown {
			continue // it asked nothing that could be answered
		}
		for _, use := range used(mesh, cases[i].Request) {
			for _, part := range at[use] {
				c.Parts[part].Cases = append(c.Parts[part].Cases, coveredCase(&cases[i]))
			}
		}
	}
	c.Total = len(c.Parts)
	for _, p := range c.Parts {
		if len(p.Cases) > 0 {
			c.Covered++
		}
	}
	c.Percent = 100 * c.Covered / max(c.Total, 1)
	if c.Total == 0 {
		c.Percent = 100
	}
	return c
}

func used(mesh *ir.Mesh, r ir.Request) []ir.Use {
	path := ir.Explain(mesh, r)
	out := path.Uses
	for _, route := range path.Routes {
		if route.Taken {
			out = append(out, ir.Use{Grant: route.Name})
		}
	}
	return out
}

func coveredCase(c *Case) CoveredCase {
	return CoveredCase{Table: c.Table, Name: c.Name, File: c.At.File, Line: c.At.Line}
}

// parts are what there is to exercise, by name: of a grant with matches each match.
func parts(mesh *ir.Mesh) []Part {
	at := places{mesh}
	var out []Part
	for i := range mesh.Grants {
		g := &mesh.Grants[i]
		if len(g.HTTP) == 0 {
			out = append(out, Part{Place: at.of(g.Name), Cases: []CoveredCase{}})
		}
		for _, m := range g.HTTP {
			match := at.of(m.Name)
			out = append(out, Part{Place: at.of(g.Name), Match: &match, Cases: []CoveredCase{}})
		}
	}
	for i := range mesh.Splits {
		out = append(out, Part{Place: at.of(mesh.Splits[i].Name), Cases: []CoveredCase{}})
	}
	slices.SortStableFunc(out, func(a, b Part) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.match(), b.match())) })
	return slices.CompactFunc(out, func(a, b Part) bool { return a.Name == b.Name && a.match() == b.match() })
}

func (p Part) match() string {
	if p.Match == nil {
		return ""
	}
	return p.Match.Name
}
