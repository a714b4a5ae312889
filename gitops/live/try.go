package live

import (
	"encoding/json"

	core "k8s.io/api/core/v1"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// codeBundleSource is the finding of an object that changes nothing: the mesh is served
// from a bundle.
const codeBundleSource diag.Code = "MSH5001"

// Try tells what would be found if an object were changed, for admission. What runs is
// read as when it is watched, so that only what is about the change is told. Before all
// was compiled there is nothing to hold it against: ask Loaded.
func (l *Live) Try(c compiler.Change) diag.List {
	if !l.isLoaded() {
		return diag.List{notLoaded(c.Path)}
	}
	name := *c.Object
	switch name.Kind {
	case meshKind:
		return l.tryMesh(name, c)
	case "Namespace", "Service":
		data, ok := l.asWatched(name, c.Data)
		if !ok {
			return l.policy.session.Try(c) // the decoder says what is wrong with it
		}
		c.Data = data
	case glassKind:
		return l.tryGlass(name, c)
	case "CronJob", "DaemonSet", "Deployment", "Job", "Rollout", "StatefulSet":
		return l.tryWorkload(name, c)
	}
	found, ok := l.judged(nil, c)
	if !ok {
		return diag.List{notLoaded(c.Path)}
	}
	if from, ok := l.bundleSource(); ok && isPolicy(name) {
		found = append(found, diag.New(codeBundleSource, diag.Span{File: c.Path}, "the mesh %q is served from %s", l.opts.Mesh, from).
			WithEffect("objects in the cluster change nothing").
			WithHelp("change the sources of that bundle; or take `bundle` out of the Mesh %q", l.opts.Mesh).
			About(diag.Object{Kind: name.Kind, Namespace: name.Namespace, Name: name.Name}, ""))
	}
	return found
}

func notLoaded(path string) diag.Finding {
	return diag.New("MSH0499", diag.Span{File: path}, "the mesh is not loaded yet").WithHelp("try again in a moment")
}

func (l *Live) bundleSource() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown.source, l.shown.fromBundle
}

// Enforces tells whether a namespace asks that changes of its applications be denied
// that break a policy.
func (l *Live) Enforces(namespace string) bool {
	p := l.Catalog()
	if p == nil {
		return false
	}
	for _, o := range p.Objects(namespace) {
		return o.Labels[kube.LabelEnforce] == "true" // the mesh's own cluster comes first
	}
	return false
}

// tryMesh judges what a Mesh says by itself: whom it would let in, only all of the mesh
// compiled anew could tell, and nobody can wait for that.
func (l *Live) tryMesh(name syntax.Name, c compiler.Change) diag.List {
	if name.Name != l.opts.Mesh || c.Data == nil {
		return nil
	}
	var o record
	if err := json.Unmarshal(c.Data, &o); err != nil {
		return l.policy.session.Try(c)
	}
	if spec, ok := o["spec"].(record); ok {
		for _, f := range onlyLive {
			delete(spec, f)
		}
	}
	data, err := json.Marshal(o)
	if err != nil {
		return l.policy.session.Try(c)
	}
	out := l.policy.elsewhere(data)
	for i := range out {
		out[i].Locations[0].File, out[i].Object.Name = c.Path, name.Name
	}
	alone := compiler.NewSession(ir.Known{}, compiler.Options{Stage: policies.Admission, NoRules: true, NoPlan: true})
	_, found := alone.Apply(compiler.Change{Path: source.ConfigName, Data: data})
	for _, f := range found {
		if f.Code == codeNowhere || f.At().File != source.ConfigName {
			continue // what lies in the namespaces, and which waivers are needed, it cannot know
		}
		for i := range f.Locations {
			f.Locations[i].File = c.Path
		}
		out = append(out, f)
	}
	return out
}

// codeNowhere is the finding of settings for a namespace in which nothing is known.
const codeNowhere diag.Code = "MSH0305"

// asWatched is an object of the cluster as the compiler is given it; false where it
// cannot be read. Nothing is what is deleted.
func (l *Live) asWatched(name syntax.Name, data []byte) ([]byte, bool) {
	if data == nil {
		return nil, true
	}
	var doc record
	if name.Kind == "Service" {
		var s core.Service
		if json.Unmarshal(data, &s) != nil {
			return nil, false
		}
		doc = serviceDocument(&s)
	} else {
		var n core.Namespace
		if json.Unmarshal(data, &n) != nil {
			return nil, false
		}
		injected := false
		for _, o := range l.Catalog().Objects(name.Name) {
			for _, p := range o.Pods {
				injected = injected || l.rules.Meshed(o, p)
			}
		}
		doc = namespaceDocument(&kube.Objects{Name: n.Name, Labels: n.Labels, Annotations: n.Annotations}, l.rules, injected)
	}
	out, err := json.Marshal(doc)
	return out, err == nil
}
