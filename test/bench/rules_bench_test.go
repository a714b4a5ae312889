package bench

import (
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// BenchmarkRulesLoad is what a run pays before it judges: the library compiled.
func BenchmarkRulesLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, found := policies.Load(policies.Options{}); len(found) > 0 {
			b.Fatal(found)
		}
	}
}

// BenchmarkRulesMesh judges a mesh of 1,000 services by the library, its
// documents made anew each time.
func BenchmarkRulesMesh(b *testing.B) {
	files, _ := syntax.Parse(source.FromMap(RefMesh(1000, 64)))
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	judge, found := policies.Load(policies.Options{})
	if len(found) > 0 {
		b.Fatal(found)
	}
	b.ReportAllocs()
	for b.Loop() {
		judge.Mesh(policies.NewWorld(files, mesh, inventory, time.Time{}), policies.Build)
	}
	b.ReportMetric(float64(len(judge.Rules())), "rules")
}

// BenchmarkRulesObject judges one changed object of such a mesh: what admission waits for.
func BenchmarkRulesObject(b *testing.B) {
	files, _ := syntax.Parse(source.FromMap(RefMesh(1000, 64)))
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	judge, _ := policies.Load(policies.Options{})
	var target *syntax.Object
	for _, o := range files.Objects {
		if o.TrafficTarget != nil {
			target = o
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		judge.Object(policies.NewWorld(files, mesh, inventory, time.Time{}), target, policies.Admission)
	}
}
