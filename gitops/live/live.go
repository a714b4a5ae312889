// Package live makes bundles of a cluster that runs: SMI objects, the Mesh and what
// the catalog watches go through the compiler as they change, and the last bundle is
// there for who serves it (follow.Source). What an object means is the compiler's; an
// object with an error keeps its last accepted form in force and stops nobody else.
// It knows neither Envoy nor streams.
package live

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/audit"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// Options of a Live; Config and Mesh are required.
type Options struct {
	// Config is how the cluster is reached.
	Config *rest.Config
	// Mesh is the name of the Mesh object, and of the mesh.
	Mesh string
	// Namespace is the control plane's, where replicas remember what was accepted;
	// empty: each for itself.
	Namespace string
	// Clusters is as in kube.Options.
	Clusters string
	Log      *slog.Logger // none if nil
	// RuleSets fetches the rule sets of registries that Mesh.spec.rules.dirs names; nil:
	// they are findings.
	RuleSets RuleSets
	// Open opens what Mesh.spec.bundle names; nil: that is refused.
	Open Opener
	// TrustDomain is that of the authority which issues already, empty where there is none
	// yet. It is asked once, when the cluster answers; nil: the Mesh says it.
	TrustDomain func(context.Context) string
	// Instead of the Mesh in the cluster, for a plan of what another would come to.
	Instead *unstructured.Unstructured
	// Coalesce is how long changes are gathered; 20 ms if zero.
	Coalesce time.Duration
	// Kept is what an earlier process served, nil if nothing: while the cluster tells
	// nothing, Fetch gives it without what has ended in it.
	Kept *bundle.Bundle
	// Clock tells the time by which what was opened for a while ends, and how old objects
	// are; time.Now if nil.
	Clock func() time.Time
	// Compiler has further options of the compiler, for tests.
	Compiler compiler.Options
}

// Live is a cluster's policy as it is now. It is a follow.Source with notices, and
// what admission asks.
type Live struct {
	opts    Options
	watcher *watcher
	stores  map[string]cache.SharedIndexInformer // by kind
	stop    context.CancelFunc
	done    chan struct{}
	rules   kube.Rules
	policy  *policy                           // the loop's own, but for its session
	spaces  map[string]map[syntax.Name][]byte // what runs, by namespace; the loop's own
	nextTry time.Time                         // of what waits; the loop's own
	endings *endings
	kept    kept

	auditor *audit.Auditor
	book    audit.Book // of who audits
	rulings diag.List  // what the audit found; the loop's own

	changed  chan struct{} // something is to be compiled
	unjudged chan struct{} // something is to be judged by the rules
	ruled    chan struct{} // closed once the rules have judged
	news     chan struct{} // something was
	repull   chan struct{} // the Mesh changed
	loaded   chan struct{} // closed with the first outcome

	leads   atomic.Bool
	metrics *metrics

	mu       sync.Mutex
	catalog  *kube.Provider
	dirty    dirty
	compiled view
	pulled   *pulled
	rulebook rulebook
	held     held
	shown    view
	told     states
}

// dirty is what changed and was not compiled yet.
type dirty struct {
	objects map[syntax.Name]*unstructured.Unstructured // nil: it is gone
	spaces  map[string]bool
	all     bool
	memory  bool
}

// view is what the last compilation came to.
type view struct {
	bundle     *bundle.Bundle
	failed     diag.List
	err        error
	suspended  bool
	fewer      bool   // something was given back: who serves the bundle has another
	fromBundle bool   // of Mesh.spec.bundle
	source     string // that it names
	// requestedAt is that of the Mesh when its bundle was fetched last.
	requestedAt string
}

// digest is the policy digest of what is in force, empty before anything is.
func (v view) digest() string {
	if v.bundle == nil {
		return ""
	}
	return v.bundle.Manifest.PolicyDigest
}

