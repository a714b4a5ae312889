package lsp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// page is a text in Markdown that grows by lines.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// most items of a list that a hover shows: more nobody reads.
const mostShown = 20

func list[T any](p *page, items []T, line func(T) string) {
	for i, item := range items {
		if i == mostShown {
			p.line("- and %d more", len(items)-i)
			return
		}
		p.line("- %s", line(item))
	}
}

// describe tells what a thing means in the mesh; "" when nothing is known of it.
func (m *model) describe(t thing) string {
	p := &page{}
	switch t.kind {
	case "TrafficTarget":
		m.describeTarget(p, t)
	case "HTTPRouteGroup", "TCPRoute", "UDPRoute":
		m.describeRoutes(p, t)
	case "TrafficSplit":
		m.describeSplit(p, t)
	case "Service":
		m.describeService(p, t)
	case "ServiceAccount":
		m.describeAccount(p, t)
	case "Namespace":
		m.describeNamespace(p, t)
	default:
		m.describeWorkload(p, t)
	}
	if p.Len() == 0 {
		return ""
	}
	head := "**" + t.kind + "** `" + strings.TrimPrefix(t.namespace+"/"+t.name, "/") + "`"
	if t.part != "" {
		head = "**match** `" + t.part + "` of " + head
	}
	return head + "\n\n" + p.String()
}

// grants are those of a target, or those that a test picks.
func (m *model) grants(pick func(*ir.Grant) bool) []*ir.Grant {
	var out []*ir.Grant
	for i := range m.result.Mesh.Grants {
		if g := &m.result.Mesh.Grants[i]; pick(g) {
			out = append(out, g)
		}
	}
	return out
}

func (m *model) describeTarget(p *page, t thing) {
	if m.index().objects[t] == nil {
		return
	}
	grants := m.grants(func(g *ir.Grant) bool { return strings.HasPrefix(g.Name, t.String()+"#") })
	if len(grants) == 0 {
		p.line("It grants nothing: what was found in it tells why.")
		return
	}
	p.line("lets")
	list(p, grants[0].Sources, func(id ir.Identity) string { return "`" + id.Short() + "`" })
	p.line("\ncall `%s`:\n", grants[0].Destination.Short())
	for _, g := range grants {
		p.line("- %s: %s", ports(g.Ports), requests(g.HTTP))
	}
}

// ports are service ports in a line.
func ports(ids []ir.PortID) string {
	if len(ids) == 0 {
		return "no port"
	}
	var out []string
	for i, id := range ids {
		if i == mostShown {
			out = append(out, fmt.Sprintf("%d more", len(ids)-i))
			break
		}
		out = append(out, "`"+id.String()+"`")
	}
	return strings.Join(out, ", ")
}

// requests are the request classes of a grant, each on a line of its own if there
// are several.
func requests(matches []ir.Match) string {
	switch len(matches) {
	case 0:
		return "any request"
	case 1:
		return request(matches[0])
	}
	var b strings.Builder
	for _, match := range matches {
		b.WriteString("\n  - " + request(match))
	}
	return b.String()
}

// request is a request class in words: GET of path /x with header a.
func request(match ir.Match) string {
	out := "any method"
	if len(match.Methods) > 0 && !slices.Contains(match.Methods, "*") {
		out = strings.Join(match.Methods, ", ")
	}
	if match.Path == "" {
		out += " of any path"
	} else {
		out += " of `" + match.Path + "`"
	}
	for i, h := range match.Headers {
		word := ", "
		if i == 0 {
			word = " with "
		}
		out += word + "`" + h.Name + ": " + h.Regex + "`"
	}
	if _, name, ok := strings.Cut(match.Name, "#"); ok {
		out += " (" + name + ")"
	}
	return out
}

// describeRoutes tells of a route group, or of one of its matches, and who uses it.
func (m *model) describeRoutes(p *page, t thing) {
	o := m.index().objects[t.whole()]
	if o == nil {
		return
	}
	if o.HTTPRouteGroup != nil {
		if t.part != "" && !slices.ContainsFunc(o.HTTPRouteGroup.Matches, func(match syntax.HTTPMatch) bool { return match.Name == t.part }) {
			unknownMatch(p, o, t.part)
			return
		}
		for _, match := range o.HTTPRouteGroup.Matches {
			if t.part == "" || t.part == match.Name {
				p.line("- %s", written(match))
			}
		}
		p.line("")
	}
	m.users(p, t)
}

// unknownMatch tells of a match that its route group does not have, and which was meant.
func unknownMatch(p *page, o *syntax.Object, name string) {
	var names []string
	for _, match := range o.HTTPRouteGroup.Matches {
		names = append(names, match.Name)
	}
	p.line("Unknown: the route group has no match of this name.")
	if near := diag.Nearest(name, names); near != "" {
		p.line("\nPerhaps `%s`?", near)
	}
	p.line("\nIt has\n")
	list(p, names, func(s string) string { return "`" + s + "`" })
}

// users are the targets and splits that pick a route group or a match.
func (m *model) users(p *page, t thing) {
	var lines []string
	for _, o := range m.files.Objects {
		if o.Namespace != t.namespace {
			continue
		}
		if o.TrafficTarget != nil {
			for _, r := range o.TrafficTarget.Rules {
				if r.Kind == t.kind && r.Name == t.name && (t.part == "" || !r.HasMatches || slices.Contains(r.Matches, t.part)) {
					lines = append(lines, "`TrafficTarget/"+o.Namespace+"/"+o.Name+"`: "+m.oneLine(thingOf(o)))
				}
			}
		}
		if o.TrafficSplit != nil {
			for _, r := range o.TrafficSplit.Matches {
				if r.Kind == t.kind && r.Name == t.name {
					lines = append(lines, "`TrafficSplit/"+o.Namespace+"/"+o.Name+"`")
				}
			}
		}
	}
	if len(lines) == 0 {
		p.line("Nothing uses it.")
		return
	}
	p.line("Used by\n")
	list(p, lines, func(s string) string { return s })
}

// oneLine is who may call whom by a target.
func (m *model) oneLine(t thing) string {
	grants := m.grants(func(g *ir.Grant) bool { return strings.HasPrefix(g.Name, t.String()+"#") })
	if len(grants) == 0 {
		return "grants nothing"
	}
	return identities(grants[0].Sources) + " → `" + grants[0].Destination.Short() + "`"
}

func identities(ids []ir.Identity) string {
	var out []string
	for i, id := range ids {
		if i == 5 {
			out = append(out, fmt.Sprintf("%d more", len(ids)-i))
			break
		}
		out = append(out, "`"+id.Short()+"`")
	}
	return strings.Join(out, ", ")
}
