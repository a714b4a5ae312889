package lab

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Difference is one thing that a mesh lets happen and the other does not.
type Difference struct {
	Gained bool   // in the newer mesh
	Text   string // "bookthief/bookthief may GET /buy at bookstore/bookstore:14001"
	By     string // the object that says so
}

// String is a line with + or - before it.
func (d Difference) String() string {
	sign := "-"
	if d.Gained {
		sign = "+"
	}
	if d.By == "" {
		return sign + " " + d.Text
	}
	return sign + " " + d.Text + "  (" + d.By + ")"
}

// Differences says in terms of verdicts how a mesh differs from an earlier one.
func Differences(before, after *ir.Mesh) []Difference {
	old, now := statements(before), statements(after)
	var out []Difference
	for _, text := range slices.Sorted(maps.Keys(old)) {
		if _, ok := now[text]; !ok {
			out = append(out, Difference{false, text, old[text]})
		}
	}
	for _, text := range slices.Sorted(maps.Keys(now)) {
		if _, ok := old[text]; !ok {
			out = append(out, Difference{true, text, now[text]})
		}
	}
	return out
}

// statements are all a mesh says, each with the object that says it first.
func statements(m *ir.Mesh) map[string]string {
	out := map[string]string{}
	say := func(by, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if _, ok := out[text]; !ok {
			out[text] = by
		}
	}
	if m == nil {
		return out
	}
	for _, g := range m.Grants {
		for _, source := range g.Sources {
			for _, port := range g.Ports {
				for _, what := range allowed(m, g, port) {
					say(g.Name, "%s may %s at %s", source.Short(), what, port)
				}
			}
		}
	}
	for _, s := range m.Splits {
		say(s.Name, "calls to %s%s go %s", s.Root, matching(s), shares(s.Backends))
	}
	for _, n := range append(slices.Clone(m.Namespaces), ir.Namespace{Mode: m.Settings.Mode, PlaintextAllowed: m.Settings.PlaintextAllowed, EgressAllowed: m.Settings.EgressAllowed}) {
		where := "the mesh"
		if n.Name != "" {
			where = "namespace " + n.Name
		}
		say("", "%s is in %s mode, with plaintext %s and egress %s", where, n.Mode, onOff(n.PlaintextAllowed), onOff(n.EgressAllowed))
	}
	return out
}

func onOff(allowed bool) string {
	if allowed {
		return "allowed"
	}
	return "denied"
}

// allowed says what a grant lets one do at a port.
func allowed(m *ir.Mesh, g ir.Grant, id ir.PortID) []string {
	if s, ok := m.Service(id.Service); ok {
		if p, ok := s.Port(id.Port); ok && !p.Protocol.IsHTTP() {
			return []string{"connect"}
		}
	}
	if len(g.HTTP) == 0 {
		return []string{"send any request"}
	}
	out := make([]string, len(g.HTTP))
	for i, match := range g.HTTP {
		out[i] = describe(match)
	}
	return out
}

// describe reads "GET ^/buy with client-app ~ bookbuyer".
func describe(m ir.Match) string {
	methods, path := "send any method to", "any path"
	if len(m.Methods) > 0 {
		methods = strings.Join(m.Methods, ", ")
	}
	if m.Path != "" {
		path = searched(m.Path)
	}
	text := methods + " " + path
	for _, h := range m.Headers {
		text += " with " + h.Name + " ~ " + h.Regex
	}
	return text
}

// searched is an expression that must match a whole path as one that is searched
// for, which is how people write them: (?:R).* is ^R.
func searched(full string) string {
	if inner, ok := strings.CutPrefix(full, "(?:"); ok {
		if inner, ok = strings.CutSuffix(inner, ").*"); ok && !strings.ContainsAny(inner, "|()") {
			return "^" + inner
		}
	}
	return "^" + full + "$"
}

func matching(s ir.Split) string {
	if len(s.Matches) == 0 {
		return ""
	}
	out := make([]string, len(s.Matches))
	for i, m := range s.Matches {
		out[i] = describe(m)
	}
	return " that " + strings.Join(out, " or ")
}

func shares(backends []ir.Backend) string {
	var sum uint64
	for _, b := range backends {
		sum += uint64(b.Weight)
	}
	out := make([]string, len(backends))
	for i, b := range backends {
		percent := 0.0
		if sum > 0 {
			percent = 100 * float64(b.Weight) / float64(sum)
		}
		out[i] = fmt.Sprintf("%.4g%% to %s", percent, b.Service.Name)
	}
	return strings.Join(out, ", ")
}
