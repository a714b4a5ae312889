// Package compiler is the whole compiler on one screen: a tree of manifests and
// known facts in; the mesh, its plan and all findings out. It is a pure function:
// no clock, no network, no state. Equal input gives equal output whatever the
// order of files and objects.
package compiler

import (
	"slices"
	"time"

	"github.com/meshc/meshc/compiler/baseline"
	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/concern"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
	"github.com/meshc/meshc/compiler/waive"
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
	// ComparingOnly applies only the rules that compare with Base, in the same way.
	ComparingOnly bool
	// Baseline accepts findings that were there when it was written; nil: none.
	Baseline *baseline.Baseline
	// Base is an earlier state, for rules that compare and for Result.Concern; nil:
	// none is known.
	Base *Base
	// Ruling is what judges instead of the tree's own rules, severities and waivers; nil: these.
	Ruling *Ruling
	// Also judges a tree by other means; what it finds is waived, weighed and held against
	// the baseline as all else. It must give the same for the same tree; nil: nothing does.
	Also func(*source.Tree) diag.List
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
	// Edit is the names whose objects became others since the last result of a session,
	// with all their objects now.
	Edit syntax.Edit
	// Concern is what the change since Options.Base concerns; nil without one.
	Concern *concern.Set
	// Waivers are those in force, of meshc.yaml, files and comments.
	Waivers []syntax.Waiver
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

// stages are the findings of reading, resolving and judging.
func (s *Session) stages() []*diag.Section {
	return slices.Concat(s.syntax.Findings(), s.world.Findings(), s.check.Findings())
}

// compile runs the stages after reading, for the names whose objects became others.
func (s *Session) compile(edit syntax.Edit) (*Result, diag.List) {
	result := s.resolve(edit)
	config := s.ruling().Config
	all := s.syntax.WithBases(s.findings)
	if s.opts.Also != nil {
		all = append(slices.Clone(all), s.opts.Also(s.tree)...).Sorted()
	}
	all = staged(all, s.opts.Stage)
	findings := waive.Apply(all, result.Waivers, config.Rules.MaxWaiver, s.opts.Now)
	findings = s.opts.Baseline.Apply(waive.Severities(findings, config.Rules.Severity))
	if s.once { // from here on nothing holds the manifests: they may be collected
		s.tree, s.syntax, s.graph, s.world, s.check, s.sections = nil, nil, nil, nil, nil, nil
	}
	if findings.HasErrors() || s.opts.NoPlan {
		return result, findings
	}
	plan, wrong := s.lower(result.Mesh)
	if len(wrong) > 0 {
		return result, append(slices.Clone(findings), wrong...).Sorted()
	}
	result.Plan = plan
	return result, findings
}

// resolve makes the mesh, and finds all that can be found without lowering it.
// What needs neither waits for none: rules are compiled meanwhile, and who compiles
// once judges by them while the built-in checks run.
func (s *Session) resolve(edit syntax.Edit) *Result {
	load := aside(s.loader())
	if s.world == nil || s.world.Config() != s.syntax.Config() {
		s.graph = memo.New()
		if s.once {
			s.graph = memo.Once()
		}
		s.world = resolve.NewSession(s.graph, s.syntax.Config(), s.known, resolve.Options{Now: s.opts.Now})
		s.check = check.NewSession(s.graph, s.world)
		edit = s.syntax.All()
	}
	s.graph.Begin(false)
	s.world.Set(edit)
	meaning := s.world.Result()
	judged := func() []*diag.Section { return s.judge(load(), edit, meaning) }
	if s.once {
		judged = aside(judged)
	}
	sections := s.stages()
	s.graph.Commit()
	sections = append(sections, judged()...)
	if s.once {
		s.findings = diag.All(sections).Sorted()
	} else {
		added, removed := diag.Difference(s.sections, sections)
		s.findings = s.findings.Patched(added, removed)
	}
	s.sections = sections
	result := &Result{
		Config: s.syntax.Config(), Tables: s.syntax.Tables(), Objects: s.syntax.Objects(), Passed: s.syntax.Passed(),
		Mesh: meaning.Mesh, Inventory: meaning.Inventory, Used: meaning.Used,
		Waivers: s.waivers(), Edit: edit,
	}
	if s.opts.Base != nil {
		result.Concern = concern.Between(s.opts.Base.state, stateOf(s, meaning.Mesh, meaning.Inventory))
	}
	return result
}

// judge applies the rules to what an edit left. Who compiles once need not remember
// what they read.
func (s *Session) judge(by rules, edit syntax.Edit, meaning resolve.Result) []*diag.Section {
	if by.judge == nil {
		return nil
	}
	var before *policies.World
	if s.opts.Base != nil {
		before = s.opts.Base.state.World
	}
	if s.once {
		world := policies.NewWorld(s.syntax.Files(), meaning.Mesh, meaning.Inventory, s.opts.Now)
		world.Since(before)
		found := by.judge.Mesh(world, s.opts.Stage)
		return []*diag.Section{{Batches: []*diag.List{by.found, &found}}}
	}
	return []*diag.Section{{Batches: []*diag.List{by.found}}, s.rules.Mesh(by.judge, policies.State{
		Files: s.syntax.Files, Edit: edit, Config: s.syntax.Config(),
		Mesh: meaning.Mesh, Inventory: meaning.Inventory, Now: s.opts.Now, Before: before,
	}, s.opts.Stage)}
}

// lower makes the plan of a mesh, and proves it. What is found is our own defect.
func (s *Session) lower(mesh *ir.Mesh) (*ir.Plan, diag.List) {
	plan, err := s.lowering.Lower(mesh)
	if err != nil {
		return nil, diag.List{diag.New(CodeInternal, diag.Span{}, "the mesh could not be lowered to Envoy configuration: %v", err).
			WithEffect("there is no bundle; what was served before stays served").
			WithHelp("this is a defect of meshc: please report it with the manifests that show it")}
	}
	if s.opts.NoVerify {
		return plan, nil
	}
	return plan, verified(mesh, plan, s.opts.Memo)
}
