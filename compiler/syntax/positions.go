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
	doc  *source.Document
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
	n, key, _ := source.Find(p.root, path)
	return p.doc.Place(n, key, false)
}

// atKey is the span of a key.
func (p positions) atKey(path []any) diag.Span {
	if p.rendered != nil {
		return p.rendered.at(p.root, path, true)
	}
	if full := p.overlaid(path); full != nil {
		path = full
	}
	n, key, left := source.Find(p.root, path)
	return p.doc.Place(n, key, len(left) == 0)
}

// overlaid is the path of the value in the overlay, nil if it says nothing of it.
func (p positions) overlaid(path []any) []any {
	if p.overlay == nil || len(path) < 2 || path[0] != "spec" || path[1] == "environments" {
		return nil
	}
	full := append(append([]any{}, p.overlay...), path[1:]...)
	if _, _, left := source.Find(p.root, full); len(left) > 0 {
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
