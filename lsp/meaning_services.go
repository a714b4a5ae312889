package lsp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// written is a match as its group has it.
func written(match syntax.HTTPMatch) string {
	out := "any method"
	if len(match.Methods) > 0 && !slices.Contains(match.Methods, "*") {
		out = strings.Join(match.Methods, ", ")
	}
	if match.PathRegex == "" {
		out += " of any path"
	} else {
		out += " of `" + match.PathRegex + "`"
	}
	for i, h := range match.Headers {
		word := ", "
		if i == 0 {
			word = " with "
		}
		out += word + "`" + h.Name + ": " + h.Regex + "`"
	}
	return out + " (" + match.Name + ")"
}

func (m *model) describeSplit(p *page, t thing) {
	i := slices.IndexFunc(m.result.Mesh.Splits, func(s ir.Split) bool { return s.Name == t.String() })
	if i < 0 {
		if m.index().objects[t] != nil {
			p.line("It splits nothing: what was found in it tells why.")
		}
		return
	}
	s := m.result.Mesh.Splits[i]
	p.line("Calls to `%s` go to\n\n| backend | weight | share |\n|---|---|---|", s.Root)
	var sum uint64
	for _, b := range s.Backends {
		sum += uint64(b.Weight)
	}
	for _, b := range s.Backends {
		share := "none"
		if b.Weight > 0 {
			share = fmt.Sprintf("%.4g %%", 100*float64(b.Weight)/float64(sum))
		}
		if b.Missing {
			share += ", answered with 503: no such service is known"
		}
		p.line("| `%s` | %s | %s |", b.Service, m.weight(t, b), share)
	}
	if len(s.Matches) > 0 {
		p.line("\nwhen they are\n")
		list(p, s.Matches, request)
		p.line("\nand to the root itself otherwise")
	}
}

// weight is a backend's as its split has it: the mesh knows the ratios alone.
func (m *model) weight(t thing, b ir.Backend) string {
	if o := m.index().objects[t]; o != nil {
		for i, w := range o.TrafficSplit.Backends {
			if short, _, _ := strings.Cut(w.Service, "."); short == b.Service.Name {
				if n, _, left := source.Find(o.Document(), o.PathTo("spec", "backends", i, "weight")); len(left) == 0 {
					return n.Value
				}
			}
		}
	}
	return fmt.Sprint(b.Weight)
}

func (m *model) describeService(p *page, t thing) {
	id := ir.ServiceID{Namespace: t.namespace, Name: t.name}
	s, ok := m.result.Mesh.Service(id)
	if !ok {
		return
	}
	switch {
	case s.Outside:
		p.line("Outside the mesh: its workloads have no proxy.\n")
	case len(s.Accounts) == 0:
		p.line("Nothing that is known backs it.\n")
	default:
		p.line("Backed by %s.\n", identities(s.Accounts))
	}
	if s.Headless {
		p.line("Headless: its pods are called by their own addresses.\n")
	}
	for _, port := range s.Ports {
		line := fmt.Sprintf("- port `%d`", port.Number)
		if port.Name != "" {
			line += " " + port.Name
		}
		line += ", " + string(port.Protocol)
		if port.TargetName != "" || port.TargetPort != 0 && port.TargetPort != port.Number {
			line += ", to " + cmp.Or(port.TargetName, fmt.Sprint(port.TargetPort))
		}
		if port.Plaintext {
			line += ", open to clients without a certificate"
		}
		p.line("%s", line)
	}
	m.splitsOf(p, id)
	p.line("")
	mode := m.result.Mesh.Namespace(t.namespace).Mode
	if mode != ir.Strict {
		p.line("Every identity of the mesh may call it: its namespace is %s.\n", mode)
	}
	m.callers(p, "May be called by", m.grants(func(g *ir.Grant) bool {
		return slices.ContainsFunc(g.Ports, func(port ir.PortID) bool { return port.Service == id })
	}), mode)
}

// splitsOf tells which splits a service has a part in.
func (m *model) splitsOf(p *page, id ir.ServiceID) {
	for _, s := range m.result.Mesh.Splits {
		if s.Root == id {
			p.line("- root of `%s`", s.Name)
		}
		if slices.ContainsFunc(s.Backends, func(b ir.Backend) bool { return b.Service == id }) {
			p.line("- backend of `%s`", s.Name)
		}
	}
}

func (m *model) callers(p *page, head string, grants []*ir.Grant, mode ir.Mode) {
	if len(grants) == 0 {
		if mode == ir.Strict {
			p.line("No target lets anybody call it.")
		}
		return
	}
	p.line("%s\n", head)
	list(p, grants, func(g *ir.Grant) string {
		return identities(g.Sources) + " on " + ports(g.Ports) + ": " + requests(g.HTTP)
	})
}

func (m *model) describeAccount(p *page, t thing) {
	mesh := m.result.Mesh
	id := ir.NewIdentity(mesh.Settings.TrustDomain, t.namespace, t.name)
	if !slices.Contains(mesh.Identities, id) && m.index().objects[t] == nil {
		return
	}
	p.line("`%s`\n", id)
	for _, r := range mesh.Roles {
		if r.Identity == id && len(r.Services) > 0 {
			var names []string
			for _, s := range r.Services {
				names = append(names, "`"+s.String()+"`")
			}
			p.line("Backs %s.\n", strings.Join(names, ", "))
		}
	}
	calls := m.grants(func(g *ir.Grant) bool { return slices.Contains(g.Sources, id) })
	if len(calls) == 0 {
		p.line("No target lets it call anything.\n")
	} else {
		p.line("May call\n")
		list(p, calls, func(g *ir.Grant) string {
			return "`" + g.Destination.Short() + "` on " + ports(g.Ports) + ": " + requests(g.HTTP)
		})
		p.line("")
	}
	m.callers(p, "May be called by", m.grants(func(g *ir.Grant) bool { return g.Destination == id }), mesh.Namespace(t.namespace).Mode)
}

func (m *model) describeNamespace(p *page, t thing) {
	n := m.result.Mesh.Namespace(t.name)
	services := 0
	for _, s := range m.result.Mesh.Services {
		if s.ID.Namespace == t.name {
			services++
		}
	}
	word := map[bool]string{true: "allowed", false: "denied"}
	p.line("- mode %s\n- egress %s\n- plaintext clients %s\n- services: %d", n.Mode, word[n.EgressAllowed], word[n.PlaintextAllowed], services)
}

// describeWorkload tells which identity a workload has and what it backs.
func (m *model) describeWorkload(p *page, t thing) {
	for _, w := range m.result.Inventory.Workloads {
		if w.Kind != t.kind || w.Namespace != t.namespace || w.Name != t.name {
			continue
		}
		if !w.Meshed {
			p.line("Outside the mesh.\n")
		}
		p.line("Runs as `%s`.\n", w.Identity.Short())
		for _, s := range w.Services {
			p.line("- backs `%s`", s)
		}
	}
}
