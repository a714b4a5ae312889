package check

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// use is a match of a route group in a grant.
type use struct {
	match ir.Match
	grant string // its name
}

// readUses finds the matches of a route group that grants use, each once.
func (j *judge) readUses(p place) []use {
	var out []use
	kind, name, _ := strings.Cut(p.name, "/")
	group := kind + "/" + p.namespace + "/" + name
	for _, target := range j.users.Get(p) {
		for _, g := range j.Grants(target) {
			for _, m := range g.HTTP {
				ref, _, _ := strings.Cut(m.Name, "#")
				if ref == group && !slices.ContainsFunc(out, func(u use) bool { return u.match.Name == m.Name }) {
					out = append(out, use{m, g.Name})
				}
			}
		}
	}
	return out
}

func sameUses(a, b []use) bool {
	return slices.EqualFunc(a, b, func(x, y use) bool { return x.grant == y.grant && ir.SameMatch(&x.match, &y.match) })
}

// headerGrants hints at granted matches of a route group that rest on a header,
// once for each match: the client chooses its headers (row 21).
func headerGrants(j *judge, p place) diag.List {
	var found diag.List
	_, name, _ := strings.Cut(p.name, "/")
	o := j.Object("HTTPRouteGroup", p.namespace, name)
	for _, u := range j.uses.Get(p) {
		_, match, _ := strings.Cut(u.match.Name, "#")
		i := slices.IndexFunc(o.HTTPRouteGroup.Matches, func(w syntax.HTTPMatch) bool { return w.Name == match })
		if len(u.match.Headers) == 0 || i < 0 || !u.match.Holds() {
			continue
		}
		f := headerGrant(o, i, u.match)
		if target, rule := j.rule(u.grant); target != nil {
			f = f.WithRelated(target.AtUnion(rule...), "granted here")
		}
		found.Add(f)
	}
	return found
}

// headerGrant is the hint about one match; one that narrows nothing but headers
// keeps nobody out.
func headerGrant(o *syntax.Object, i int, m ir.Match) diag.Finding {
	headers := "the header " + headerName(m.Headers[0])
	if len(m.Headers) > 1 {
		var names []string
		for _, h := range m.Headers {
			names = append(names, headerName(h))
		}
		headers = "the headers " + strings.Join(names, ", ")
	}
	name, path := o.HTTPRouteGroup.Matches[i].Name, []any{"spec", "matches", i, "headers"}
	if m.Path == "" {
		return finding(o, "MSH1019", path, "match %q allows every path to whoever sends %s", name, headers).
			WithEffect("clients choose their headers: among the sources it keeps nobody out").
			WithHelp("narrow the path, or the sources: identities cannot be forged")
	}
	return finding(o, "MSH1019", path, "match %q rests on %s, which the client chooses", name, headers).
		WithEffect("among the sources it keeps nobody from the paths it allows").
		WithHelp("narrow the sources where it matters: identities cannot be forged")
}

// headerName is a header as SMI writes it.
func headerName(h ir.HeaderMatch) string {
	if h.Name == ":authority" {
		return "host"
	}
	return h.Name
}

// udpGrants finds grants of a target that sidecars do not carry (row 30).
func udpGrants(j *judge, target ir.ServiceID) diag.List {
	var found diag.List
	said := map[string]bool{}
	for _, g := range j.Grants(target) {
		for _, id := range g.Ports {
			if said[g.Name] || !j.isUDP(id) {
				continue
			}
			o, path := j.rule(g.Name)
			if o == nil {
				continue
			}
			said[g.Name] = true
			found.Add(finding(o, "MSH1020", path, "sidecars do not carry UDP to %s", id).
				WithEffect("UDP passes by the sidecar, granted or not, and without mTLS").
				WithHelp("use TCP where the protocol has it, or node proxies"))
		}
	}
	return found
}

// isUDP tells whether a granted port is UDP: no grant is made for a number that
// is both.
func (j *judge) isUDP(id ir.PortID) bool {
	s := j.Service(id.Service)
	if s == nil {
		return false
	}
	p, ok := s.Port(id.Port)
	return ok && p.Protocol == ir.UDP
}

// readNaming finds the routes that the objects of a name KIND/NAME name: all of
// them, as nobody knows which of several will stay.
func (j *judge) readNaming(p place) []string {
	var out []string
	kind, name, _ := strings.Cut(p.name, "/")
	for _, o := range j.Called(kind, p.namespace, name) {
		if o.TrafficTarget != nil {
			for _, r := range o.TrafficTarget.Rules {
				out = append(out, r.Kind+"/"+r.Name)
			}
		}
		if o.TrafficSplit != nil {
			for _, m := range o.TrafficSplit.Matches {
				out = append(out, m.Kind+"/"+m.Name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (j *judge) readNamers(ns string) map[string][]ir.ServiceID {
	out := map[string][]ir.ServiceID{}
	for _, target := range j.Targets(ns) {
		for _, route := range j.naming.Get(place{ns, "TrafficTarget/" + target.Name}) {
			out[route] = append(out[route], target)
		}
	}
	return out
}

// readRules finds the routes that targets and splits of a namespace name.
func (j *judge) readRules(ns string) map[string]bool {
	used := map[string]bool{}
	for _, kind := range []string{"TrafficTarget", "TrafficSplit"} {
		for _, o := range j.Objects(kind, ns) {
			for _, route := range j.naming.Get(place{ns, kind + "/" + o.Name}) {
				used[route] = true
			}
		}
	}
	return used
}

// unusedRoutes finds routes of a name that no target and no split names: each of
// several, since nobody knows which of them will stay.
func unusedRoutes(j *judge, p place) diag.List {
	kind, name, _ := strings.Cut(p.name, "/")
	if j.ruled.Get(p) {
		return nil
	}
	var found diag.List
	for _, o := range j.Called(kind, p.namespace, name) {
		if o.HTTPRouteGroup == nil && o.TCPRoute == nil && o.UDPRoute == nil {
			continue
		}
		found.Add(finding(o, "MSH1021", []any{"metadata", "name"}, "no target of namespace %q names %s %q", o.Namespace, o.Kind, o.Name).
			WithEffect("it grants nothing").
			WithHelp("name it in a rule of a TrafficTarget of its namespace, or delete it"))
	}
	return found
}
