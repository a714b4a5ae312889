package source

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// content is what a kustomization refers to: kustomize reads a folder anew for
// each reference to it, so a few of them that refer to one another twice are
// millions.
type content struct {
	files   int
	folders []string
	total   int // reads of all below it; counted when its references are
}

func (s *prescan) holding(dir string) *content {
	c := s.holds[dir]
	if c == nil {
		c = &content{}
		s.holds[dir] = c
	}
	return c
}

// bounded counts what kustomize would read for a kustomization, and refuses too
// much. What it refers to was counted before; in a circle, which kustomize refuses,
// one of them was not.
func (s *prescan) bounded(l layer) {
	c := s.holding(l.dir)
	c.total = 1 + c.files
	for _, dir := range c.folders {
		c.total = min(c.total+s.holding(dir).total, 2*s.l.opts.Limits.Reads)
	}
	if c.total > s.l.opts.Limits.Reads && !s.malformed {
		s.malformed = true
		s.report("MSH0014", diag.Span{File: s.p.name(l.file), Line: 1, Col: 1},
			"refer to each base once, and build the overlays one by one",
			"the kustomization reads more than %d files, counting each as often as it is referred to", s.l.opts.Limits.Reads)
	}
}

// nested looks into the texts of a document that are YAML themselves (patches in
// place): their aliases are followed by kustomize, too.
func (s *prescan) nested(doc *Document, n *yaml.Node) diag.List {
	if n.Kind == yaml.ScalarNode {
		if !strings.Contains(n.Value, "&") || !strings.Contains(n.Value, "*") {
			return nil
		}
		inner := Inline(doc, n)
		root, err := parseNode(inner.Text)
		if err != nil || root == nil || root.Kind == yaml.ScalarNode {
			return nil // text of another kind, or kustomize says what is wrong
		}
		if _, found, ok := Flatten(inner, root, s.l.opts.Limits); !ok {
			return found
		}
		return s.nested(inner, root)
	}
	var found diag.List
	for _, v := range n.Content {
		found.Add(s.nested(doc, v)...)
	}
	return found
}
