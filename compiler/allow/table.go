package allow

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// row adds a case to the table that asks most about the same service, in the order
// of tables; where there is none, to a new table beside meshc.yaml.
func (w *writer) row() {
	r := w.q.Request
	lines := []string{
		fmt.Sprintf("name: %s", scalar(w.title())),
		"from: " + scalar(r.From.Short()),
		"to: " + scalar(r.To.String()),
	}
	if r.HTTP == nil {
		lines = append(lines, "tcp: {}")
	} else {
		lines = append(lines, fmt.Sprintf("http: {method: %s, path: %s%s}", r.HTTP.Method, flow(r.HTTP.Path), headersOf(r.HTTP)))
	}
	lines = append(lines, "expect: allow")
	tables := slices.Clone(w.Tables)
	slices.SortStableFunc(tables, func(a, b *syntax.VerdictTable) int { return asks(b, r.To.String()) - asks(a, r.To.String()) })
	for _, t := range tables {
		if t.Object == nil {
			continue
		}
		if list := w.node(t.Object, "spec", "cases"); list != nil && w.insert(t.Object, list, lines) {
			return
		}
	}
	w.newTable(lines)
}

// headersOf are the headers of a case, as it writes them.
func headersOf(r *ir.HTTPRequest) string {
	var out []string
	for _, h := range r.Headers {
		out = append(out, flow(strings.ToLower(h.Name))+": "+flow(h.Value))
	}
	if len(out) == 0 {
		return ""
	}
	return ", headers: {" + strings.Join(out, ", ") + "}"
}

func (w *writer) title() string {
	r := w.q.Request
	if r.HTTP == nil {
		return fmt.Sprintf("%s may connect to %s", r.From.Short(), r.To)
	}
	title := fmt.Sprintf("%s may %s %s of %s", r.From.Short(), r.HTTP.Method, r.HTTP.Path, r.To.Service)
	for i, h := range r.HTTP.Headers {
		title += []string{" with ", " and "}[min(i, 1)] + strings.ToLower(h.Name) + " " + h.Value
	}
	return title
}

func asks(t *syntax.VerdictTable, to string) int {
	n := 0
	for _, c := range t.Cases {
		if c.To == to {
			n++
		}
	}
	return n
}

// flow writes a text inside braces.
func flow(s string) string {
	out := scalar(s)
	if out == s && slices.ContainsFunc([]byte(s), func(c byte) bool { return slices.Contains([]byte(",[]{}?:#&*!|>%@`'\""), c) }) {
		return fmt.Sprintf("%q", s)
	}
	return out
}

// newTable is a table beside meshc.yaml; without one nobody would run it.
func (w *writer) newTable(lines []string) {
	if w.Tree.Config == nil || len(w.Tables) > 0 {
		return
	}
	name := path.Join(path.Dir(w.Tree.Config.Path), "verdicts.yaml")
	if _, taken := w.Tree.Text(name); taken {
		return
	}
	text := "apiVersion: meshc.dev/v1alpha1\nkind: VerdictTable\nmetadata:\n  name: allowed\nspec:\n  cases:\n  - "
	for i, l := range lines {
		if i > 0 {
			text += "    "
		}
		text += l + "\n"
	}
	w.draft(name).tail = text
}

// NewFiles tells of a tree which of the files it did not have.
func NewFiles(tree *source.Tree, files []File) []string {
	var out []string
	for _, f := range files {
		if _, ok := tree.Text(f.Path); !ok {
			out = append(out, f.Path)
		}
	}
	return out
}
