package compiler

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// CodeUnfaithful is the finding of configuration that does otherwise than the
// mesh means: a defect of meshc, like CodeInternal.
const CodeUnfaithful diag.Code = "MSH0498"

// mostUnfaithful is how many requests are shown: one defect tends to show in
// every service.
const mostUnfaithful = 5

// verified compares the plan with the mesh, request by request; a memo leaves out
// what it has proved.
func verified(mesh *ir.Mesh, plan *ir.Plan, memo *verify.Memo) diag.List {
	var out diag.List
	found := memo.Compare(mesh, plan)
	for _, d := range found[:min(len(found), mostUnfaithful)] {
		f := diag.New(CodeUnfaithful, origin(mesh, d.About), "the configuration made of the mesh does otherwise than the mesh says for %s: %s", d.Asked, d.Why).
			WithEffect("there is no bundle; what was served before stays served").
			WithHelp("this is a defect of meshc: please report it with the manifests that show it")
		out.Add(f)
	}
	return out
}

// origin is where the first of the names that has a source was written.
func origin(mesh *ir.Mesh, names []string) diag.Span {
	for _, n := range names {
		if o, ok := mesh.Origins[n]; ok {
			return diag.Span{File: o.File, Line: o.Line, Col: o.Col}
		}
	}
	return diag.Span{}
}
