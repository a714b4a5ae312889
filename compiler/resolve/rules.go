package resolve

import (
	"slices"
	"strconv"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// rule is a rule of a target after its references were resolved.
type rule struct {
	index   int
	kind    string
	matches []ir.Match // of a route group; none: it grants nothing
	ports   *portRule  // of a TCPRoute or UDPRoute; nil: it grants nothing
}

// portRule is the service ports that a rule or a destination names.
type portRule struct {
	all     bool
	numbers []portNumber
}

// portNumber is a number with the place it was written at.
type portNumber struct {
	number int64
	obj    *syntax.Object
	path   []any
}

func (p *portRule) has(n uint16) bool {
	return p.all || slices.ContainsFunc(p.numbers, func(x portNumber) bool { return x.number == int64(n) })
}

// rules resolves the rules of a target; broken ones stay, so that what they were
// meant to narrow is not widened.
func (r *resolver) rules(o *syntax.Object) []rule {
	var out []rule
	for i, written := range o.TrafficTarget.Rules {
		ru := rule{index: i, kind: written.Kind}
		switch written.Kind {
		case "HTTPRouteGroup":
			ru.matches = r.ruleMatches(o, i, written)
		case "TCPRoute", "UDPRoute":
			ru.ports = r.rulePorts(o, i, written)
		default:
			r.reportRuleKind(o, i, written)
		}
		out = append(out, ru)
	}
	return out
}

func (r *resolver) reportRuleKind(o *syntax.Object, i int, written syntax.Rule) {
	kinds := []string{"HTTPRouteGroup", "TCPRoute", "UDPRoute"}
	f := targetFinding(o, "MSH1006", []any{"spec", "rules", i, "kind"}, "a rule cannot be of kind %q", written.Kind).
		WithEffect("the rule grants nothing").WithHelp("write HTTPRouteGroup, TCPRoute or UDPRoute")
	if n := diag.Nearest(written.Kind, kinds); n != "" {
		f = f.WithHelp("did you mean %s?", n).WithFix("kind "+n, diag.Edit{Span: o.AtUnion("spec", "rules", i, "kind"), NewText: n})
	}
	r.report(f)
}

// missingRoute reports a rule that names a route nobody wrote (row 13).
func (r *resolver) missingRoute(o *syntax.Object, i int, written syntax.Rule) {
	f := targetFinding(o, "MSH1004", []any{"spec", "rules", i, "name"}, "there is no %s %q in namespace %q", written.Kind, written.Name, o.Namespace).
		WithEffect("the rule grants nothing until it exists").
		WithHelp("write the %s in the namespace of the target, or mend the name", written.Kind)
	if n := diag.Nearest(written.Name, r.names(written.Kind, o.Namespace)); n != "" {
		near, _ := r.find(written.Kind, o.Namespace, n)
		f = f.WithHelp("did you mean %q?", n).WithRelated(namePosition(near), "a similar name")
		var beside []string
		for _, other := range o.TrafficTarget.Rules {
			beside = append(beside, other.Name)
		}
		if diag.Certain(written.Name, n, beside...) {
			f = f.WithFix("name "+n, diag.Edit{Span: o.AtUnion("spec", "rules", i, "name"), NewText: n})
		}
	} else {
		for _, other := range r.called.Get(called{written.Kind, written.Name}) {
			f = f.WithRelated(namePosition(other), "one of this name is in namespace "+other.Namespace)
		}
	}
	r.report(f)
}

// ruleMatches are the matches a rule names; left out, all of the group (row 12).
func (r *resolver) ruleMatches(o *syntax.Object, i int, written syntax.Rule) []ir.Match {
	g := r.group.Get(ir.ServiceID{Namespace: o.Namespace, Name: written.Name})
	if g == nil {
		r.missingRoute(o, i, written)
		return nil
	}
	names := written.Matches
	if written.HasMatches && len(names) == 0 {
		r.report(targetFinding(o, "MSH1005", []any{"spec", "rules", i, "matches"}, "the rule names no match of HTTPRouteGroup %q", written.Name).
			WithEffect("the rule grants nothing").WithHelp("leave `matches` out for all matches of the group"))
		return nil
	}
	if !written.HasMatches {
		names = g.order
	}
	var out []ir.Match
	for j, name := range names {
		m, ok := g.matches[name]
		if !ok {
			r.missingMatch(o, i, j, g, name)
		}
		if m != nil && !slices.ContainsFunc(out, func(x ir.Match) bool { return x.Name == m.Name }) {
			out = append(out, *m)
		}
	}
	slices.SortFunc(out, func(a, b ir.Match) int { return compareStrings(a.Name, b.Name) })
	return out
}

func (r *resolver) missingMatch(o *syntax.Object, i, j int, g *routeGroup, name string) {
	path := []any{"spec", "rules", i, "matches", j}
	f := targetFinding(o, "MSH1005", path, "HTTPRouteGroup %q has no match named %q", g.obj.Name, name).
		WithEffect("the rule does not grant it until it exists")
	if n := diag.Nearest(name, g.order); n != "" {
		at := g.obj.AtUnion("spec", "matches", slices.Index(g.order, n), "name")
		f = f.WithHelp("did you mean %q?", n).WithRelated(at, "a similar name is defined here")
		if diag.Certain(name, n, o.TrafficTarget.Rules[i].Matches...) {
			f = f.WithFix("match "+n, diag.Edit{Span: o.AtUnion(path...), NewText: n})
		}
	} else {
		f = f.WithHelp("add the match to the group, or mend the name").WithRelated(namePosition(g.obj), "the group")
	}
	r.report(f)
}

// rulePorts are the ports of a TCPRoute or UDPRoute (row 19).
func (r *resolver) rulePorts(o *syntax.Object, i int, written syntax.Rule) *portRule {
	if written.HasMatches {
		r.report(targetFinding(o, "MSH1006", []any{"spec", "rules", i, "matches"}, "a %s has no matches to name", written.Kind).
			WithEffect("the rule grants nothing").WithHelp("leave `matches` out; name the HTTPRouteGroup in a rule of its own"))
		return nil
	}
	route, ok := r.find(written.Kind, o.Namespace, written.Name)
	if !ok {
		r.missingRoute(o, i, written)
		return nil
	}
	r.origin(nameOf(route), route, namePosition(route))
	pr := route.TCPRoute
	if written.Kind == "UDPRoute" {
		pr = route.UDPRoute
	}
	if pr == nil || route.Invalid {
		return nil
	}
	out := &portRule{all: len(pr.Ports) == 0}
	for j, n := range pr.Ports {
		out.numbers = append(out.numbers, portNumber{n, route, []any{"spec", "matches", "ports", j}})
	}
	return out
}

func compareStrings(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
