package syntax

import (
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// library parses, once each, the files that rendered objects were made of.
type library struct {
	tree *source.Tree
	mu   sync.Mutex
	docs map[string][]written
	// bases leads from a value in a patch to the value of the base that it replaced.
	bases map[patched]diag.Span
}

// patched is a place in a patch, and the object that was patched: one patch may
// have several targets.
type patched struct {
	at         diag.Span
	kind, name string
}

// written is a document of a base, a patch or a kustomization.
type written struct {
	doc  *source.Document
	root *yaml.Node
}

func (l *library) file(name string) []written {
	l.mu.Lock()
	defer l.mu.Unlock()
	if docs, ok := l.docs[name]; ok {
		return docs
	}
	var out []written
	data, _ := l.tree.Text(name)
	text, _ := source.Clean(name, data)
	docs, _ := source.Split(name, text, l.tree.Limits.Documents)
	for _, d := range docs {
		root, _ := d.Parse() // faults were found when the tree was loaded
		if root == nil {
			continue
		}
		if root, _, ok := source.Flatten(d, root, l.tree.Limits); ok {
			out = append(out, written{d, root})
		}
	}
	l.docs[name] = out
	return out
}

// renderings are the jobs of the objects that kustomizations rendered.
func renderings(tree *source.Tree) ([]job, *library) {
	lib := &library{tree: tree, docs: map[string][]written{}, bases: map[patched]diag.Span{}}
	var jobs []job
	for _, b := range tree.Builds {
		for i := range b.Resources {
			jobs = append(jobs, job{
				tree: tree, namespace: b.Namespace,
				doc:      &source.Document{File: b.Kustomization, Text: b.Resources[i].YAML},
				rendered: &rendering{lib: lib, build: b, object: &b.Resources[i]},
			})
		}
	}
	return jobs, lib
}

// rendering finds where the values of one rendered object were written.
type rendering struct {
	lib    *library
	build  *source.Build
	object *source.Rendered

	once    sync.Once
	base    *written
	patches []patch // in the order they were applied
}

// at is the span of a value of the rendered object: in the base if the base has
// that value, else in the patch or at the key of the kustomization that made it.
// There is always one: in the end that of the base object's first line.
func (r *rendering) at(root *yaml.Node, path []any, key bool) diag.Span {
	n, _, left := source.Find(root, path)
	path = path[:len(path)-len(left)]
	key = key && len(left) == 0
	r.once.Do(func() { r.prepare(root) })

	base, exact := r.inBase(root, path, key)
	if exact && r.sameInBase(root, path, n) {
		return base
	}
	if at, ok := r.inPatches(root, path, n, key); ok {
		if exact {
			r.lib.remember(patched{at, head(root, "kind"), nameIn(root)}, base)
		}
		return at
	}
	if at, ok := r.inKustomization(path, n); ok {
		return at
	}
	return base
}

// remember keeps the base of a value that a patch changed.
func (l *library) remember(p patched, base diag.Span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bases[p] = base
}

func (r *rendering) prepare(root *yaml.Node) {
	r.base = r.findBase(root)
	r.patches = r.findPatches(root)
}

// findBase is the document the object was first written in. Prefixes, suffixes
// and patches may have changed its name, but not its kind.
func (r *rendering) findBase(root *yaml.Node) *written {
	kind, name := head(root, "kind"), nameIn(root)
	var best *written
	bestLength := -1
	for _, d := range r.objects() {
		if head(d.root, "kind") != kind || group(head(d.root, "apiVersion")) != group(head(root, "apiVersion")) {
			continue
		}
		own := nameIn(d.root)
		if own == name {
			return &d
		}
		if strings.Contains(name, own) && len(own) > bestLength {
			best, bestLength = &d, len(own)
		}
	}
	return best
}

// objects are the documents of the base file, the items of lists among them.
func (r *rendering) objects() []written {
	if r.object.Base == "" {
		return nil
	}
	var out []written
	for _, d := range r.lib.file(r.object.Base) {
		_, items := source.Step(d.root, "items")
		if !strings.HasSuffix(head(d.root, "kind"), "List") || items == nil {
			out = append(out, d)
			continue
		}
		for _, item := range items.Content {
			out = append(out, written{d.doc, item})
		}
	}
	return out
}

func nameIn(root *yaml.Node) string {
	n, _, left := source.Find(root, []any{"metadata", "name"})
	if len(left) > 0 {
		return ""
	}
	return n.Value
}

// inBase is the place of a path in the base: exact if the whole path is there.
func (r *rendering) inBase(root *yaml.Node, path []any, key bool) (at diag.Span, exact bool) {
	if r.base == nil {
		return r.nowhere(), false
	}
	m := follow(root, r.base.root, path)
	if len(path) == 0 {
		return r.base.doc.Place(r.base.root, nil, false), true
	}
	if m.steps == 0 {
		return r.base.doc.Place(r.base.root, nil, false), false
	}
	return r.base.doc.Place(m.node, m.key, key && m.whole), m.whole
}

func (r *rendering) sameInBase(root *yaml.Node, path []any, n *yaml.Node) bool {
	m := follow(root, r.base.root, path)
	return len(path) == 0 || m.whole && equal(n, m.node)
}

// nowhere is the place of an object without a base: the generator that made it,
// or the head of the kustomization.
func (r *rendering) nowhere() diag.Span {
	file := r.object.ConfiguredIn
	if file == "" {
		file = r.object.Base
	}
	if file == "" {
		file = r.build.Kustomization
	}
	docs := r.lib.file(file)
	for _, d := range docs {
		for _, field := range []string{"configMapGenerator", "secretGenerator"} {
			if k, _ := source.Step(d.root, field); k != nil {
				return d.doc.Span(k)
			}
		}
	}
	if len(docs) > 0 {
		return docs[0].doc.Place(docs[0].root, nil, false)
	}
	return diag.Span{File: file, Line: 1, Col: 1}
}
