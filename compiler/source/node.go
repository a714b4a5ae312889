package source

import (
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// Place is the span of a node that was found under a key (nil: a list entry or
// the root).
func (d *Document) Place(n, key *yaml.Node, wantKey bool) diag.Span {
	if d == nil || n == nil {
		return diag.Span{}
	}
	collection := n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle == 0
	empty := n.Kind == yaml.ScalarNode && n.Value == "" && n.Style&(quoted|block) == 0
	if key != nil && (wantKey || collection || empty) {
		return d.Span(key)
	}
	return d.Span(n)
}

// Find walks down a path. It returns the last node on the way that exists, the
// key it stands under, and what is left of the path.
func Find(n *yaml.Node, path []any) (node, key *yaml.Node, left []any) {
	for i, step := range path {
		k, v := Step(n, step)
		if v == nil {
			return n, key, path[i:]
		}
		n, key = v, k
	}
	return n, key, nil
}

// Step is one step down: the key node (of a mapping) and the value.
func Step(n *yaml.Node, step any) (key, value *yaml.Node) {
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

// IsBoolWord tells whether YAML 1.1 reads a plain word as a boolean and YAML 1.2
// does not.
func IsBoolWord(s string) bool {
	if len(s) == 0 || len(s) > 3 {
		return false
	}
	switch s {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return true
	}
	return false
}

// BoolWord is the finding of such a word where text is wanted.
func BoolWord(at diag.Span, word string) diag.Finding {
	return diag.New("MSH0111", at, "Kubernetes reads %s without quotation marks as a boolean, and text is wanted here", word).
		WithHelp("put it in quotation marks: %q", word).
		WithFix("put it in quotation marks", diag.Edit{Span: at, NewText: strconv.Quote(word)})
}
