package policies

import (
	"maps"
	"slices"
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/policies/sieve"
)

// document is a part of data.mesh: a map whose entries are made one by one, so
// that a rule which looks up one service does not pay for all of them.
type document struct {
	number int             // of the world's documents
	names  func() []string // of all entries, in any order
	has    func(key string) bool
	entry  func(key string) any

	entries sync.Map // key to *lazy
	once    sync.Once
	keys    []string // sorted; nil: not asked for yet
	onAST   sync.Once
	term    ast.Value
}

// mapped is a document with an entry for each of a map of the index.
func mapped[V any](entry func(string) any, of func() map[string]V) *document {
	return &document{
		entry: entry, names: func() []string { return slices.Collect(maps.Keys(of())) },
		has: func(key string) bool { _, ok := of()[key]; return ok },
	}
}

// at is an entry, nil if there is none.
func (d *document) at(key string) *lazy {
	l, ok := d.entries.Load(key)
	if !ok {
		if !d.has(key) {
			return nil
		}
		l, _ = d.entries.LoadOrStore(key, &lazy{make: func() any { return d.entry(key) }})
	}
	return l.(*lazy)
}

// Get is an entry, sieve.Undefined if there is none.
func (d *document) Get(key string) any {
	if l := d.at(key); l != nil {
		return l.get()
	}
	return sieve.Undefined
}

// Keys are the names of all entries, sorted.
func (d *document) Keys() []string {
	d.once.Do(func() {
		if d.keys == nil {
			d.keys = append([]string{}, d.names()...) // not nil, even if there are none
			slices.Sort(d.keys)
		}
	})
	return d.keys
}

// AST is the document as a whole.
func (d *document) AST() ast.Value {
	d.onAST.Do(func() {
		keys := d.Keys()
		pairs := make([][2]*ast.Term, len(keys))
		for i, k := range keys {
			pairs[i] = [2]*ast.Term{ast.StringTerm(k), ast.NewTerm(d.at(k).ast())}
		}
		d.term = ast.NewObject(pairs...)
	})
	return d.term
}

// forget makes the entries of some keys anew when they are asked for next, there or
// gone. Nobody may read meanwhile.
func (d *document) forget(changed map[string]struct{}) {
	for key := range changed {
		d.entries.Delete(key)
		if d.keys == nil {
			continue
		}
		switch i, had := slices.BinarySearch(d.keys, key); {
		case had && !d.has(key):
			d.keys = slices.Delete(d.keys, i, i+1)
		case !had && d.has(key):
			d.keys = slices.Insert(d.keys, i, key)
		}
	}
	if len(changed) > 0 {
		d.onAST, d.term = sync.Once{}, nil
	}
}

// folder is a map of documents: data.mesh, and data.mesh.objects.
type folder map[string]sieve.Map

// Get is a document, sieve.Undefined if there is none.
func (f folder) Get(key string) any {
	if d, ok := f[key]; ok {
		return d
	}
	return sieve.Undefined
}

// Keys are the names of the documents, sorted.
func (f folder) Keys() []string { return names(f) }

// AST is the whole, for a rule that walks it.
func (f folder) AST() ast.Value {
	var out []any
	for _, name := range f.Keys() {
		out = append(out, name, f[name])
	}
	return astDoc(out...)
}
