package follow_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/follow"
)

const patience = 20 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mesh is a bundle of a mesh without services, known by the name of its one account.
func mesh(t *testing.T, name, trustDomain string) *bundle.Bundle {
	t.Helper()
	account := ir.NewIdentity(trustDomain, "shop", name)
	m := &ir.Mesh{Settings: ir.Settings{Name: "test", TrustDomain: trustDomain, ClusterDomain: "cluster.local", Mode: ir.Strict, Compat: ir.CompatSMI},
		Identities: []ir.Identity{account}, Roles: []ir.Role{{Identity: account}}}
	plan, err := envoy.Lower(m)
	must(t, err)
	b, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan})
	must(t, err)
	return b
}

func nameOf(m *ir.Mesh) string {
	_, _, name, _ := m.Identities[0].Split()
	return name
}

func catalogOf(workload string) string {
	return "apiVersion: meshc.dev/v1alpha1\nkind: Catalog\nmetadata: {name: test}\nspec:\n  workloads:\n  - {name: shop/" + workload + ", identity: shop/buyer, addresses: [10.1.0.1]}\n"
}

// recorder stands in for a server: it remembers what it was given.
type recorder struct {
	mu       sync.Mutex
	mesh     string
	workload string
	sets     int
	degraded map[string]string
	news     chan struct{}
}

func newRecorder() *recorder {
	return &recorder{degraded: map[string]string{}, news: make(chan struct{}, 1000)}
}

func (r *recorder) Set(b *bundle.Bundle, s *catalog.Snapshot) diag.List {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets++
	r.mesh, r.workload = nameOf(b.Mesh), ""
	if len(s.Workloads) > 0 {
		r.workload = s.Workloads[0].Name
	}
	r.news <- struct{}{}
	return nil
}

func (r *recorder) Degrade(what, reason string, _ diag.List) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.degraded[what] = reason
	r.news <- struct{}{}
}

// until waits until what the server was given satisfies a condition.
func (r *recorder) until(t *testing.T, what string, ok func(*recorder) bool) {
	t.Helper()
	end := time.After(patience)
	for {
		r.mu.Lock()
		done := ok(r)
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-r.news:
		case <-end:
			r.mu.Lock()
			defer r.mu.Unlock()
			t.Fatalf("no %s: the server serves %q with %q, degraded %v", what, r.mesh, r.workload, r.degraded)
		}
	}
}

func (r *recorder) serves(t *testing.T, mesh, workload string) {
	t.Helper()
	r.until(t, mesh+" with "+workload, func(r *recorder) bool { return r.mesh == mesh && r.workload == workload })
}

// place is the folder of a test, with its options.
func place(t *testing.T) follow.Options {
	t.Helper()
	dir := t.TempDir()
	return follow.Options{Bundle: filepath.Join(dir, "bundle"), Catalog: filepath.Join(dir, "catalog.yaml"), State: filepath.Join(dir, "state"), Poll: 50 * time.Millisecond}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// start follows until the test ends, or until the function it gives is called.
func start(t *testing.T, o follow.Options) (*recorder, diag.List, func()) {
	t.Helper()
	f, findings, err := follow.Start(t.Context(), o)
	must(t, err)
	r := newRecorder()
	f.Supply(r)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx, r) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return r, findings, stop
}

// What changes is served; what is refused changes nothing, and says why until it
// is mended.
func TestChangesAreServedAndRefusalsAreNot(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, _ := start(t, o)
	r.serves(t, "one", "shop/a-0")

	must(t, bundle.Write(o.Bundle, mesh(t, "two", "cluster.local")))
	r.serves(t, "two", "shop/a-0")
	write(t, o.Catalog, catalogOf("b-0"))
	r.serves(t, "two", "shop/b-0")

	write(t, filepath.Join(o.Bundle, bundle.PackFile), "damaged")
	r.until(t, "word of the damaged bundle", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "MSH04") })
	write(t, o.Catalog, "kind: Catalog\nworkloads: 7\n")
	r.until(t, "word of the bad catalog", func(r *recorder) bool { return r.degraded["catalog"] != "" })
	r.serves(t, "two", "shop/b-0")

	must(t, bundle.Write(o.Bundle, mesh(t, "three", "cluster.local")))
	write(t, o.Catalog, catalogOf("c-0"))
	r.serves(t, "three", "shop/c-0")
	r.until(t, "word that all is well", func(r *recorder) bool { return r.degraded["bundle"] == "" && r.degraded["catalog"] == "" })
}

