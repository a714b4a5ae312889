package bench

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// warm is a session that has compiled ref-mesh(1000), and how long that took: what
// each edit would cost without it.
func warm(b *testing.B) (*compiler.Session, map[string][]byte, *times) {
	return warmWith(b, compiler.Options{NoRules: true})
}

func warmWith(b *testing.B, opts compiler.Options) (*compiler.Session, map[string][]byte, *times) {
	b.Helper()
	files := RefMesh(1000, 64)
	s := compiler.NewSession(ir.Known{}, opts)
	var cold times
	stop := cold.start()
	result, found := s.Load(source.FromMap(files), ir.Known{})
	stop()
	if result.Plan == nil {
		b.Fatal(found)
	}
	return s, files, &times{cold: &cold}
}

// BenchmarkApply1000 changes one object in one of the 64 files, which are then read,
// resolved, judged, lowered and verified as far as it concerns them.
func BenchmarkApply1000(b *testing.B) {
	s, files, took := warm(b)
	apply(b, s, files, took)
}

// BenchmarkApplyRules1000 is the same with the library of rules.
func BenchmarkApplyRules1000(b *testing.B) {
	s, files, took := warmWith(b, compiler.Options{})
	apply(b, s, files, took)
}

func apply(b *testing.B, s *compiler.Session, files map[string][]byte, took *times) {
	b.Helper()
	i := 0
	for b.Loop() {
		name, text := editOf(files, i)
		i++
		stop := took.start()
		result, found := s.Apply(compiler.Change{Path: name, Data: text})
		stop()
		files[name] = text
		if result.Plan == nil {
			b.Fatal(found)
		}
	}
	took.report(b)
}

// editOf changes a weight, a method, a port, a path, a label's replicas or the
// callers of the i-th service.
func editOf(files map[string][]byte, i int) (string, []byte) {
	edits := [][2]string{
		{"methods: [POST, PUT]", "methods: [POST, PUT, PATCH]"}, {"weight: 90", "weight: 80"}, {"port: 80\n", "port: 81\n"},
		{"pathRegex: /admin\n", "pathRegex: /admin/.*\n"}, {"replicas: 2", "replicas: 3"}, {"matches: [read, write, hdr]", "matches: [read, write]"},
	}
	names := slices.Sorted(maps.Keys(files))
	name := names[(i*37)%len(names)]
	text := files[name]
	for k := range edits {
		from, to := edits[(i+k)%len(edits)][0], edits[(i+k)%len(edits)][1]
		if (i/len(edits))%2 == 1 {
			from, to = to, from
		}
		at := (i * 7919) % len(text)
		if j := bytes.Index(text[at:], []byte(from)); j >= 0 {
			j += at
			return name, slices.Concat(text[:j], []byte(to), text[j+len(from):])
		}
	}
	return name, slices.Concat(text, []byte("# "+fmt.Sprint(i)+"\n"))
}

// BenchmarkTry1000 asks what would be found if one object were changed.
func BenchmarkTry1000(b *testing.B) {
	s, _, took := warm(b)
	i := 0
	for b.Loop() {
		n := (i * 37) % 1000
		kind, doc := "TrafficTarget", target(n, 1000)
		switch i % 5 {
		case 1:
			kind, doc = "HTTPRouteGroup", routeGroup(n)
		case 2:
			kind, doc = "Service", service(n)
		case 3:
			kind, doc = "Deployment", deployment(n)
		}
		c := compiler.Change{Path: "object", Data: []byte(doc), Object: &syntax.Name{Kind: kind, Namespace: namespaceOf(n), Name: fmt.Sprintf("svc-%d", n)}}
		if i%5 == 4 {
			c.Data = nil // it is deleted
		}
		i++
		stop := took.start()
		s.Try(c)
		stop()
	}
	took.report(b)
}

// times are how long runs took, on the clock and of the processors: on a machine
// that others use as well the second says more.
type times struct {
	clock, processor []time.Duration
	cold             *times
}

func (t *times) start() (stop func()) {
	clock, processor := time.Now(), spent()
	return func() {
		t.clock = append(t.clock, time.Since(clock))
		t.processor = append(t.processor, spent()-processor)
	}
}

// spent is what the process has used of the processors, collecting garbage too.
func spent() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (t *times) report(b *testing.B) {
	b.ReportMetric(float64(t.cold.clock[0].Milliseconds()), "cold-ms")
	b.ReportMetric(float64(t.cold.processor[0].Milliseconds()), "cold-cpu-ms")
	for _, m := range []struct {
		name string
		took []time.Duration
	}{{"", t.clock}, {"cpu-", t.processor}} {
		slices.Sort(m.took)
		b.ReportMetric(float64(m.took[len(m.took)/2].Microseconds())/1000, m.name+"median-ms")
		b.ReportMetric(float64(m.took[len(m.took)*99/100].Microseconds())/1000, m.name+"p99-ms")
	}
}
