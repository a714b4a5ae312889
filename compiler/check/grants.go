package check

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// headerGrants hints at granted matches that rest on a header, once for each
// match: the client chooses its headers (row 21).
func headerGrants(j judge) diag.List {
	var found diag.List
	said := map[string]bool{}
	for _, g := range j.mesh.Grants {
		for _, m := range g.HTTP {
			if len(m.Headers) == 0 || said[m.Name] {
				continue
			}
			said[m.Name] = true
			group, match, _ := strings.Cut(m.Name, "#")
			o := j.named[group]
			if o == nil || o.HTTPRouteGroup == nil {
				continue
			}
			i := slices.IndexFunc(o.HTTPRouteGroup.Matches, func(w syntax.HTTPMatch) bool { return w.Name == match })
			if i < 0 {
				continue
			}
			f := headerGrant(o, i, m)
			if target, rule := j.rule(g); target != nil {
				f = f.WithRelated(target.AtUnion(rule...), "granted here")
			}
			found.Add(f)
		}
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

// udpGrants finds grants that sidecars do not carry (row 30).
func udpGrants(j judge) diag.List {
	var found diag.List
	said := map[string]bool{}
	for _, g := range j.mesh.Grants {
		for _, id := range g.Ports {
			o, path := j.rule(g)
			if o == nil || said[g.Name] || !j.isUDP(id) {
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
func (j judge) isUDP(id ir.PortID) bool {
	s, ok := j.mesh.Service(id.Service)
	if !ok {
		return false
	}
	p, ok := s.Port(id.Port)
	return ok && p.Protocol == ir.UDP
}

// unusedRoutes finds routes that no target and no split names.
func unusedRoutes(j judge) diag.List {
	used := map[string]bool{}
	for _, o := range j.files.Objects {
		if o.TrafficTarget != nil {
			for _, r := range o.TrafficTarget.Rules {
				used[r.Kind+"/"+o.Namespace+"/"+r.Name] = true
			}
		}
		if o.TrafficSplit != nil {
			for _, m := range o.TrafficSplit.Matches {
				used[m.Kind+"/"+o.Namespace+"/"+m.Name] = true
			}
		}
	}
	var found diag.List
	for _, o := range j.files.Objects {
		if (o.HTTPRouteGroup != nil || o.TCPRoute != nil || o.UDPRoute != nil) && !used[o.Ref().String()] {
			found.Add(finding(o, "MSH1021", []any{"metadata", "name"}, "no target of namespace %q names %s %q", o.Namespace, o.Kind, o.Name).
				WithEffect("it grants nothing").
				WithHelp("name it in a rule of a TrafficTarget of its namespace, or delete it"))
		}
	}
	return found
}
