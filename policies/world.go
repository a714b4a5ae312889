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

	docs   map[string]*document
	values map[*syntax.Object]*lazy
	index  func() *index
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
	w.index = sync.OnceValue(w.makeIndex)
	w.docs = map[string]*document{
		"settings":   {whole: w.settings},
		"namespaces": {keys: w.namespaceNames, entry: w.namespace},
		"identities": {keys: w.identityNames, entry: w.identity},
		"services":   {keys: w.serviceNames, entry: w.service},
		"calls":      {keys: w.identityNames, entry: w.calls},
		"grants":     {keys: w.grantNames, entry: w.grant},
		"splits":     {keys: w.splitNames, entry: w.split},
		"workloads":  {keys: w.workloadNames, entry: w.workload},
		"references": {keys: w.referenceNames, entry: w.reference},
	}
	for _, kind := range Kinds() {
		w.docs["objects/"+kind] = &document{
			keys:  func() []string { return w.index().objects[kind].names },
			entry: func(key string) ast.Value { return w.object(kind, key) },
		}
	}
	return w
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
	entry func(key string) ast.Value
	whole func() ast.Value // instead of keys and entry

	entries sync.Map // key to *lazy
	once    sync.Once
	value   ast.Value
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
		if _, found := slices.BinarySearch(d.keys(), key); !found {
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

// index is what leads from one thing to others, in both directions.
type index struct {
	objects    map[string]objectIndex // by kind
	named      map[string]*syntax.Object
	namespaces map[string]*syntax.Object // with their manifests, nil if there is none
	identities map[string]*identityIndex
	opened     map[string][]string // service to the grants that open it
	rooted     map[string][]string // service to the splits it is the root of
	leaves     map[string][]string // service to the splits it is a backend of
	grants     map[string]*ir.Grant
	splits     map[string]*ir.Split
	workloads  map[string]*ir.InventoryWorkload
	references map[string]*referenceIndex
}

type objectIndex struct {
	names []string
	by    map[string]*syntax.Object
}

type identityIndex struct {
	id                                      ir.Identity
	services, workloads, outgoing, incoming []string
}

func names[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// emptyWorld is a mesh of nothing: tests give data.mesh themselves.
func emptyWorld() *World {
	return NewWorld(&syntax.Files{Config: &syntax.Config{}}, &ir.Mesh{}, nil, time.Time{})
}
