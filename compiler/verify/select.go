package verify

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// selection is what is to be asked about, and what of the mesh it takes.
type selection struct {
	few    bool  // of many: indexes do not pay
	ports  []int // services of the mesh whose ports are asked about
	roles  []int // of the plan
	egress bool
	near   func(ir.ServiceID) bool // services that a call to these can come to; nil: any
	check  func(*Mesh) error       // what has to be readable besides
}

func everything(mesh *ir.Mesh, plan *ir.Plan) selection {
	return selection{ports: upTo(len(mesh.Services)), roles: upTo(len(plan.Roles)), egress: true, check: (*Mesh).Check}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// around is the mesh with the grants, splits and roles that matter.
func (s selection) around(mesh *ir.Mesh) *ir.Mesh {
	if s.near == nil {
		return mesh
	}
	out := *mesh
	out.Grants = filtered(mesh.Grants, func(g *ir.Grant) bool {
		return slices.ContainsFunc(g.Ports, func(p ir.PortID) bool { return s.near(p.Service) })
	})
	out.Splits = filtered(mesh.Splits, func(sp *ir.Split) bool { return s.near(sp.Root) })
	out.Roles = filtered(mesh.Roles, func(r *ir.Role) bool { return slices.ContainsFunc(r.Services, s.near) })
	return &out
}

func filtered[T any](in []T, is func(*T) bool) []T {
	var out []T
	for i := range in {
		if is(&in[i]) {
			out = append(out, in[i])
		}
	}
	return out
}
