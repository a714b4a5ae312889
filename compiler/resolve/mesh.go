// Package resolve turns decoded objects into the mesh they mean: names become
// identities, services, roles, grants and splits (SEMANTICS.md). In come the
// files' objects and what is known of things outside the tree; out come the IR,
// the tree's inventory, the facts that were used, and findings. Everything is a
// remembered function of what it reads (package memo), so that a change of an
// object resolves again only what read it. It knows no clock, no network and no
// Envoy.
package resolve

import (
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/syntax"
)

// Options of a run; the zero value is useful.
type Options struct {
	// Now is the time of judgement, for the end dates of assumptions; zero: none has ended.
	Now time.Time
}

// Mesh resolves the objects. known is what meshc.lock says; the assumptions of
// the configuration are added to it. The mesh is never nil: what could not be
// resolved is a finding and grants nothing.
func Mesh(files *syntax.Files, known ir.Known, opts Options) (*ir.Mesh, *ir.Inventory, Used, diag.List) {
	g := memo.New()
	s := NewSession(g, files.Config, known, opts)
	g.Begin(false)
	s.Set(ByName(files.Objects))
	result := s.Result()
	return result.Mesh, result.Inventory, result.Used, diag.All(s.Findings())
}

// Result is what the objects of a session mean.
type Result struct {
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	Used      Used
}
