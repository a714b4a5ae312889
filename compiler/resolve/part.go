package resolve

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// part is what one remembered function adds to the result beside its value.
type part struct {
	findings diag.List
	// once are findings that several functions may make: roles share services.
	once    diag.List
	origins []namedOrigin
	listed  []ir.Identity // accounts that belong to the mesh
	read    []*ir.Fact
	missed  []question
}

type namedOrigin struct {
	name string
	// rank decides between origins of one name: the highest counts.
	rank int
	ir.Origin
}

// The ranks of origins that several things may give one name.
const (
	rankServiceFact = iota
	rankAccountFact
	rankTree // workloads of one name: by kind, from here up
)

// unit collects what a function adds.
func (r *resolver) unit(f func()) *part {
	outer, p := r.out, &part{}
	r.out = p
	f()
	r.out = outer
	return p
}

// quiet makes a function that adds nothing itself: what it calls may be
// remembered, so whatever it added would be added only once. What is to be added
// is collected by unit and becomes part of the value.
func quiet[K comparable, V any](r *resolver, f func(K) V) func(K) V {
	return func(k K) V {
		outer := r.out
		r.out = nil
		v := f(k)
		r.out = outer
		return v
	}
}

func (r *resolver) report(f diag.Finding) { r.out.findings.Add(f) }

// reportOnce is for findings that another unit may make too.
func (r *resolver) reportOnce(f diag.Finding) { r.out.once.Add(f) }

// list takes an account into the mesh.
func (r *resolver) list(id ir.Identity) { r.out.listed = append(r.out.listed, id) }

// origin remembers where a named thing was written.
func (r *resolver) origin(name string, obj *syntax.Object, at diag.Span) {
	r.originOf(rankTree, name, obj, at)
}

func (r *resolver) originOf(rank int, name string, obj *syntax.Object, at diag.Span) {
	r.out.origins = append(r.out.origins, namedOrigin{name, rank, ir.Origin{Kind: obj.Kind, Namespace: obj.Namespace, Name: obj.Name, File: at.File, Line: at.Line, Col: at.Col}})
}

// factOrigin is the origin of what only a known fact shows.
func (r *resolver) factOrigin(rank int, name, kind string, f *ir.Fact) {
	r.out.origins = append(r.out.origins, namedOrigin{name, rank, ir.Origin{Kind: kind, Namespace: f.Namespace, Name: f.Name, File: f.At.File, Line: f.At.Line, Col: f.At.Col}})
}

// ask finds a fact and remembers that something rests on it, or on its lack;
// absent tells that the lock says there is no such thing.
func (r *resolver) ask(of, namespace, name string) (fact *ir.Fact, absent bool) {
	q := question{of, namespace, name}
	f, ok := r.known.facts[q]
	if !ok {
		r.out.missed = append(r.out.missed, q)
		return nil, false
	}
	r.out.read = append(r.out.read, f)
	if f.Kind == factAbsent {
		return nil, true
	}
	return f, false
}

func equalSlices[T comparable](a, b []T) bool { return slices.Equal(a, b) }
