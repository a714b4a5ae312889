package resolve

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/syntax"
)

// ByName sorts objects under their names, those of one name by position.
func ByName(objects []*syntax.Object) syntax.Edit {
	out := make(syntax.Edit, len(objects))
	for _, o := range objects {
		n := syntax.NameOf(o)
		out[n] = append(out[n], o)
	}
	for _, same := range out {
		if len(same) > 1 {
			slices.SortStableFunc(same, func(a, b *syntax.Object) int { return comparePositions(a.At(), b.At()) })
		}
	}
	return out
}

func comparePositions(x, y diag.Span) int {
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col))
}

// inputs are the objects, by whatever functions look for them by. Of several of
// one name, which are an error already, the first stands for all in references.
type inputs struct {
	named   *memo.Table[syntax.Name, []*syntax.Object]
	located *memo.Table[located, []*syntax.Object] // in order of name
	titles  *memo.Table[located, []string]         // their names
	called  *memo.Table[called, []*syntax.Object]  // routes of one name, in order of namespace
	present *memo.Table[string, bool]              // some object lies in the namespace
	places  *memo.Table[struct{}, []string]        // these namespaces, sorted
	counts  *memo.Table[string, int]               // objects in each
}

type located struct{ kind, namespace string }

type called struct{ kind, name string }

func newInputs(g *memo.Graph) inputs {
	return inputs{
		named:   memo.Inputs[syntax.Name](g, equalSlices[*syntax.Object]),
		located: memo.Inputs[located](g, equalSlices[*syntax.Object]),
		titles:  memo.Inputs[located](g, equalSlices[string]),
		called:  memo.Inputs[called](g, equalSlices[*syntax.Object]),
		present: memo.Inputs[string](g, memo.Is[bool]),
		places:  memo.Inputs[struct{}](g, equalSlices[string]),
		counts:  memo.Inputs[string](g, memo.Is[int]),
	}
}

// setObjects makes the objects of some names others.
func (r *resolver) setObjects(changes syntax.Edit) {
	first := func(objects []*syntax.Object) *syntax.Object {
		if len(objects) == 0 {
			return nil
		}
		return objects[0]
	}
	inPlace, byCall := map[located][]edit{}, map[called][]edit{}
	touched := map[string]bool{}
	for name, now := range changes {
		before := r.named.Peek(name)
		r.named.Set(name, now)
		e := edit{first(before), first(now)}
		l, c := located{name.Kind, name.Namespace}, called{name.Kind, name.Name}
		inPlace[l] = append(inPlace[l], e)
		switch name.Kind {
		case "HTTPRouteGroup", "TCPRoute", "UDPRoute":
			byCall[c] = append(byCall[c], e)
		}
		ns := name.Namespace
		if name.Kind == "Namespace" {
			ns = name.Name
		}
		if len(before) != len(now) && ns != "" {
			r.counts.Set(ns, r.counts.Peek(ns)+len(now)-len(before))
			touched[ns] = true
		}
	}
	for l, edits := range inPlace {
		r.located.Set(l, edited(r.located.Peek(l), edits, func(o *syntax.Object) string { return o.Name }))
		if slices.ContainsFunc(edits, func(e edit) bool { return e.before == nil || e.now == nil }) {
			r.titles.Set(l, titlesOf(r.located.Peek(l)))
		}
	}
	for c, edits := range byCall {
		r.called.Set(c, edited(r.called.Peek(c), edits, func(o *syntax.Object) string { return o.Namespace }))
	}
	r.setPlaces(touched)
}

func titlesOf(objects []*syntax.Object) []string {
	out := make([]string, len(objects))
	for i, o := range objects {
		out[i] = o.Name
	}
	return out
}

func (r *resolver) setPlaces(touched map[string]bool) {
	places := slices.Clone(r.places.Peek(struct{}{}))
	for ns := range touched {
		there := r.counts.Peek(ns) > 0
		if there == r.present.Peek(ns) {
			continue
		}
		r.present.Set(ns, there)
		if there {
			places = append(places, ns)
		} else {
			places = slices.DeleteFunc(places, func(x string) bool { return x == ns })
		}
	}
	slices.Sort(places)
	r.places.Set(struct{}{}, places)
}

// edit is an object before and after a change; nil: there is none.
type edit struct{ before, now *syntax.Object }

// edited is a sorted list after the edits; the list itself stays as it is.
func edited(list []*syntax.Object, edits []edit, by func(*syntax.Object) string) []*syntax.Object {
	if len(edits) == 1 && edits[0].before != nil && edits[0].now != nil {
		if i := slices.Index(list, edits[0].before); i >= 0 { // of the same name
			out := slices.Clone(list)
			out[i] = edits[0].now
			return out
		}
	}
	gone := make(map[*syntax.Object]bool, len(edits))
	out := make([]*syntax.Object, 0, len(list)+len(edits))
	for _, e := range edits {
		gone[e.before] = true
		if e.now != nil {
			out = append(out, e.now)
		}
	}
	for _, o := range list {
		if !gone[o] {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *syntax.Object) int { return cmp.Compare(by(a), by(b)) })
	return out
}

// find is the object that a name stands for.
func (r *resolver) find(kind, namespace, name string) (*syntax.Object, bool) {
	if all := r.named.Get(syntax.Name{Kind: kind, Namespace: namespace, Name: name}); len(all) > 0 {
		return all[0], true
	}
	return nil, false
}

// of lists the objects of a kind in a namespace in order of name.
func (r *resolver) of(kind, namespace string) []*syntax.Object {
	return r.located.Get(located{kind, namespace})
}

// names lists the objects of a kind in a namespace, for suggestions.
func (r *resolver) names(kind, namespace string) []string {
	return r.titles.Get(located{kind, namespace})
}

func idOf(o *syntax.Object) ir.ServiceID { return ir.ServiceID{Namespace: o.Namespace, Name: o.Name} }

// nameOf is Kind/NS/NAME, as findings, routes and policies say it.
func nameOf(o *syntax.Object) string { return o.Ref().String() }

// namePosition is where the object says its name.
func namePosition(o *syntax.Object) diag.Span { return o.At("metadata", "name") }
