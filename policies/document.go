package policies

import (
	"sync"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/policies/sieve"
)

// document is a part of data.mesh: a map whose entries are made one by one, so
// that a rule which looks up one service does not pay for all of them.
type document struct {
	number int             // of the world's documents
	keys   func() []string // sorted
	has    func(key string) bool
	entry  func(key string) any
	of     any // func() map[string]V: what the entries are made of
	follow func(before *document) change

	entries *sync.Map // key to *lazy
	once    sync.Once
	term    ast.Value
}

// mapped is a document with an entry for each of a map of the index. same tells
// whether an entry is what it was in an earlier world.
func mapped[V any](entry func(string) any, of func() map[string]V, same func(before, now V, key string) bool) *document {
	d := &document{
		entry: entry, of: of, entries: &sync.Map{},
		keys: sync.OnceValue(func() []string { return names(of()) }),
		has:  func(key string) bool { _, ok := of()[key]; return ok },
	}
	d.follow = func(before *document) change {
		old, ok := before.of.(func() map[string]V)
		if !ok {
			return change{all: true}
		}
		c := changes(old(), of(), same)
		d.entries = before.entries
		for key := range c.keys {
			d.entries.Delete(key)
		}
		return c
	}
	return d
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
func (d *document) Keys() []string { return d.keys() }

// AST is the document as a whole.
func (d *document) AST() ast.Value {
	d.once.Do(func() {
		keys := d.keys()
		pairs := make([][2]*ast.Term, len(keys))
		for i, k := range keys {
			pairs[i] = [2]*ast.Term{ast.StringTerm(k), ast.NewTerm(d.at(k).ast())}
		}
		d.term = ast.NewObject(pairs...)
	})
	return d.term
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
