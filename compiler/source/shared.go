package source

import (
	"bytes"
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
	return NewSharing(name, data, limits).By(edit)
}

// Sharing answers SharedBy for many edits of one text, which it reads once. It is for
// one goroutine.
type Sharing struct {
	limits Limits
	docs   []*shares // none of a text without anchors
}

// Sharings are those of files, each taken apart once as long as its text stays.
type Sharings map[string]sharingOf

type sharingOf struct {
	data []byte
	*Sharing
}

// By is SharedBy for an edit of a file that holds data now.
func (s Sharings) By(data []byte, edit diag.Span, limits Limits) *Shared {
	if held, ok := s[edit.File]; !ok || !bytes.Equal(held.data, data) {
		s[edit.File] = sharingOf{data, NewSharing(edit.File, data, limits)}
	}
	return s[edit.File].By(edit)
}

// shares is what one document repeats.
type shares struct {
	*Document
	read     bool
	repeated []anchored
	flat     *yaml.Node // with its aliases written out; nil: it cannot be
}

// NewSharing takes a text apart.
func NewSharing(name string, data []byte, limits Limits) *Sharing {
	s := &Sharing{limits: limits.withDefaults()}
	if !anchorMark.Match(data) {
		return s
	}
	text, _ := Clean(name, data)
	docs, _ := Split(name, text, s.limits.Documents)
	for _, doc := range docs {
		s.docs = append(s.docs, &shares{Document: doc})
	}
	return s
}

// By is SharedBy for one edit.
func (s *Sharing) By(edit diag.Span) *Shared {
	for i, doc := range s.docs {
		if doc.First < edit.Line && (i+1 == len(s.docs) || edit.Line <= s.docs[i+1].First) {
			return doc.by(edit, s.limits)
		}
	}
	return nil
}

// anchorMark is what an anchor begins with. Before it may stand anything: {"a":&x 1}.
var anchorMark = regexp.MustCompile(`&\S`)

// spot is a line and a column of a document, from 1.
type spot struct{ line, col int }

func (a spot) before(b spot) bool { return a.line < b.line || a.line == b.line && a.col < b.col }

func (d *shares) by(edit diag.Span, limits Limits) *Shared {
	if !d.read {
		root, _ := d.Parse()
		d.read, d.repeated = true, repeated(root)
		if again, _ := d.Parse(); len(d.repeated) > 0 {
			if flat, _, ok := Flatten(d.Document, again, limits); ok {
				d.flat = flat
			}
		}
	}
	from, to := spot{edit.Line - d.First, edit.Col}, spot{edit.EndLine - d.First, edit.EndCol}
	if edit.EndLine == 0 {
		to = from
	}
	var inner *yaml.Node
	for _, r := range d.repeated {
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
	return &Shared{Anchor: inner.Anchor, At: d.Span(inner), Uses: d.uses(inner, from)}
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
func (d *shares) uses(anchor *yaml.Node, from spot) int {
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
	if d.flat == nil {
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
	count(d.flat)
	return uses
}
