package compiler

import (
	"reflect"
	"sync"
	"time"

	"github.com/meshc/meshc/compiler/check"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
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
	rules  policies.Session

	sections []*diag.Section
	findings diag.List // sorted
	lowering *envoy.Session
}

// NewSession starts without a file.
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

// At moves the time of judgement. What ends, ends with a day: on another day all is
// judged anew with the next change.
func (s *Session) At(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opts.Now.Format(time.DateOnly) != now.Format(time.DateOnly) {
		s.opts.Now, s.world = now, nil
	}
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

// Files are the objects and tables of the session as they are now: for who wants to
// know where things are written. They must not be changed.
func (s *Session) Files() *syntax.Files {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syntax.Files()
}

// Written are the objects of a file of the tree, in the order written. They must not
// be changed.
func (s *Session) Written(path string) []*syntax.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.syntax.Written(path)
}
