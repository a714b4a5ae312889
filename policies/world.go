package policies

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/sieve"
)

// World is one state of a mesh as rules see it: the objects, and the documents
// under data.mesh. Documents and their entries are made when a rule first reads
// them. It is safe for concurrent use; what it was made of must not change.
type World struct {
	files *syntax.Files
	mesh  *ir.Mesh
	inv   *ir.Inventory
	now   time.Time
	// before is the state that this one follows; nil: it is not known.
	before *World

	data   folder      // data.mesh
	docs   []*document // all in it, in an order that is always the same
	values map[*syntax.Object]*lazy

	// The indexes are made when something first needs them: a change that is judged
	// against a new state of the mesh pays for what its rules read.
	index      func() *index
	objects    func() *objects
	references func() map[string]*references
}

// NewWorld is the mesh that the files mean. now is the time of judgement, which
// time.now_ns gives to rules; zero: the beginning of 1970.
func NewWorld(files *syntax.Files, mesh *ir.Mesh, inventory *ir.Inventory, now time.Time) *World {
	w := &World{files: files, mesh: mesh, inv: inventory, now: atLeast1970(now), values: make(map[*syntax.Object]*lazy, len(files.Objects))}
	for _, o := range files.Objects {
		w.values[o] = newLazy(o)
	}
	if o := files.Config.Object; o != nil {
		w.values[o] = newLazy(o)
	}
	w.index, w.objects, w.references = sync.OnceValue(w.makeIndex), sync.OnceValue(w.makeObjects), sync.OnceValue(w.makeReferences)
	w.makeDocuments()
	return w
}

func atLeast1970(now time.Time) time.Time {
	if now.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return now
}

// Since makes another state known as the one before, as data.mesh.before.
func (w *World) Since(earlier *World) {
	w.before = earlier
	if earlier != nil {
		w.data[before] = earlier.data
	}
}

// Objects are the objects that a rule may judge: those that could be decoded,
// and meshc.yaml.
func (w *World) Objects() []*syntax.Object {
	out := make([]*syntax.Object, 0, len(w.files.Objects)+1)
	if w.files.Config.Object != nil {
		out = append(out, w.files.Config.Object)
	}
	for _, o := range w.files.Objects {
		if !o.Invalid {
			out = append(out, o)
		}
	}
	return out
}

// input is what a rule of scope object is given.
func (w *World) input(o *syntax.Object) input {
	v, ok := w.values[o]
	if !ok {
		v = newLazy(o)
	}
	return input{object: v, apiVersion: o.APIVersion}
}

// input is what a rule is given: an object, or what fixed holds.
type input struct {
	object     *lazy
	apiVersion string
	fixed      *sieve.Record
}

// value is the input as the sieve has it.
func (i input) value() any {
	if i.object == nil {
		return i.fixed
	}
	return doc("object", i.object.get(), "apiVersion", i.apiVersion)
}

// term is the input as OPA has it.
func (i input) term() ast.Value {
	if i.object == nil {
		return sieve.ToAST(i.fixed)
	}
	return astDoc("object", i.object.ast(), "apiVersion", i.apiVersion)
}

// lazy is a value that is made once, when it is first asked for, and made into
// OPA's when OPA first asks for it.
type lazy struct {
	make  func() any
	once  sync.Once
	value any
	onAST sync.Once
	term  ast.Value
}

func newLazy(o *syntax.Object) *lazy { return &lazy{make: func() any { return objectValue(o) }} }

func (l *lazy) get() any {
	l.once.Do(func() { l.value = l.make() })
	return l.value
}

func (l *lazy) ast() ast.Value {
	l.onAST.Do(func() { l.term = sieve.ToAST(l.get()) })
	return l.term
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// emptyWorld is a mesh of nothing: tests give data.mesh themselves.
func emptyWorld() *World {
	return NewWorld(&syntax.Files{Config: &syntax.Config{}}, &ir.Mesh{}, nil, time.Time{})
}