// Watch begins to follow the cluster; it does not wait for it to answer.
func Watch(opts Options) (*Live, error) {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.Coalesce == 0 {
		opts.Coalesce = 20 * time.Millisecond
	}
	c, err := newClient(opts.Config)
	if err != nil {
		return nil, err
	}
	if opts.Compiler.Stage == "" {
		opts.Compiler.Stage = policies.Live
	}
	if opts.Compiler.Now.IsZero() {
		opts.Compiler.Now = time.Now()
	}
	opts.Compiler.NoRules = true // they judge beside: see audit
	l := &Live{
		opts: opts, watcher: &watcher{client: c, failing: map[string]string{}}, stores: map[string]cache.SharedIndexInformer{},
		metrics: newMetrics(opts.Mesh), done: make(chan struct{}), changed: make(chan struct{}, 1), news: make(chan struct{}, 1), loaded: make(chan struct{}),
		unjudged: make(chan struct{}, 1), ruled: make(chan struct{}), rulebook: rulebook{dirty: map[string]*unstructured.Unstructured{}},
		repull: make(chan struct{}, 1), dirty: newDirty(), policy: newPolicy(opts.Mesh, opts.Compiler),
		endings: newEndings(opts.Clock), kept: kept{bundle: opts.Kept},
		told: states{all: map[syntax.Name]state{}, changed: map[syntax.Name]bool{}, shown: map[string]string{}},
	}
	l.auditor = audit.New(l.policy.session, wholeKinds())
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for _, k := range kinds {
		if l.stores[k.name], err = l.watcher.follow(ctx, k.path("", ""), "", l.object); err != nil {
			stop()
			l.watcher.ended.Wait()
			return nil, err
		}
	}
	if opts.Namespace != "" {
		maps := (&memory{c, opts.Namespace}).path("")
		for _, m := range []struct {
			store, label string
			changed      func(*unstructured.Unstructured, bool)
		}{{memoryStore, labelAccepted, l.form}, {rulesStore, labelRules, l.ruleMap}} {
			if l.stores[m.store], err = l.watcher.follow(ctx, maps, m.label, m.changed); err != nil {
				stop()
				l.watcher.ended.Wait()
				return nil, err
			}
		}
	}
	l.watcher.ended.Go(func() { l.watchKept(ctx) })
	go l.run(ctx)
	return l, nil
}

func newDirty() dirty {
	return dirty{objects: map[syntax.Name]*unstructured.Unstructured{}, spaces: map[string]bool{}}
}

// begin follows what runs, as the Mesh says it is to be read.
func (l *Live) begin(ctx context.Context) error {
	if err := l.wait(ctx, l.stores[meshKind].HasSynced); err != nil {
		return err
	}
	l.rules = kube.Rules{Mesh: l.opts.Mesh}
	if ask := l.opts.TrustDomain; ask != nil {
		l.rules.TrustDomain = ask(ctx)
	}
	if m := l.mesh(); m != nil && l.rules.TrustDomain == "" {
		l.rules.TrustDomain, _, _ = unstructured.NestedString(m.Object, "spec", "trustDomain")
	}
	if !ir.ValidTrustDomain(l.rules.TrustDomain) {
		l.rules.TrustDomain = defaultDomain
	}
	l.policy.root(l.rules.TrustDomain)
	p, err := kube.Watch(kube.Options{Rules: l.rules, Config: l.opts.Config, Clusters: l.opts.Clusters, Log: l.opts.Log, Touched: l.touched})
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.catalog = p
	l.mu.Unlock()
	return nil
}

// mesh is the Mesh object, nil if there is none.
func (l *Live) mesh() *unstructured.Unstructured {
	o, ok, _ := l.stores[meshKind].GetStore().GetByKey(l.opts.Mesh) // stores in memory do not fail
	if !ok {
		return nil
	}
	return o.(*unstructured.Unstructured)
}

// wait waits until something holds.
func (l *Live) wait(ctx context.Context, holds func() bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			if err := l.watcher.fault(); err != nil {
				return err
			}
			return errNotLoaded
		case <-tick.C:
		}
	}
	return nil
}
