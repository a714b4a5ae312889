// Package compiler is the whole compiler on one screen: a tree of manifests and
// known facts in; the mesh, its plan and all findings out. It is a pure function:
// no clock, no network, no state. Equal input gives equal output whatever the
// order of files and objects.
package compiler

import (
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
	"github.com/meshc/meshc/policies"
)

// Options of a compilation; the zero value is useful.
type Options struct {
	// Now is the time of judgement, for the end dates of assumptions; zero: none has ended.
	Now time.Time
	// NoPlan stops before lowering: for who wants findings or the mesh only.
	NoPlan bool
	// NoVerify leaves out the comparison of the plan with the mesh. A build never
	// sets it; tests and benchmarks of the other stages do.
	NoVerify bool
	// Memo is what earlier compilations have proved of their plans, for who compiles
	// again and again; nil: nothing.
	Memo *verify.Memo
	// NoRules leaves out the rules in Rego, in the same way.
	NoRules bool
	// Stage is where the findings are judged; empty: a build.
	Stage policies.Stage
}

// Result is what a tree means. All but Plan is there even when there are errors.
type Result struct {
	Config    *syntax.Config
	Tables    []*syntax.VerdictTable
	Objects   int // documents that were read
	Passed    int // documents of kinds that the mesh does not read
	Mesh      *ir.Mesh
	Inventory *ir.Inventory
	Used      resolve.Used
	Plan      *ir.Plan // nil when a finding is an error, or with NoPlan
}

// CodeInternal is the finding of a defect of meshc itself: nothing is wrong with
// the manifests, and there is no plan.
const CodeInternal diag.Code = "MSH0499"

// Compile runs every stage and gives the findings of all of them. An error among
// them stops it before lowering, so there is never a plan of a faulty mesh.
func Compile(tree *source.Tree, known ir.Known, opts Options) (*Result, diag.List) {
	s := newSession(known, opts)
	s.once = true
	return s.Load(tree, known)
}
