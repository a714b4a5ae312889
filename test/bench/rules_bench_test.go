package bench

import (
	"syscall"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// cpu reports the processor time of a benchmark's operations: on a machine that is
// shared the clock tells little.
func cpu(b *testing.B) func() {
	b.Helper()
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	before := used()
	return func() { b.ReportMetric(float64(used()-before)/float64(b.N)/1e6, "cpu-ms/op") }
}

// BenchmarkRulesLoad is what a run pays before it judges: the library compiled.
func BenchmarkRulesLoad(b *testing.B) {
	b.ReportAllocs()
	report := cpu(b)
	for b.Loop() {
		if _, found := policies.Load(policies.Options{}); len(found) > 0 {
			b.Fatal(found)
		}
	}
	report()
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
	report := cpu(b)
	for b.Loop() {
		judge.Mesh(policies.NewWorld(files, mesh, inventory, time.Time{}), policies.Build)
	}
	report()
	b.ReportMetric(float64(len(judge.Rules())), "rules")
}

// BenchmarkRulesObject judges one object of such a mesh as admission does, whose
// mesh has been judged before.
func BenchmarkRulesObject(b *testing.B) {
	files, _ := syntax.Parse(source.FromMap(RefMesh(1000, 64)))
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	judge, _ := policies.Load(policies.Options{})
	var targets []*syntax.Object
	for _, o := range files.Objects {
		if o.TrafficTarget != nil {
			targets = append(targets, o)
		}
	}
	world := policies.NewWorld(files, mesh, inventory, time.Time{})
	judge.Object(world, targets[0], policies.Admission)
	b.ReportAllocs()
	report := cpu(b)
	for i := 0; b.Loop(); i++ {
		judge.Object(world, targets[i%len(targets)], policies.Admission)
	}
	report()
}
