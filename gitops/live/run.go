package live

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/syntax"
)

// mostAtOnce bounds how many objects are compiled together while others may wait.
const mostAtOnce = 500

// run compiles what changes until ctx ends.
func (l *Live) run(ctx context.Context) {
	defer close(l.done)
	if !l.load(ctx) {
		return
	}
	l.spaces = map[string]map[syntax.Name][]byte{}
	l.compile(l.take(true))
	var beside sync.WaitGroup
	defer beside.Wait()
	for _, f := range []func(context.Context){l.pull, l.audit, l.fetchRules} {
		beside.Go(func() { f(ctx) })
	}
	close(l.loaded)
	l.tell()
	for {
		var again, over <-chan time.Time
		if at := l.retryDue(time.Now()); !at.IsZero() {
			again = time.After(time.Until(at))
		}
		if at := l.endings.next(); !at.IsZero() {
			over = time.After(at.Sub(l.endings.now()))
		}
		select {
		case <-ctx.Done():
			return
		case <-again:
			continue
		case <-over:
			if !l.expire() {
				continue
			}
		case <-l.changed:
			l.gather(ctx)
		}
		if suspended(l.mesh()) {
			l.close()
			l.show()
			continue
		}
		for ctx.Err() == nil && !suspended(l.mesh()) {
			d := l.takeNext()
			if len(d.objects)+len(d.spaces) == 0 && !d.memory {
				break
			}
			if l.compile(d) {
				l.tell()
			}
			l.retryDue(time.Now()) // this and the next also where changes never end
			l.rule()
		}
		l.rule()
	}
}

// rule takes what the rules found in what is in force.
func (l *Live) rule() {
	if found, news := l.audited(); news {
		l.rulings = found
		l.note(newDirty(), l.policy.last)
	}
}

// load waits until the cluster has told all that it holds.
func (l *Live) load(ctx context.Context) bool {
	all := func() bool {
		for _, s := range l.stores {
			if !s.HasSynced() {
				return false
			}
		}
		return true
	}
	if err := l.begin(ctx); err != nil {
		if ctx.Err() == nil {
			l.opts.Log.Error("the cluster cannot be followed", "error", err)
		}
		return false
	}
	return l.wait(ctx, all) == nil && l.catalog.Wait(ctx) == nil
}

// gather lets changes come together until none came for a while, or five times as long.
func (l *Live) gather(ctx context.Context) {
	end := time.After(5 * l.opts.Coalesce)
	for {
		select {
		case <-l.changed:
			continue
		case <-time.After(l.opts.Coalesce):
		case <-end:
		case <-ctx.Done():
		}
		return
	}
}

// take takes what is to be compiled next. Splits go first and alone: who shifts
// traffic waits for nobody. So does what is opened in an emergency, and its end.
func (l *Live) take(everything bool) dirty {
	l.mu.Lock()
	defer l.mu.Unlock()
	if everything {
		out := l.dirty
		l.dirty, out.all = newDirty(), true
		return out
	}
	out := newDirty()
	for name, u := range l.dirty.objects {
		if name.Kind == "TrafficSplit" || name.Kind == glassKind {
			out.objects[name] = u
			delete(l.dirty.objects, name)
		}
	}
	if len(out.objects) > 0 {
		return out
	}
	out.spaces, out.all, out.memory = l.dirty.spaces, l.dirty.all, l.dirty.memory
	l.dirty.spaces, l.dirty.all, l.dirty.memory = map[string]bool{}, false, false
	for name, u := range l.dirty.objects {
		if len(out.objects) == mostAtOnce {
			break
		}
		out.objects[name] = u
		delete(l.dirty.objects, name)
	}
	return out
}

