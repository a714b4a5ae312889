// Package check holds the built-in judgements about a mesh that resolved: hints
// and warnings about policy that means something, but perhaps not what its
// author meant. In come the files' objects and the IR, out come findings. It
// refuses to resolve names: that is done.
package check

import (
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// checks is every judgement, in no order that matters: findings are sorted later.
var checks = []func(*syntax.Files, *ir.Mesh) diag.List{}

// Mesh judges the mesh.
func Mesh(files *syntax.Files, mesh *ir.Mesh) diag.List {
	var found diag.List
	for _, c := range checks {
		found.Add(c(files, mesh)...)
	}
	return found
}
