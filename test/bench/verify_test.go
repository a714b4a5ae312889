package bench

import (
	"bytes"
	"reflect"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verify"
)

func meshOf(n int) *ir.Mesh {
	files, _ := syntax.Parse(source.FromMap(RefMesh(n, 64)))
	mesh, _, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	return mesh
}

func planOf(b *testing.B, m *ir.Mesh) *ir.Plan {
	b.Helper()
	plan, err := envoy.Lower(m)
	if err != nil {
		b.Fatal(err)
	}
	return plan
}

// benchmarkVerify is what the comparison of mesh and plan adds to a build.
func benchmarkVerify(b *testing.B, n int) {
	mesh := meshOf(n)
	plan := planOf(b, mesh)
	defer processor(b)()
	b.ReportAllocs()
	for b.Loop() {
		agree(b, verify.Compare(mesh, plan))
	}
}

func BenchmarkVerify1000(b *testing.B)  { benchmarkVerify(b, 1000) }
func BenchmarkVerify10000(b *testing.B) { benchmarkVerify(b, 10000) }

// BenchmarkVerify1000Memo is the same after one grant has changed, with what was
// proved before: a caller comes or goes, or a path is another one each time. The
// bytes that are equal are shared, as they are where lowering is incremental.
func BenchmarkVerify1000Memo(b *testing.B) {
	mesh := meshOf(1000)
	before := planOf(b, mesh)
	for _, edit := range []struct {
		name   string
		change func(*ir.Grant)
	}{
		{"caller", func(g *ir.Grant) { g.Sources = g.Sources[1:] }},
		{"path", func(g *ir.Grant) {
			g.HTTP = slices.Clone(g.HTTP)
			g.HTTP[0].Path = "^(?:/api/v2/.*).*$"
		}},
	} {
		b.Run(edit.name, func(b *testing.B) {
			other := *mesh
			other.Grants = slices.Clone(mesh.Grants)
			edit.change(&other.Grants[500])
			after := planOf(b, &other)
			share(before, after)
			var memo verify.Memo
			agree(b, memo.Compare(mesh, before))
			defer processor(b)()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%2 == 0 {
					agree(b, memo.Compare(&other, after))
				} else {
					agree(b, memo.Compare(mesh, before))
				}
			}
		})
	}
}

// share gives a plan the memory of another where they are equal.
func share(from, to *ir.Plan) {
	for i := range to.Resources {
		r := &to.Resources[i]
		for _, old := range from.Resources[max(0, i-2):min(len(from.Resources), i+3)] {
			if old.Type == r.Type && old.Name == r.Name && bytes.Equal(old.Body, r.Body) {
				*r = old
			}
		}
	}
	shared(from.Outbound, to.Outbound)
	shared(from.Clusters, to.Clusters)
	shared(from.Scopes, to.Scopes)
	shared(from.Identities, to.Identities)
	shared(from.Roles, to.Roles)
}

func shared[T any](from, to []T) {
	for i := range min(len(from), len(to)) {
		if reflect.DeepEqual(from[i], to[i]) {
			to[i] = from[i]
		}
	}
}

func agree(b *testing.B, found []verify.Disagreement) {
	b.Helper()
	if len(found) > 0 {
		b.Fatalf("%s: %s", found[0].Asked, found[0].Why)
	}
}

// processor reports the processor time of all cores beside the wall clock: on a
// machine that others use too it is the steadier of the two.
func processor(b *testing.B) func() {
	b.Helper()
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Microseconds())/1000/float64(b.N), "cpu-ms/op") }
}
