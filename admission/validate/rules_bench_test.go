package validate_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/audit"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/test/bench"
)

// ruled is a compiler that judges by rules too, as a cluster's does.
type ruled struct{ *audit.Auditor }

func (r ruled) Try(c compiler.Change) diag.List { return r.Auditor.Try(nil, c) }

func audited(t testing.TB, files map[string][]byte) ruled {
	t.Helper()
	s := compiler.NewSession(ir.Known{}, compiler.Options{Stage: policies.Admission, NoPlan: true, NoRules: true})
	r, _ := s.Load(source.FromMap(files), ir.Known{})
	a := audit.New(s, []string{"Mesh", "TrafficTarget", "HTTPRouteGroup", "TCPRoute", "TrafficSplit", "Waivers", "IdentityBinding"})
	judge, found := policies.Load(policies.Options{Config: r.Config})
	if len(found) > 0 {
		t.Fatal(found)
	}
	a.Compiled(r, r.Edit, time.Now())
	a.Audit(judge)
	return ruled{a}
}

// BenchmarkRuledReview1000 is BenchmarkReview1000 with the rules of the library, on the
// mesh as each change would make it; by kind of what changes, and whether it is new.
func BenchmarkRuledReview1000(b *testing.B) {
	files := bench.RefMesh(1000, 64)
	h := &validate.Handler{Compiler: audited(b, files)}
	var all [][]byte
	for _, kind := range []string{"TrafficTarget", "HTTPRouteGroup", "TrafficSplit", "Service"} {
		var bodies [][]byte
		for _, name := range sortedNames(files) {
			for doc := range strings.SplitSeq(string(files[name]), "\n---\n") {
				if strings.Contains(doc, "\nkind: "+kind+"\n") {
					bodies = append(bodies, reviewOf(b, ask(b, "UPDATE", doc)))
					if kind != "Service" {
						bodies = append(bodies, reviewOf(b, ask(b, "CREATE", strings.Replace(doc, "\n  name: ", "\n  name: new-", 1))), reviewOf(b, ask(b, "DELETE", doc)))
					}
				}
			}
		}
		all = append(all, bodies...)
		b.Run(kind, func(b *testing.B) { reviews(b, h, bodies) })
	}
	if testing.Short() {
		return
	}
	b.Run("all", func(b *testing.B) { reviews(b, h, all) })
}

func reviews(b *testing.B, h http.Handler, bodies [][]byte) {
	if len(bodies) < 100 {
		b.Fatalf("only %d objects were found", len(bodies))
	}
	var used []time.Duration // of the processors: rules judge on threads of their own
	bench.Latency(b, func(i int) {
		before := processTime(b)
		if w := post(h, bodies[i*37%len(bodies)]); w.Code != http.StatusOK {
			b.Fatal(fmt.Sprint(w.Code, w.Body))
		}
		used = append(used, processTime(b)-before)
	})
	slices.Sort(used)
	b.ReportMetric(float64(used[len(used)/2].Microseconds()), "process-p50-us")
	b.ReportMetric(float64(used[len(used)*99/100].Microseconds()), "process-p99-us")
}

func processTime(b *testing.B) time.Duration {
	b.Helper()
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}
