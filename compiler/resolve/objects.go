package resolve

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// key names an object without its version: row 8 counts versions as one.
type key struct{ kind, namespace, name string }

// index finds objects by name; lists are in order of namespace, name and position.
type index struct {
	byKey  map[key]*syntax.Object
	byKind map[string][]*syntax.Object
}

// indexObjects sorts a copy, so that the order of the input never shows. The
// kinds of the mesh are unlike in name whatever their group, so kind is enough.
func (r *resolver) indexObjects(objects []*syntax.Object) index {
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(a, b *syntax.Object) int {
		if c := cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)); c != 0 {
			return c
		}
		x, y := a.At(), b.At()
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
	})
	ix := index{byKey: make(map[key]*syntax.Object, len(sorted)), byKind: map[string][]*syntax.Object{}}
	for _, o := range sorted {
		k := key{o.Kind, o.Namespace, o.Name}
		if _, dup := ix.byKey[k]; dup {
			continue // an error at both already; the first stands for it in references
		}
		ix.byKey[k] = o
		ix.byKind[o.Kind] = append(ix.byKind[o.Kind], o)
	}
	return ix
}

func (ix index) find(kind, namespace, name string) (*syntax.Object, bool) {
	o, ok := ix.byKey[key{kind, namespace, name}]
	return o, ok
}

// names lists the objects of a kind in a namespace, for suggestions.
func (ix index) names(kind, namespace string) []string {
	var out []string
	for _, o := range ix.byKind[kind] {
		if o.Namespace == namespace {
			out = append(out, o.Name)
		}
	}
	return out
}

func idOf(o *syntax.Object) ir.ServiceID { return ir.ServiceID{Namespace: o.Namespace, Name: o.Name} }

// nameOf is Kind/NS/NAME, as findings, routes and policies say it.
func nameOf(o *syntax.Object) string { return o.Ref().String() }

// namePosition is where the object says its name.
func namePosition(o *syntax.Object) diag.Span { return o.At("metadata", "name") }