// compile makes edits of what changed, and a bundle of what they come to. The answer
// is whether anything is other than it was.
func (l *Live) compile(d dirty) bool {
	var edits []edit
	for name, u := range d.objects {
		if name.Kind == "IdentityBinding" {
			d.spaces[name.Namespace] = true // it may read other labels
		}
		if u == nil {
			if name.Kind == glassKind {
				l.endings.judge(name, nil)
			}
			edits = append(edits, edit{name: name})
			continue
		}
		if name.Kind == meshKind && l.opts.Instead != nil {
			u = l.opts.Instead
		}
		_, doc := document(u)
		if name.Kind == glassKind {
			l.glassDocument(name, u, doc)
		}
		data, err := json.Marshal(doc) // keys in order
		if err != nil {
			l.opts.Log.Error("an object of the cluster cannot be read", "kind", name.Kind, "namespace", name.Namespace, "name", name.Name, "error", err)
			continue
		}
		edits = append(edits, edit{name: name, data: data, vouched: vouched(u)})
	}
	mesh := syntax.Name{Kind: meshKind, Name: l.opts.Mesh}
	if u, ok := d.objects[mesh]; (!ok || u == nil) && l.mesh() == nil {
		edits = slices.DeleteFunc(edits, func(e edit) bool { return e.name == mesh })
		edits = append(edits, edit{name: mesh, data: l.policy.base})
	}
	edits = append(edits, l.running(d)...)
	for _, e := range edits {
		l.policy.vouch(e)
	}
	edits = slices.DeleteFunc(edits, l.known)
	recalled := l.recall(d, !l.isLoaded())
	if len(edits)+len(recalled) == 0 && !d.all {
		l.mu.Lock()
		for name, u := range d.objects { // it says the same, and may be of another generation
			if before, ok := l.told.all[name]; ok && u != nil && before.seen != seenOf(u) {
				before.seen = seenOf(u)
				l.told.all[name], l.told.changed[name] = before, true
			}
		}
		l.mu.Unlock()
		return false
	}
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(pathOf(a.name), pathOf(b.name)) })
	began := time.Now()
	l.policy.session.At(began)
	out := l.policy.applyWith(recalled, edits)
	l.publish(out)
	l.metrics.duration.Observe(time.Since(began).Seconds())
	l.note(d, out)
	return true
}

// known tells that an edit says what is wanted already.
func (l *Live) known(e edit) bool {
	o := l.policy.objects[e.name]
	if o == nil {
		return e.data == nil
	}
	return e.data != nil && bytes.Equal(o.wanted, e.data) && (!e.vouched || bytes.Equal(o.accepted, e.data))
}

// running makes edits of what runs in the namespaces that changed.
func (l *Live) running(d dirty) []edit {
	touched := slices.Collect(maps.Keys(d.spaces))
	if d.all {
		touched = append(l.catalog.Namespaces(), slices.Collect(maps.Keys(l.spaces))...)
	}
	slices.Sort(touched)
	var edits []edit
	for _, ns := range slices.Compact(touched) {
		now := facts(ns, l.catalog.Objects(ns), l.rules, l.selecting(ns))
		for name, data := range now {
			if !bytes.Equal(l.spaces[ns][name], data) {
				edits = append(edits, edit{name: name, data: data})
			}
		}
		for name := range l.spaces[ns] {
			if _, still := now[name]; !still {
				edits = append(edits, edit{name: name})
			}
		}
		if l.spaces[ns] = now; len(now) == 0 {
			delete(l.spaces, ns)
		}
	}
	return edits
}

// selecting are the labels by which the bindings of a namespace select pods.
func (l *Live) selecting(ns string) []string {
	var out []string
	for _, o := range l.stores["IdentityBinding"].GetStore().List() {
		u := o.(*unstructured.Unstructured)
		if u.GetNamespace() != ns {
			continue
		}
		labels, _, _ := unstructured.NestedMap(u.Object, "spec", "schemes", "podLabelSelector", "matchLabels")
		out = append(out, slices.Collect(maps.Keys(labels))...)
	}
	return out
}

// publish packs the bundle of an outcome.
func (l *Live) publish(o outcome) {
	v := view{failed: o.failed}
	if o.result.Plan != nil {
		v.bundle, v.err = bundle.Pack(bundle.Input{Mesh: o.result.Mesh, Plan: o.result.Plan})
	}
	l.auditor.Compiled(o.result, l.policy.takeEdit(), time.Now())
	l.mu.Lock()
	l.rulebook.config = o.result.Config
	if before := l.compiled.bundle; before != nil && (v.bundle == nil || before.Manifest.PolicyDigest == v.bundle.Manifest.PolicyDigest) {
		v.bundle = before
	}
	l.compiled = v
	l.mu.Unlock()
	l.recheck()
	l.show()
}
