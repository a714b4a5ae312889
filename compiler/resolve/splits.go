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

// splits are the splits of a namespace in order of name: each is about services
// of its own namespace, and some are judged together.
type splits struct {
	*part
	list  []*split
	roots map[ir.ServiceID]bool // of those without matches
}

// readSplits resolves the service names of a namespace's splits.
func (r *resolver) readSplits(ns string) *splits {
	out := &splits{roots: map[ir.ServiceID]bool{}}
	out.part = r.unit(func() {
		for _, o := range r.wholeSplits(ns) {
			r.origin(nameOf(o), o, namePosition(o))
			s := &split{obj: o}
			if id, ok := r.serviceName(o, []any{"spec", "service"}, o.TrafficSplit.Service); ok {
				s.root = r.splitRoot(o, id)
			}
			s.broken = s.root == nil
			r.readBackends(s)
			r.readSplitMatches(s)
			if s.root != nil && len(o.TrafficSplit.Matches) == 0 {
				out.roots[s.root.id] = true
			}
			out.list = append(out.list, s)
		}
	})
	return out
}

// wholeSplits are the splits of a namespace that are not in error by themselves.
func (r *resolver) wholeSplits(ns string) []*syntax.Object {
	var out []*syntax.Object
	for _, o := range r.of("TrafficSplit", ns) {
		if o.TrafficSplit != nil && !o.Invalid && r.ours.Get(ns) {
			out = append(out, o)
		}
	}
	return out
}

// readAsked are the services that splits of the namespace name: those that only
// facts show come into the mesh by it.
func (r *resolver) readAsked(ns string) []ir.ServiceID {
	var out []ir.ServiceID
	for _, o := range r.wholeSplits(ns) {
		names := []string{o.TrafficSplit.Service}
		for _, b := range o.TrafficSplit.Backends {
			names = append(names, b.Service)
		}
		for _, written := range names {
			if n := r.splitName(ns, written); n.wellFormed && n.id.Namespace == ns {
				out = append(out, n.id)
			}
		}
	}
	slices.SortFunc(out, ir.ServiceID.Compare)
	return slices.Compact(out)
}

func splitFinding(o *syntax.Object, code diag.Code, path []any, format string, args ...any) diag.Finding {
	return diag.New(code, o.AtUnion(path...), format, args...).About(o.Ref(), pathString(o.PathTo(path...)))
}

// splitName is a service's name as a split writes it (row 40).
type splitName struct {
	id         ir.ServiceID
	wellFormed bool
}

func (r *resolver) splitName(namespace, written string) splitName {
	name, rest, qualified := strings.Cut(strings.TrimSuffix(written, "."), ".")
	ns, suffix, _ := strings.Cut(rest, ".")
	n := splitName{id: ir.ServiceID{Namespace: namespace, Name: name}}
	n.wellFormed = label.MatchString(name) && (!qualified || label.MatchString(ns)) &&
		(suffix == "" || suffix == "svc" || suffix == "svc."+r.settings.ClusterDomain)
	if qualified {
		n.id.Namespace = ns
	}
	return n
}

// serviceName reads the name of a service of the split's own namespace.
func (r *resolver) serviceName(o *syntax.Object, path []any, written string) (ir.ServiceID, bool) {
	n := r.splitName(o.Namespace, written)
	if !n.wellFormed {
		r.report(splitFinding(o, "MSH2001", path, "%q is not the name of a service", written).
			WithEffect("nothing is split").
			WithHelp("write NAME, NAME.%s, NAME.%s.svc or NAME.%s.svc.%s", o.Namespace, o.Namespace, o.Namespace, r.settings.ClusterDomain))
		return n.id, false
	}
	if ns := n.id.Namespace; ns != o.Namespace {
		r.report(splitFinding(o, "MSH2002", path, "%q is in namespace %q, the split in %q", written, ns, o.Namespace).
			WithEffect("nothing is split: a split is about services of its own namespace").
			WithHelp("move the split to namespace %s, or name a service of %s", ns, o.Namespace))
		return n.id, false
	}
	return n.id, true
}

func (r *resolver) splitRoot(o *syntax.Object, id ir.ServiceID) *service {
	s, ok := r.knownService(id)
	if !ok {
		f := splitFinding(o, "MSH2013", []any{"spec", "service"}, "the root service %q of the split is not known", id.Name).
			WithEffect("nothing is split").WithHelp(howToKnow)
		if n := diag.Nearest(id.Name, r.serviceNames(id.Namespace)); n != "" {
			f = renamed(f.WithHelp("did you mean %q? Otherwise %s", n, howToKnow), o, []any{"spec", "service"}, id.Name, n)
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
		if !slices.ContainsFunc(o.TrafficSplit.Backends, func(b syntax.SplitBackend) bool { return b.Service == n }) {
			f = renamed(f, o, path, id.Name, n)
		}
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
		g := r.group.Get(ir.ServiceID{Namespace: o.Namespace, Name: ref.Name})
		if g == nil {
			f := splitFinding(o, "MSH2015", append(path, "name"), "there is no HTTPRouteGroup %q in namespace %q", ref.Name, o.Namespace).
				WithEffect("nothing is split until it exists").WithHelp("write the group in the namespace of the split, or mend the name")
			if n := diag.Nearest(ref.Name, r.names("HTTPRouteGroup", o.Namespace)); n != "" {
				f = renamed(f.WithHelp("did you mean %q?", n), o, append(path, "name"), ref.Name, n)
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
