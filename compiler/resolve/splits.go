package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// split is a TrafficSplit whose service names are read.
type split struct {
	obj      *syntax.Object
	root     *service
	backends []backend
	matches  []ir.Match
	broken   bool // a part of it is an error: the rest is judged, nothing is split
}

// backend is a leaf as written; service is nil when nobody knows it.
type backend struct {
	index   int
	id      ir.ServiceID
	service *service
	weight  int64
}

// readSplits resolves the service names of the splits, so that known services
// come into the mesh before roles are made.
func (r *resolver) readSplits() []*split {
	var out []*split
	for _, o := range r.objects.byKind["TrafficSplit"] {
		if o.TrafficSplit == nil || o.Invalid || !r.namespaceOurs(o.Namespace) {
			continue
		}
		r.origin(nameOf(o), o, namePosition(o))
		s := &split{obj: o}
		if id, ok := r.serviceName(o, []any{"spec", "service"}, o.TrafficSplit.Service); ok {
			s.root = r.splitRoot(o, id)
		}
		s.broken = s.root == nil
		r.readBackends(s)
		r.readSplitMatches(s)
		if s.root != nil && len(o.TrafficSplit.Matches) == 0 {
			s.root.split = true
		}
		out = append(out, s)
	}
	return out
}

func splitFinding(o *syntax.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), pathString(o.PathTo(path...)))
}

// serviceName reads the forms of row 40.
func (r *resolver) serviceName(o *syntax.Object, path []any, written string) (ir.ServiceID, bool) {
	name, rest, qualified := strings.Cut(strings.TrimSuffix(written, "."), ".")
	ns, suffix, _ := strings.Cut(rest, ".")
	id := ir.ServiceID{Namespace: o.Namespace, Name: name}
	wellFormed := label.MatchString(name) && (!qualified || label.MatchString(ns)) &&
		(suffix == "" || suffix == "svc" || suffix == "svc."+r.settings.ClusterDomain)
	if !wellFormed {
		r.report(splitFinding(o, "MSH2001", path, "%q is not the name of a service", written).
			WithEffect("nothing is split").
			WithHelp("write NAME, NAME.%s, NAME.%s.svc or NAME.%s.svc.%s", o.Namespace, o.Namespace, o.Namespace, r.settings.ClusterDomain))
		return id, false
	}
	if qualified && ns != o.Namespace {
		r.report(splitFinding(o, "MSH2002", path, "%q is in namespace %q, the split in %q", written, ns, o.Namespace).
			WithEffect("nothing is split: a split is about services of its own namespace").
			WithHelp("move the split to namespace %s, or name a service of %s", ns, o.Namespace))
		return id, false
	}
	return id, true
}

func (r *resolver) splitRoot(o *syntax.Object, id ir.ServiceID) *service {
	s, ok := r.knownService(id)
	if !ok {
		f := splitFinding(o, "MSH2013", []any{"spec", "service"}, "the root service %q of the split is not known", id.Name).
			WithEffect("nothing is split").WithHelp(howToKnow)
		if n := diag.Nearest(id.Name, r.serviceNames(id.Namespace)); n != "" {
			f = f.WithHelp("did you mean %q? Otherwise %s", n, howToKnow)
		}
		r.report(f)
	}
	return s
}

func (r *resolver) readBackends(s *split) {
	o := s.obj
	if len(o.TrafficSplit.Backends) == 0 {
		r.report(splitFinding(o, "MSH2003", []any{"spec", "backends"}, "TrafficSplit %q has no backends", o.Name).
			WithEffect("nothing is split").WithHelp("name at least one backend service with its weight"))
		s.broken = true
	}
	seen := map[ir.ServiceID]int{}
	for i, b := range o.TrafficSplit.Backends {
		path := []any{"spec", "backends", i, "service"}
		id, ok := r.serviceName(o, path, b.Service)
		if !ok {
			s.broken = true
			continue
		}
		if first, dup := seen[id]; dup {
			r.report(splitFinding(o, "MSH2003", path, "backend %q is named twice", id.Name).
				WithEffect("nothing is split: its share could be either weight").
				WithRelated(o.AtUnion("spec", "backends", first, "service"), "named here first").
				WithHelp("write it once, with the whole weight"))
			s.broken = true
			continue
		}
		seen[id] = i
		known, ok := r.knownService(id)
		if !ok {
			r.reportMissingBackend(o, i, id, b.Weight)
		}
		s.backends = append(s.backends, backend{i, id, known, b.Weight})
	}
}

// reportMissingBackend: with weight it is an error, without it a step of a rollout (row 42).
func (r *resolver) reportMissingBackend(o *syntax.Object, i int, id ir.ServiceID, weight int64) {
	path := []any{"spec", "backends", i, "service"}
	f := splitFinding(o, "MSH2006", path, "backend %q is not known", id.Name).
		WithEffect("its share of the calls gets 503").WithHelp(howToKnow)
	if weight == 0 {
		f = splitFinding(o, "MSH2007", path, "backend %q, of weight 0, is not known", id.Name).
			WithEffect("nothing yet; with a weight its share of the calls would get 503").
			WithHelp("create the service before you give it a weight")
	}
	if n := diag.Nearest(id.Name, r.serviceNames(id.Namespace)); n != "" {
		f = f.WithHelp("did you mean %q? Otherwise %s", n, howToKnow)
	}
	r.report(f)
}

// readSplitMatches are whole route groups of the split's namespace (row 44).
func (r *resolver) readSplitMatches(s *split) {
	o := s.obj
	for i, ref := range o.TrafficSplit.Matches {
		path := []any{"spec", "matches", i}
		if ref.Kind != "HTTPRouteGroup" || ref.APIGroup != "" && ref.APIGroup != "specs.smi-spec.io" {
			r.report(splitFinding(o, "MSH2014", append(path, "kind"), "a split cannot match by a %s", strings.TrimPrefix(ref.APIGroup+"/"+ref.Kind, "/")).
				WithEffect("nothing is split").WithHelp("write `kind: HTTPRouteGroup`"))
			s.broken = true
			continue
		}
		g, ok := r.group(o.Namespace, ref.Name)
		if !ok {
			f := splitFinding(o, "MSH2015", append(path, "name"), "there is no HTTPRouteGroup %q in namespace %q", ref.Name, o.Namespace).
				WithEffect("nothing is split until it exists").WithHelp("write the group in the namespace of the split, or mend the name")
			if n := diag.Nearest(ref.Name, r.objects.names("HTTPRouteGroup", o.Namespace)); n != "" {
				f = f.WithHelp("did you mean %q?", n)
			}
			r.report(f)
			s.broken = true
			continue
		}
		for _, name := range g.order {
			m := g.matches[name]
			if m != nil && !slices.ContainsFunc(s.matches, func(x ir.Match) bool { return x.Name == m.Name }) {
				s.matches = append(s.matches, *m)
			}
		}
	}
	if len(o.TrafficSplit.Matches) > 0 && len(s.matches) == 0 {
		s.broken = true // no matches would mean every request
	}
	slices.SortFunc(s.matches, func(a, b ir.Match) int { return strings.Compare(a.Name, b.Name) })
}
