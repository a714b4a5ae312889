package live

import (
	"context"
	"maps"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
)

// ReportOptions say how what became of objects is written back. All are required.
type ReportOptions struct {
	Namespace string         // of the control plane
	Self      string         // this replica's name
	Proxies   func() Proxies // what is served, and to how many
	Always    bool           // write without asking for the lease: there is one replica
	// Drift is what runs otherwise than the served bundle was compiled; nil: nobody knows.
	Drift func() diag.List
}

// Times of the writer.
const (
	writeEvery = 250 * time.Millisecond
	// patience is how long proxies have to acknowledge before a status says that they
	// have not yet: most do, and one write is enough.
	patience   = 2 * replicaEvery
	firstRetry = time.Second
	lastRetry  = time.Minute
	meshEvery  = 2 * time.Second
	// grace is how long what is applied together may take to come.
	grace = 10 * time.Second
)

// writer writes status and events. It is slow where the API server is, and nothing
// waits for it.
type writer struct {
	*Live
	opts   ReportOptions
	client *client
	lease  *lease
	memory *memory

	todo  map[syntax.Name]*task
	notes map[syntax.Name]string // the last event of each object
	rules map[string]string      // the last event of each ConfigMap of rules
	kept  map[syntax.Name]bool   // of which the last accepted form is written down
	look  time.Time              // at the Mesh, the last time
	said  struct {               // of this replica, to the others
		at time.Time
		is map[string]string
	}
}

// task is an object whose status may have to be written.
type task struct {
	since time.Time // of the change
	next  time.Time // not before
	wait  time.Duration
	// settles is when, by Options.Clock, what the object misses is no longer expected to
	// come by itself; zero where nobody waits for that.
	settles time.Time
	// look: nothing changed but who leads.
	look bool
}

// Report writes what becomes of objects into their status, as long as this replica
// leads, until ctx ends.
func (l *Live) Report(ctx context.Context, opts ReportOptions) {
	c := l.watcher.client
	w := &writer{
		Live: l, opts: opts, client: c, memory: &memory{c, opts.Namespace},
		lease: &lease{client: c, namespace: opts.Namespace, self: opts.Self, log: l.opts.Log, held: &l.leads},
		todo:  map[syntax.Name]*task{}, notes: map[syntax.Name]string{}, rules: map[string]string{}, kept: map[syntax.Name]bool{},
	}
	won := make(chan struct{}, 1)
	if opts.Always {
		w.lease.held.Store(true)
		won <- struct{}{}
	} else {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.lease.run(ctx, func() { won <- struct{}{} })
		}()
		defer func() { <-ended }()
	}
	if _, shared := l.stores[memoryStore]; shared {
		defer w.forget()
	}
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-won:
			w.all()
		case <-tick.C:
		}
		w.gatherTasks()
		if _, shared := l.stores[memoryStore]; shared {
			w.tellReplica(ctx)
		}
		if w.lease.held.Load() && l.isLoaded() {
			w.write(ctx)
			w.tellOfRules(ctx)
		}
	}
}

// all looks at every object: what another replica wrote is not known.
func (w *writer) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.told.all {
		w.todo[name] = &task{since: time.Now(), look: true}
	}
	for _, o := range w.Live.forms() {
		w.kept[o.name] = true // it may not be needed any more
		w.todo[o.name] = &task{since: time.Now()}
	}
	clear(w.notes)
}

func (w *writer) meshName() syntax.Name { return syntax.Name{Kind: meshKind, Name: w.Live.opts.Mesh} }

func (w *writer) gatherTasks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name := range w.told.changed {
		w.todo[name] = &task{since: time.Now()}
	}
	clear(w.told.changed)
	if mesh := w.meshName(); w.todo[mesh] == nil {
		w.todo[mesh] = &task{since: time.Now(), next: w.look.Add(meshEvery)} // it shows how many proxies there are
	}
}

func (w *writer) due(t *task) bool {
	return !time.Now().Before(t.next) && !w.Live.opts.Clock().Before(t.settles)
}

// write writes what is due.
func (w *writer) write(ctx context.Context) {
	due := false
	for _, t := range w.todo {
		due = due || w.due(t)
	}
	if !due {
		return // to count proxies is not cheap
	}
	proxies := w.proxies()
	w.mu.Lock()
	all, shown := maps.Clone(w.told.all), w.shown
	w.mu.Unlock()
	for name, t := range w.todo {
		if !w.due(t) || ctx.Err() != nil || !w.lease.held.Load() {
			continue
		}
		done, err := w.one(ctx, name, all, proxies, shown, t)
		switch {
		case err != nil:
			t.wait = min(max(2*t.wait, firstRetry), lastRetry)
			t.next = time.Now().Add(t.wait)
			w.Live.metrics.failures.Inc()
			w.Live.opts.Log.Warn("a status could not be written", "object", pathOf(name), "error", err, "again", t.wait)
		case done:
			delete(w.todo, name)
		}
	}
}

// one brings an object's status up to date. The answer is whether nothing is left to do.
func (w *writer) one(ctx context.Context, name syntax.Name, all map[syntax.Name]state, p Proxies, shown view, t *task) (bool, error) {
	s, ok := all[name]
	if err := w.keepForm(ctx, name, s, ok); err != nil {
		return false, err
	}
	u := w.stored(name)
	if u == nil || !ok || string(u.GetUID()) != s.uid {
		delete(w.notes, name)
		return true, nil
	}
	conds := conditionsOf(s, p, w.concerned(name, shown.bundle), shown.digest(), shown.fromBundle)
	if t.look {
		conds = asSaid(u, conds, s.generation)
	}
	pending := conds[1].reason == reasonPending
	if pending && name.Kind != meshKind && time.Since(t.since) < patience {
		return false, nil
	}
	if pending {
		if c := conditions.Get(conditions.UnstructuredGetter(u), programmed); c != nil && c.Reason == reasonPending && c.ObservedGeneration == s.generation && name.Kind != glassKind {
			return false, nil // said so already
		}
	}
	status, conds, err := w.statusOf(ctx, u, name, s, p, shown, conds)
	if err != nil {
		return false, err
	}
	changed, err := w.put(ctx, u, name, s.generation, status, conds)
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case apierrors.IsConflict(err):
		return false, nil // somebody else was faster: at the next tick it is looked at anew
	case err != nil:
		return false, err
	}
	said := s
	held := len(s.found)
	if said.found = w.settled(u, s); !s.refused {
		held -= len(said.found)
	}
	if err := w.tellOf(ctx, u, name, said, changed); err != nil || held == 0 {
		return !pending, err
	}
	if t.settles = u.GetCreationTimestamp().Add(grace); pending {
		t.settles = time.Time{} // the status waits for nobody
	}
	return false, nil
}
