package resolve

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// target is a TrafficTarget whose subjects are resolved.
type target struct {
	*part
	obj          *syntax.Object // nil: it grants nothing
	destinations []ir.Identity
	sources      []ir.Identity
}

// readTargets are the names of a namespace's targets.
func (r *resolver) readTargets(ns string) []ir.ServiceID {
	all := r.titles.Get(located{"TrafficTarget", ns})
	out := make([]ir.ServiceID, len(all))
	for i, name := range all {
		out[i] = ir.ServiceID{Namespace: ns, Name: name}
	}
	return out
}

// readTarget resolves who a TrafficTarget is about.
func (r *resolver) readTarget(id ir.ServiceID) *target {
	t := &target{}
	o, ok := r.find("TrafficTarget", id.Namespace, id.Name)
	t.part = r.unit(func() {
		if !ok || o.TrafficTarget == nil || !r.ours.Get(o.Namespace) {
			return
		}
		r.origin(nameOf(o), o, namePosition(o))
		t.destinations = r.destination(o)
		t.sources = r.sources(o)
		if !o.Invalid {
			t.obj = o
		}
	})
	return t
}

// readWanted are the destinations of a namespace's targets, sorted. It matters
// only to services that facts show.
func (r *resolver) readWanted(ns string) []ir.Identity {
	var out []ir.Identity
	for _, o := range r.of("TrafficTarget", ns) {
		if t := r.subject.Get(idOf(o)); t.obj != nil {
			out = append(out, t.destinations...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// destination is in the target's own namespace (row 23).
func (r *resolver) destination(o *syntax.Object) []ir.Identity {
	d := o.TrafficTarget.Destination
	s := subject{Subject: d, obj: o, path: []any{"spec", "destination"}, role: "destination"}
	if d.Name == "" {
		if !o.Invalid {
			r.report(targetFinding(o, "MSH1003", []any{"spec", "destination"}, "TrafficTarget %q has no destination", o.Name).
				WithEffect("it grants nothing").WithHelp("name the service account of the workloads that it opens"))
		}
		return nil
	}
	if d.Namespace != "" && d.Namespace != o.Namespace {
		r.report(s.find("MSH1007", "namespace", "the destination is in namespace %q, the TrafficTarget in %q", d.Namespace, o.Namespace).
			WithEffect("the target grants nothing: nobody opens what is not theirs").
			WithHelp("move the TrafficTarget to namespace %s", d.Namespace).
			WithRelated(o.At("metadata", "namespace"), "the target's namespace"))
		return nil
	}
	s.Namespace = o.Namespace
	return r.identities(s)
}

// sources are the union of who is named.
func (r *resolver) sources(o *syntax.Object) []ir.Identity {
	written := o.TrafficTarget.Sources
	if len(written) == 0 && !o.Invalid {
		r.report(targetFinding(o, "MSH1002", []any{"spec", "sources"}, "TrafficTarget %q has no sources", o.Name).
			WithEffect("nobody gets access by it").WithHelp("name the service accounts of the clients"))
	}
	var out []ir.Identity
	for i, src := range written {
		s := subject{Subject: src, obj: o, path: []any{"spec", "sources", i}, role: "source"}
		if src.Name == "" {
			if !o.Invalid {
				r.report(s.find("MSH1009", "name", "the source has no name").WithEffect("nobody gets access by it").WithHelp("name the service account of the client"))
			}
			continue
		}
		if src.Namespace == "" {
			r.reportNoNamespace(s)
			continue
		}
		out = append(out, r.identities(s)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reportNoNamespace names the fix of row 24: where an account of that name is.
func (r *resolver) reportNoNamespace(s subject) {
	help := "write the namespace of the client, as `namespace: " + s.obj.Namespace + "`"
	in := r.accountNamespaces(s.Name)
	if len(in) == 1 {
		help = "write `namespace: " + in[0] + "`, where the service account " + s.Name + " is"
	}
	f := s.find("MSH1008", "name", "the source %q has no namespace", s.Name).
		WithEffect("it gets no access: an account's name alone could be anybody's").WithHelp("%s", help)
	if len(in) == 1 { // else it would be a guess whom to let in
		if edit, ok := s.obj.InsertAfter(append(slices.Clone(s.obj.PathTo(s.path...)), "name"), "namespace: "+in[0]); ok {
			f = f.WithFix("add namespace "+in[0], edit)
		}
	}
	r.report(f)
}

// renamed offers to write a near name in place of one that nothing has.
func renamed(f diag.Finding, o *syntax.Object, path []any, name, near string) diag.Finding {
	if !diag.Certain(name, near) {
		return f
	}
	if e, ok := o.Rename(o.PathTo(path...), name, near); ok {
		return f.WithFix("write "+near, e)
	}
	return f
}

// targetFinding starts a finding about a TrafficTarget at a path in the union form.
func targetFinding(o *syntax.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), pathString(o.PathTo(path...)))
}
