package syntax

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// positions finds where the values of an object were written.
type positions struct {
	doc *source.Document
	// root is nil where layout says it all.
	root   *yaml.Node
	layout *source.Layout
	// overlay is a path whose values lie over those of `spec`: the environment of a
	// meshc.yaml. nil: none.
	overlay []any
	// rendered is set for an object of a kustomization; doc and root are then the
	// rendered text, which no span may point into.
	rendered *rendering
}

// at is the span of a value. A map or list in block style is where its key
// stands: nobody looks for `rules` two lines below the word.
func (p positions) at(path []any) diag.Span {
	if p.rendered != nil {
		return p.rendered.at(p.root, path, false)
	}
	if full := p.overlaid(path); full != nil {
		path = full
	}
	return p.place(path, false)
}

// atKey is the span of a key.
func (p positions) atKey(path []any) diag.Span {
	if p.rendered != nil {
		return p.rendered.at(p.root, path, true)
	}
	if full := p.overlaid(path); full != nil {
		path = full
	}
	return p.place(path, true)
}

func (p positions) place(path []any, key bool) diag.Span {
	if p.layout != nil {
		return p.doc.PlaceIn(p.layout, path, key)
	}
	n, k, left := source.Find(p.root, path)
	return p.doc.Place(n, k, key && len(left) == 0)
}

// nodes is the document as it is written, nil if there is none.
func (p positions) nodes() *yaml.Node {
	if p.layout != nil {
		return p.layout.Nodes()
	}
	return p.root
}

// borrowed is nodes for a while: nothing may hold on to a node once they are given back.
func (p positions) borrowed() (root *yaml.Node, back func()) {
	if p.layout != nil {
		return p.layout.Borrow()
	}
	return p.root, func() {}
}

// overlaid is the path of the value in the overlay, nil if it says nothing of it.
func (p positions) overlaid(path []any) []any {
	if p.overlay == nil || len(path) < 2 || path[0] != "spec" || path[1] == "environments" {
		return nil
	}
	full := append(append([]any{}, p.overlay...), path[1:]...)
	there := false
	if p.layout != nil {
		there = p.layout.Has(full)
	} else {
		_, _, left := source.Find(p.root, full)
		there = len(left) == 0
	}
	if !there {
		return nil
	}
	return full
}

// pathText writes a path as findings show it: spec.rules[0].name.
func pathText(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch s := step.(type) {
		case int:
			b.WriteString("[" + strconv.Itoa(s) + "]")
		case string:
			if strings.ContainsAny(s, "./[]") {
				b.WriteString("[" + strconv.Quote(s) + "]")
				continue
			}
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s)
		}
	}
	return b.String()
}
