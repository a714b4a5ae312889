package source

import (
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// Shared is a text that stands for several values: it lies below an anchor that aliases
// or merge keys repeat.
type Shared struct {
	Anchor string
	At     diag.Span
	// Uses counts the values that an edit of the text would change. 0: it takes the
	// anchor away, or cannot be told.
	Uses int
}

// SharedBy tells what an edit of a file changes at once besides the place it is made at;
// nil: nothing.
func SharedBy(name string, data []byte, edit diag.Span, limits Limits) *Shared {
	if !anchorMark.Match(data) {
		return nil
	}
	limits = limits.withDefaults()
	text, _ := Clean(name, data)
	docs, _ := Split(name, text, limits.Documents)
	for i, doc := range docs {
		if doc.First < edit.Line && (i+1 == len(docs) || edit.Line <= docs[i+1].First) {
			return doc.shared(edit, limits)
		}
	}
	return nil
}

// anchorMark is what an anchor begins with. Before it may stand anything: {"a":&x 1}.
var anchorMark = regexp.MustCompile(`&\S`)

// spot is a line and a column of a document, from 1.
type spot struct{ line, col int }

func (a spot) before(b spot) bool { return a.line < b.line || a.line == b.line && a.col < b.col }

func (d *Document) shared(edit diag.Span, limits Limits) *Shared {
	root, _ := d.Parse()
	from, to := spot{edit.Line - d.First, edit.Col}, spot{edit.EndLine - d.First, edit.EndCol}
	if edit.EndLine == 0 {
		to = from
	}
	var inner *yaml.Node
	for _, r := range repeated(root) {
		at := spot{r.anchor.Line, r.anchor.Column}
		if at.before(from) && !d.end(r.anchor).before(from) {
			inner = r.anchor // an anchor within another comes later
		}
		if at.before(from) || !at.before(to) {
			continue
		}
		for _, alias := range r.aliases {
			if a := (spot{alias.Line, alias.Column}); a.before(from) || !a.before(to) {
				return &Shared{Anchor: r.anchor.Anchor, At: d.Span(r.anchor)}
			}
		}
	}
	if inner == nil {
		return nil
	}
	return &Shared{Anchor: inner.Anchor, At: d.Span(inner), Uses: d.uses(inner, from, limits)}
}

// anchored is a node with an anchor, and what repeats it.
type anchored struct {
	anchor  *yaml.Node
	aliases []*yaml.Node
}

// repeated are the nodes with an anchor that something repeats, in order of position.
func repeated(root *yaml.Node) []anchored {
	var out []anchored
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode {
			if i := slices.IndexFunc(out, func(a anchored) bool { return a.anchor == n.Alias }); i >= 0 {
				out[i].aliases = append(out[i].aliases, n)
			}
			return
		}
		if n.Anchor != "" {
			out = append(out, anchored{anchor: n})
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	if root != nil {
		walk(root)
	}
	return slices.DeleteFunc(out, func(a anchored) bool { return len(a.aliases) == 0 })
}

// end is behind the last character of a node that is known of.
func (d *Document) end(n *yaml.Node) spot {
	s := d.Span(n)
	at := spot{s.Line - d.First, s.EndCol - d.Indent}
	for _, c := range n.Content {
		if e := d.end(c); at.before(e) {
			at = e
		}
	}
	return at
}

// uses counts how often the document, with its aliases written out, holds the node of
// an anchor that an edit is about: the first in its line, or the last before it.
func (d *Document) uses(anchor *yaml.Node, from spot, limits Limits) int {
	about := anchor
	var find func(*yaml.Node)
	find = func(n *yaml.Node) {
		at := spot{n.Line, n.Column}
		if from.col == 1 && n.Line == from.line && about.Line != from.line || !from.before(at) && (spot{about.Line, about.Column}).before(at) {
			about = n
		}
		if n.Kind != yaml.AliasNode {
			for _, c := range n.Content {
				find(c)
			}
		}
	}
	find(anchor)
	again, _ := d.Parse()
	flat, _, ok := Flatten(d, again, limits)
	if !ok {
		return 0
	}
	uses := 0
	var count func(*yaml.Node)
	count = func(n *yaml.Node) {
		if n.Line == about.Line && n.Column == about.Column && n.Kind == about.Kind {
			uses++
		}
		for _, c := range n.Content {
			count(c)
		}
	}
	count(flat)
	return uses
}
