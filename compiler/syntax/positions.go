package syntax

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// positions finds where the values of an object were written.
type positions struct {
	doc  *document
	root *yaml.Node
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
	n, key, _ := find(p.root, path)
	return p.doc.place(n, key, false)
}

// atKey is the span of a key.
func (p positions) atKey(path []any) diag.Span {
	if p.rendered != nil {
		return p.rendered.at(p.root, path, true)
	}
	if full := p.overlaid(path); full != nil {
		path = full
	}
	n, key, left := find(p.root, path)
	return p.doc.place(n, key, len(left) == 0)
}

// overlaid is the path of the value in the overlay, nil if it says nothing of it.
func (p positions) overlaid(path []any) []any {
	if p.overlay == nil || len(path) < 2 || path[0] != "spec" || path[1] == "environments" {
		return nil
	}
	full := append(append([]any{}, p.overlay...), path[1:]...)
	if _, _, left := find(p.root, full); len(left) > 0 {
		return nil
	}
	return full
}

// place is the span of a node that was found under a key (nil: a list entry or
// the root).
func (d *document) place(n, key *yaml.Node, wantKey bool) diag.Span {
	if d == nil || n == nil {
		return diag.Span{}
	}
	collection := n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle == 0
	empty := n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(quoted|block) == 0
	if key != nil && (wantKey || collection || empty) {
		return d.span(key)
	}
	return d.span(n)
}

// find walks down a path. It returns the last node on the way that exists, the
// key it stands under, and what is left of the path.
func find(n *yaml.Node, path []any) (node, key *yaml.Node, left []any) {
	for i, step := range path {
		k, v := step1(n, step)
		if v == nil {
			return n, key, path[i:]
		}
		n, key = v, k
	}
	return n, key, nil
}

// step1 is one step down: the key node (of a mapping) and the value.
func step1(n *yaml.Node, step any) (key, value *yaml.Node) {
	if n == nil {
		return nil, nil
	}
	switch s := step.(type) {
	case string:
		if n.Kind != yaml.MappingNode {
			return nil, nil
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == s {
				return n.Content[i], n.Content[i+1]
			}
		}
	case int:
		if n.Kind == yaml.SequenceNode && s >= 0 && s < len(n.Content) {
			return nil, n.Content[s]
		}
	}
	return nil, nil
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
