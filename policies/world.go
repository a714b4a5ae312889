package policies

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
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

	docs   map[string]*document
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
	if now.IsZero() {
		now = time.Unix(0, 0).UTC()
	}
	w := &World{files: files, mesh: mesh, inv: inventory, now: now, values: make(map[*syntax.Object]*lazy, len(files.Objects))}
	for _, o := range files.Objects {
		w.values[o] = &lazy{make: func() ast.Value { return objectValue(o) }}
	}
	if o := files.Config.Object; o != nil {
		w.values[o] = &lazy{make: func() ast.Value { return objectValue(o) }}
	}
	w.index, w.objects, w.references = sync.OnceValue(w.makeIndex), sync.OnceValue(w.makeObjects), sync.OnceValue(w.makeReferences)
	w.docs = map[string]*document{
		"settings":   {whole: w.settings},
		"namespaces": mapped(w.namespace, func() map[string]*syntax.Object { return w.objects().namespaces }),
		"identities": mapped(w.identity, func() map[string]*identityIndex { return w.index().identities }),
		"services":   mapped(w.service, func() map[string]*ir.Service { return w.index().services }),
		"calls":      mapped(w.calls, func() map[string]*identityIndex { return w.index().identities }),
		"grants":     mapped(w.grant, func() map[string]*ir.Grant { return w.index().grants }),
		"splits":     mapped(w.split, func() map[string]*ir.Split { return w.index().splits }),
		"workloads":  mapped(w.workload, func() map[string]*ir.InventoryWorkload { return w.index().workloads }),
		"references": mapped(w.reference, func() map[string]*references { return w.references() }),
	}
	for _, kind := range Kinds() {
		w.docs["objects/"+kind] = mapped(func(key string) ast.Value { return w.object(kind, key) },
			func() map[string]*syntax.Object { return w.objects().kinds[kind] })
	}
	for _, d := range w.docs {
		if d.keys != nil {
			d.keys = sync.OnceValue(d.keys) // sorted, and asked for with every entry
		}
	}
	return w
}

// Since makes another state known as the one before, as data.mesh.before.
func (w *World) Since(before *World) { w.before = before }

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
func (w *World) input(o *syntax.Object) *ast.Term {
	v, ok := w.values[o]
	if !ok {
		v = &lazy{make: func() ast.Value { return objectValue(o) }}
	}
	return ast.NewTerm(doc("object", v.get(), "apiVersion", ast.String(o.APIVersion)))
}

// lazy is a value that is made once, when it is first asked for.
type lazy struct {
	once  sync.Once
	make  func() ast.Value
	value ast.Value
}

func (l *lazy) get() ast.Value {
	l.once.Do(func() { l.value = l.make() })
	return l.value
}

// document is a part of data.mesh: a map whose entries are made one by one, so
// that a rule which looks up one service does not pay for all of them.
type document struct {
	keys  func() []string // sorted
	has   func(key string) bool
	entry func(key string) ast.Value
	whole func() ast.Value // instead of keys and entry

	entries sync.Map // key to *lazy
	once    sync.Once
	value   ast.Value
}

// mapped is a document with an entry for each of a map of the index.
func mapped[V any](entry func(string) ast.Value, of func() map[string]V) *document {
	return &document{
		entry: entry,
		keys:  func() []string { return names(of()) },
		has:   func(key string) bool { _, ok := of()[key]; return ok },
	}
}

// get is an entry, nil if there is none.
func (d *document) get(key string) ast.Value {
	if d.whole != nil {
		if o, ok := d.all().(ast.Object); ok {
			if t := o.Get(ast.StringTerm(key)); t != nil {
				return t.Value
			}
		}
		return nil
	}
	l, ok := d.entries.Load(key)
	if !ok {
		if !d.has(key) {
			return nil
		}
		l, _ = d.entries.LoadOrStore(key, &lazy{make: func() ast.Value { return d.entry(key) }})
	}
	return l.(*lazy).get()
}

// all is the document as a whole.
func (d *document) all() ast.Value {
	d.once.Do(func() {
		if d.whole != nil {
			d.value = d.whole()
			return
		}
		keys := d.keys()
		pairs := make([][2]*ast.Term, len(keys))
		for i, k := range keys {
			pairs[i] = [2]*ast.Term{ast.StringTerm(k), ast.NewTerm(d.get(k))}
		}
		d.value = ast.NewObject(pairs...)
	})
	return d.value
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// emptyWorld is a mesh of nothing: tests give data.mesh themselves.
func emptyWorld() *World {
	return NewWorld(&syntax.Files{Config: &syntax.Config{}}, &ir.Mesh{}, nil, time.Time{})
}
