package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// post is what others go by when they look for a workload. Most edits of a workload
// leave its post as it is, and then concern nobody who did not find it.
type post struct {
	name     syntax.Name
	account  string
	identity ir.Identity
	meshed   bool
	labels   map[string]string // of the pods
	canary   string            // the services an Argo Rollout moves
	stable   string
}

// readPost is nil if there is no such workload.
func (r *resolver) readPost(name syntax.Name) *post {
	w := r.hand.Get(name)
	if w == nil {
		return nil
	}
	return &post{
		name: name, account: w.account, identity: w.identity, meshed: w.meshed, labels: w.spec.PodLabels,
		canary: w.spec.CanaryService, stable: w.spec.StableService,
	}
}

func samePost(a, b *post) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.name == b.name && a.account == b.account && a.identity == b.identity && a.meshed == b.meshed &&
		a.canary == b.canary && a.stable == b.stable && maps.Equal(a.labels, b.labels)
}

// readHand finds a workload whose pods are known: in the tree, then among those that
// controllers will make.
func (r *resolver) readHand(name syntax.Name) *workload {
	if w := r.planted(name); w != nil {
		return w
	}
	return r.primaries.Get(name.Namespace).named[name]
}

// planted finds a workload of the tree whose pods are known.
func (r *resolver) planted(name syntax.Name) *workload {
	if !slices.Contains(workloadKinds, name.Kind) {
		return nil
	}
	if w := r.workload.Get(name); w != nil && w.spec != nil {
		return w
	}
	return nil
}

// hands are the workloads on some posts.
func (r *resolver) hands(posts []*post) []*workload {
	if len(posts) == 0 {
		return nil
	}
	out := make([]*workload, len(posts))
	for i, p := range posts {
		out[i] = r.hand.Get(p.name)
	}
	return out
}

// roster is the posts of a namespace: in order of kind and name, then those that
// controllers will make.
type roster struct {
	posts []*post
	pods  podIndex
}

func (r *resolver) readRoster(ns string) *roster {
	out := &roster{}
	add := func(name syntax.Name) {
		if p := r.post.Get(name); p != nil {
			out.posts = append(out.posts, p)
		}
	}
	for _, kind := range workloadKinds {
		for _, name := range r.titles.Get(located{kind, ns}) {
			add(syntax.Name{Kind: kind, Namespace: ns, Name: name})
		}
	}
	for _, name := range r.primaries.Get(ns).order {
		add(name)
	}
	out.pods = indexPods(out.posts)
	return out
}

func sameRoster(a, b *roster) bool { return slices.Equal(a.posts, b.posts) }

// podIndex finds pods by one label without looking at all of a namespace.
type podIndex map[podLabel][]*post

type podLabel struct{ name, value string }

func indexPods(posts []*post) podIndex {
	ix := podIndex{}
	for _, p := range posts {
		for l, v := range p.labels {
			ix[podLabel{l, v}] = append(ix[podLabel{l, v}], p)
		}
	}
	return ix
}

// find lists the posts a service's selector selects; an empty one selects none.
func (ix podIndex) find(selector map[string]string) []*post {
	var shortest []*post
	first := true
	for l, v := range selector {
		if c := ix[podLabel{l, v}]; first || len(c) < len(shortest) {
			shortest, first = c, false
		}
	}
	var out []*post
	for _, p := range shortest {
		if selected(p.labels, selector) {
			out = append(out, p)
		}
	}
	return out
}

// primaries are the workloads of a namespace that Flagger will make.
type primaries struct {
	*part
	order []syntax.Name
	named map[syntax.Name]*workload
}

// readPrimaries makes a workload for each Canary whose target is known.
func (r *resolver) readPrimaries(ns string) *primaries {
	out := &primaries{named: map[syntax.Name]*workload{}}
	find := func(name syntax.Name) *workload {
		if w := r.planted(name); w != nil {
			return w
		}
		return out.named[name]
	}
	out.part = r.unit(func() {
		for _, o := range r.of("Canary", ns) {
			if o.Canary == nil {
				continue
			}
			target := find(syntax.Name{Kind: o.Canary.TargetKind, Namespace: ns, Name: o.Canary.TargetName})
			if target == nil {
				r.reportNoTarget(o)
				continue
			}
			name := syntax.Name{Kind: target.kind, Namespace: ns, Name: primaryOf(target.name)}
			if find(name) != nil {
				continue
			}
			w := primary(target)
			out.order, out.named[name] = append(out.order, name), w
			r.originOf(rankTree+len(workloadKinds), "Workload/"+w.namespace+"/"+w.name, w.obj, namePosition(w.obj))
		}
	})
	return out
}

func (r *resolver) reportNoTarget(o *syntax.Object) {
	r.report(diag.New("MSH4017", o.At("spec", "targetRef", "name"), "%s %q, the target of %s, is not known", o.Canary.TargetKind, o.Canary.TargetName, nameOf(o)).
		WithEffect("the accounts behind its services are not known, so nobody reaches them").
		WithHelp("add the manifest of %s %s to the sources", o.Canary.TargetKind, o.Canary.TargetName).About(o.Ref(), "spec.targetRef.name"))
}
