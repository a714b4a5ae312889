package compiler

import (
	"reflect"
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
	"github.com/meshc/meshc/compiler/waive"
	"github.com/meshc/meshc/policies"
)

// Session compiles what changes little: trees that follow each other, files, and
// single objects. What it gives is equal to what Compile gives of the same input,
// but only what a change concerns is done again. It may be used by several
// goroutines, one of which it serves at a time.
//
// Every stage is a remembered function of what it reads. Documents are known by
// their text; names, services, roles, grants and judgements by what they have read
// of each other (package memo); resources by the part of the mesh that they are
// made of; what was proved by mesh and plan.
type Session struct {
	mu    sync.Mutex
	known ir.Known
	opts  Options
	once  bool // it compiles one tree

	tree   *source.Tree
	syntax *syntax.Session
	graph  *memo.Graph
	world  *resolve.Session
	check  *check.Session

	sections []*diag.Section
	findings diag.List // sorted
	lowering *envoy.Session
}

// NewSession starts without a file. What is known of things outside the tree, and
// the time of judgement, are those of its life; Load may bring other facts.
func NewSession(known ir.Known, opts Options) *Session {
	if opts.Memo == nil {
		opts.Memo = &verify.Memo{}
	}
	return newSession(known, opts)
}

func newSession(known ir.Known, opts Options) *Session {
	return &Session{known: known, opts: opts, tree: source.FromMap(nil), syntax: syntax.NewSession(), lowering: envoy.NewSession()}
}

// Change is another content of a file, or another state of a single object.
type Change struct {
	// Path is the file as findings name it; for an object any name that findings
	// are to show, such as its own.
	Path string
	// Data is what the file holds, or the object as YAML or JSON; nil: it is deleted.
	Data []byte
	// Object is set for a single object: its kind, namespace and name. The object
	// takes the place of one of that name wherever it stands.
	Object *syntax.Name
}

// Load goes on to another tree, which nobody changes any more, and other facts.
func (s *Session) Load(tree *source.Tree, known ir.Known) (*Result, diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !reflect.DeepEqual(known, s.known) {
		s.known, s.world = known, nil
	}
	s.tree = tree
	return s.compile(s.syntax.Read(tree))
}

// Apply makes changes and compiles what they come to together.
func (s *Session) Apply(changes ...Change) (*Result, diag.List) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit, tree := syntax.Edit{}, s.tree
	for _, c := range changes {
		if c.Object == nil {
			tree = tree.With(c.Path, c.Data)
		}
	}
	if tree != s.tree {
		s.tree, edit = tree, s.syntax.Read(tree)
	}
	for _, c := range changes {
		if c.Object != nil {
			for name, objects := range s.syntax.Put(c.Path, c.Data, *c.Object) {
				edit[name] = objects
			}
		}
	}
	return s.compile(edit)
}

// Try tells what would be found if a single object were changed: all that is found
// with the object itself, and what is found with others and was not before. Rules
// in Rego and lowering are left out. The session stays as it is; it must have
// compiled something before.
func (s *Session) Try(c Change) diag.List {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.syntax.Try()
	defer s.syntax.Undo()
	edit := s.syntax.Put(c.Path, c.Data, *c.Object)
	s.graph.Begin(true)
	defer s.graph.Rollback()
	s.world.Set(edit)
	added, removed := diag.Difference(s.sections, s.stages())
	fresh := added.Without(removed, func(f diag.Finding) bool { return f.At().File == c.Path })
	config := s.syntax.Config()
	return waive.Mark(fresh, config.Waivers, config.Rules.MaxWaiver, s.opts.Now)
}

// stages are the findings of reading, resolving and judging.
func (s *Session) stages() []*diag.Section {
	return slices.Concat(s.syntax.Findings(), s.world.Findings(), s.check.Findings())
}

// compile runs the stages after reading.
func (s *Session) compile(edit syntax.Edit) (*Result, diag.List) {
	result := s.resolve(edit)
	config := s.syntax.Config()
	findings := waive.Apply(s.syntax.WithBases(s.findings), config.Waivers, config.Rules.MaxWaiver, s.opts.Now)
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
func (s *Session) resolve(edit syntax.Edit) *Result {
	if s.world == nil || s.world.Config() != s.syntax.Config() {
		s.graph = memo.New()
		s.world = resolve.NewSession(s.graph, s.syntax.Config(), s.known, resolve.Options{Now: s.opts.Now})
		s.check = check.NewSession(s.graph, s.world)
		edit = s.syntax.All()
	}
	s.graph.Begin(false)
	s.world.Set(edit)
	meaning, sections := s.world.Result(), s.stages()
	s.graph.Commit()
	if !s.opts.NoRules {
		judge, found := policies.For(s.tree, s.syntax.Config())
		found.Add(judge.Mesh(policies.NewWorld(s.syntax.Files(), meaning.Mesh, meaning.Inventory, s.opts.Now), s.opts.Stage)...)
		sections = append(sections, &diag.Section{Batches: []*diag.List{&found}})
	}
	added, removed := diag.Difference(s.sections, sections)
	s.findings, s.sections = s.findings.Patched(added, removed), sections
	return &Result{
		Config: s.syntax.Config(), Tables: s.syntax.Tables(), Objects: s.syntax.Objects(), Passed: s.syntax.Passed(),
		Mesh: meaning.Mesh, Inventory: meaning.Inventory, Used: meaning.Used,
	}
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
