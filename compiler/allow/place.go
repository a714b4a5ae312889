package allow

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// place is where an object is written: a document, or an item of a List in one. Of an
// object that a kustomization rendered it is the resource that it was made of.
type place struct {
	file     string
	doc      *source.Document
	root     *yaml.Node
	items    *yaml.Node // of the List that holds it; nil: it is a document of its own
	rendered bool
}

// place finds an object in the files of the tree; nil where it is in none.
func (w *writer) place(o *syntax.Object) *place {
	if p, known := w.places[o]; known {
		return p
	}
	if w.places == nil {
		w.places = map[*syntax.Object]*place{}
	}
	w.places[o] = w.look(o.At("kind"))
	return w.places[o]
}

func (w *writer) look(at diag.Span) *place {
	data, ok := w.Tree.Text(at.File)
	plain := slices.ContainsFunc(w.Tree.Files, func(f *source.File) bool { return f.Path == at.File && f.Path != source.StdinName })
	rendered := slices.ContainsFunc(w.Tree.Builds, func(b *source.Build) bool {
		return slices.ContainsFunc(b.Resources, func(r source.Rendered) bool { return r.Base == at.File })
	})
	if !ok || at.Line == 0 || !plain && !rendered {
		return nil
	}
	text, _ := source.Clean(at.File, data)
	docs, _ := source.Split(at.File, text, w.Tree.Limits.Documents)
	for _, doc := range docs {
		if doc.First >= at.Line {
			break
		}
		root, _ := doc.Parse()
		_, items := source.Step(root, "items")
		objects := []*yaml.Node{root}
		if items == nil || items.Kind != yaml.SequenceNode {
			items = nil
		} else {
			objects = append(objects, items.Content...)
		}
		for i, n := range objects {
			if kind, _ := source.Step(n, "kind"); kind != nil && doc.Span(kind).Line == at.Line {
				p := &place{file: at.File, doc: doc, root: n, rendered: rendered && w.file(at.File) == nil}
				if i > 0 {
					p.items = items
				}
				if _, v := source.Step(n, "kind"); doc.Place(v, kind, false) == at {
					return p
				}
			}
		}
	}
	return nil
}

// repeated tells of a file whose objects are in the mesh several times, under other names
// or namespaces: of overlays with a base in common. An edit of it is one of each.
func (w *writer) repeated(file string) bool {
	if w.several == nil {
		w.several = map[string]bool{}
		seen := map[diag.Span]bool{}
		for _, o := range w.Files.Objects {
			at := o.At("kind")
			w.several[at.File] = w.several[at.File] || seen[at]
			seen[at] = true
		}
	}
	return w.several[file]
}

// field is a text of the object as it is written.
func (p *place) field(path ...any) (string, bool) {
	n, _, left := source.Find(p.root, path)
	if len(left) > 0 || n.Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Value, true
}

// isJSON tells of a document in braces: what is put into it is JSON too.
func (p *place) isJSON() bool { return strings.HasPrefix(strings.TrimSpace(string(p.doc.Text)), "{") }

// node finds a list of an object as it was written; nil where it is none, is written
// once for several places, or is made by something else than what is written there:
// that place is kept in made.
func (w *writer) node(o *syntax.Object, path ...any) *yaml.Node {
	p := w.place(o)
	if p == nil {
		return nil
	}
	n, key, left := source.Find(p.root, path)
	if p.rendered && (len(left) > 0 || p.doc.Place(n, key, false) != o.At(path...)) {
		if at := o.At(path...); at.File != p.file && w.made.File == "" {
			w.made, w.madeOf = at, o.Ref()
		}
		return nil
	}
	if len(left) > 0 || n == nil || n.Kind != yaml.SequenceNode || p.anchored(path) || len(n.Content) == 0 {
		return nil
	}
	return n
}

// anchored tells of a value with an anchor, or one below such: it may be written for
// other objects too.
func (p *place) anchored(path []any) bool {
	n := p.root
	for _, step := range path {
		if n.Anchor != "" {
			return true
		}
		if _, n = source.Step(n, step); n == nil {
			return false
		}
	}
	return n.Anchor != ""
}

// home is where a new object is written.
type home struct {
	*place
	// bare: the kustomization says which namespace it is.
	bare bool
}

// into tells whether a new object of a namespace can be written beside another one, and
// if not where that one's name or namespace are changed.
func (w *writer) into(o *syntax.Object, namespace string) (h home, changed diag.Span, ok bool) {
	p := w.place(o)
	if p == nil || o.Invalid || w.file(p.file) == nil && !p.rendered || p.isJSON() && p.items == nil || w.repeated(p.file) {
		return home{}, diag.Span{}, false
	}
	if !p.rendered {
		return home{place: p}, diag.Span{}, true
	}
	written, there := p.field("metadata", "namespace")
	if name, _ := p.field("metadata", "name"); name != o.Name {
		return home{}, o.At("metadata", "name"), false
	}
	if there && written != namespace || o.Namespace != namespace {
		return home{}, o.At("metadata", "namespace"), false
	}
	return home{place: p, bare: !there}, diag.Span{}, true
}

// home is the place that a new target belongs into: that of another one to the same
// account, of any of its namespace, of the service, of the account; of a kustomization's
// own resources before those of its bases, which others may build too.
func (w *writer) home(service, namespace, account string) (best home, lacking diag.Finding, ok bool) {
	lacking = diag.New("MSH4654", w.q.To, "nothing of namespace %s lies in a file that can be edited", namespace).
		WithHelp("write it into the base or overlay that it belongs to: `meshc can --why` names the accounts")
	rank, first := 99, 99
	for _, o := range w.Files.Objects {
		at := nearness(o, service, namespace, account)
		if at == 0 {
			continue
		}
		h, changed, fits := w.into(o, namespace)
		if !fits {
			if p := w.place(o); p != nil && at < first && w.repeated(p.file) {
				first = at
				lacking = diag.New("MSH4654", o.At("kind"), "%s is one of several objects that are made of what is written here", o.Ref()).
					WithEffect("what is written beside it would be allowed for the others too").
					WithHelp("write the grant into a resource of the overlay of namespace %s alone", namespace)
			}
			if at < first && changed.File != "" {
				first = at
				lacking = diag.New("MSH4654", changed, "%s is rendered under another name or namespace than it is written with", o.Ref()).
					WithEffect("what is written beside it would be changed in the same way, and its references would not").
					WithHelp("write the grant into a resource of the overlay, under the names that are rendered")
			}
			continue
		}
		if h.rendered && !w.own(h.file) {
			at += 10
		}
		if at < rank {
			best, rank = h, at
		}
	}
	return best, lacking, rank < 99
}

// own tells whether a file lies in the folder of a kustomization that is built.
func (w *writer) own(file string) bool {
	return slices.ContainsFunc(w.Tree.Builds, func(b *source.Build) bool { return strings.HasPrefix(file, b.Dir+"/") })
}

// nearness is how near an object is to a grant to an account, 1 the nearest; 0: it has
// nothing to do with it.
func nearness(o *syntax.Object, service, namespace, account string) int {
	switch {
	case o.Namespace != namespace:
		return 0
	case o.TrafficTarget != nil && o.TrafficTarget.Destination.Name == account:
		return 1
	case o.TrafficTarget != nil:
		return 2
	case o.HTTPRouteGroup != nil:
		return 3
	case o.Service != nil && o.Name == service:
		return 4
	case o.ServiceAccount != nil && o.Name == account:
		return 5
	}
	return 6
}