// A start without the given ones serves the last good ones, and takes the given
// ones when they come.
func TestLastGoodIsServedAtStart(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, stop := start(t, o)
	r.serves(t, "one", "shop/a-0")
	stop()

	must(t, os.RemoveAll(o.Bundle))
	write(t, o.Catalog, "nonsense: [")
	r, findings, _ := start(t, o)
	r.serves(t, "one", "shop/a-0")
	if len(findings) == 0 {
		t.Error("nothing is said of the catalog that was refused")
	}
	r.until(t, "word of both", func(r *recorder) bool {
		return strings.Contains(r.degraded["bundle"], "the last good one is served") && strings.Contains(r.degraded["catalog"], "the last good one is served")
	})
	must(t, bundle.Write(o.Bundle, mesh(t, "two", "cluster.local")))
	write(t, o.Catalog, catalogOf("b-0"))
	r.serves(t, "two", "shop/b-0")
}

// Without the given ones and without earlier ones there is nothing to serve: the
// start fails and says what is missing.
func TestNothingToServeFails(t *testing.T) {
	o := place(t)
	_, _, err := follow.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), o.Bundle) {
		t.Errorf("got %v", err)
	}
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	_, _, err = follow.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), o.Catalog) {
		t.Errorf("got %v", err)
	}
}

// A bundle of another trust domain cannot be served by this authority.
func TestAnotherTrustDomainIsRefused(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, _ := start(t, o)
	must(t, bundle.Write(o.Bundle, mesh(t, "two", "elsewhere.example")))
	r.until(t, "word of the trust domain", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "elsewhere.example") })
	r.serves(t, "one", "shop/a-0")
}

// What is kept is for the server's user alone.
func TestStateIsPrivate(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, stop := start(t, o)
	r.serves(t, "one", "shop/a-0")
	stop()
	for path, want := range map[string]os.FileMode{"served": 0o700, "served/catalog.yaml": 0o600} {
		info, err := os.Stat(filepath.Join(o.State, path))
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
	}
}

// A burst of changes is served together.
func TestBurstIsCoalesced(t *testing.T) {
	o := place(t)
	o.Coalesce = 100 * time.Millisecond
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, _ := start(t, o)
	r.serves(t, "one", "shop/a-0")
	for i := range 50 {
		write(t, o.Catalog, catalogOf("a-"+string(rune('0'+i%10))))
	}
	write(t, o.Catalog, catalogOf("z-0"))
	r.serves(t, "one", "shop/z-0")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets > 10 {
		t.Errorf("51 changes in a burst were served in %d steps", r.sets)
	}
}

// Whoever reads the log alone sees that a fault is over: a mended bundle often is
// the one that was served all along, and then nothing else is logged.
func TestLogSaysThatAFaultIsOver(t *testing.T) {
	o := place(t)
	var log bytes.Buffer // written by the follower's goroutine, read after its end
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	r, _, stop := start(t, o)
	manifest := filepath.Join(o.Bundle, "manifest.json")
	good, err := os.ReadFile(manifest)
	must(t, err)
	write(t, manifest, "{")
	r.until(t, "degraded bundle", func(r *recorder) bool { return r.degraded["bundle"] != "" })
	write(t, manifest, string(good))
	r.until(t, "mended bundle", func(r *recorder) bool { return r.degraded["bundle"] == "" })
	stop()
	if !strings.Contains(log.String(), `msg="what is served is the newest again" what=bundle`) {
		t.Errorf("the log ends with the fault:\n%s", log.String())
	}
}

// Who mends one fault of a catalog and makes another sees the new one, while a
// server runs and while it waits for its first catalog.
func TestNewestCatalogFaultIsShown(t *testing.T) {
	o := place(t)
	must(t, bundle.Write(o.Bundle, mesh(t, "one", "cluster.local")))
	write(t, o.Catalog, catalogOf("a-0"))
	shows := func(r *recorder, text string) {
		t.Helper()
		r.until(t, "word of "+text, func(r *recorder) bool { return strings.Contains(r.degraded["catalog"], text) })
	}
	r, _, stop := start(t, o)
	for _, wrong := range []string{"wrongs", "mistaken"} {
		write(t, o.Catalog, catalogOf("b-0")+"\n"+wrong+": 1\n")
		shows(r, wrong)
	}
	stop()
	r, _, _ = start(t, o)
	shows(r, "mistaken")
	write(t, o.Catalog, catalogOf("b-0")+"\nawry: 1\n")
	shows(r, "awry")
}
