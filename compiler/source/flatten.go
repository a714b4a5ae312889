package source

import (
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// flattener follows aliases and merge keys, so that decoding meets plain maps,
// lists and scalars only, and reports duplicate keys on the way.
type flattener struct {
	doc    *Document
	limits Limits
	found  diag.List
	nodes  int
	stop   bool // a limit was hit; nothing more is said of the document
	active map[*yaml.Node]bool
}

// mostFaults is how many faults of one document are shown.
const mostFaults = 200

// Flatten gives the document without aliases; ok is false when a limit was hit.
func Flatten(doc *Document, root *yaml.Node, limits Limits) (n *yaml.Node, found diag.List, ok bool) {
	f := &flattener{doc: doc, limits: limits}
	n = f.walk(root, 0, false)
	return n, f.found, !f.stop
}

// walk flattens a node. Under an alias it works on copies: the anchor's own
// nodes belong to the place where they are written.
func (f *flattener) walk(n *yaml.Node, depth int, copied bool) *yaml.Node {
	if f.stop {
		return n
	}
	if f.nodes++; f.nodes > f.limits.Nodes {
		f.limit("MSH0021", n, "the aliases of this document expand to more than a million values", "write the values out")
		return n
	}
	if depth > f.limits.Depth {
		f.limit("MSH0020", n, "this value is nested too deep", "no manifest nests deeper than 100 levels")
		return n
	}
	if len(f.found) >= mostFaults {
		f.stop = true
		last := &f.found[len(f.found)-1]
		*last = last.WithEffect("nothing in this document was read: it has more faults than are shown")
		return n
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.alias(n, depth)
	case yaml.MappingNode, yaml.SequenceNode:
		if copied {
			c := *n
			c.Content = slices.Clone(n.Content)
			n = &c
		}
		for i := range n.Content {
			n.Content[i] = f.walk(n.Content[i], depth+1, copied)
		}
		if n.Kind == yaml.MappingNode {
			f.mapping(n)
		}
	}
	return n
}

func (f *flattener) limit(code diag.Code, n *yaml.Node, message, help string) {
	f.stop = true
	f.found.Add(diag.New(code, f.doc.Span(n), "%s", message).WithHelp("%s", help).
		WithEffect("nothing in this document was read"))
}

func (f *flattener) alias(n *yaml.Node, depth int) *yaml.Node {
	if n.Alias == nil || f.active[n.Alias] {
		f.limit("MSH0021", n, "the alias *"+n.Value+" stands inside its own anchor", "write the value out")
		return n
	}
	if f.active == nil {
		f.active = map[*yaml.Node]bool{}
	}
	f.active[n.Alias] = true
	defer delete(f.active, n.Alias)
	return f.walk(n.Alias, depth, true)
}

// mapping merges `<<` and reports keys that stand twice.
func (f *flattener) mapping(n *yaml.Node) {
	f.merge(n)
	var seen map[string]*yaml.Node
	if len(n.Content) > 32 {
		seen = make(map[string]*yaml.Node, len(n.Content)/2)
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if k.Kind != yaml.ScalarNode {
			f.found.Add(diag.New("MSH0102", f.doc.Span(k), "a key must be text, not a map or a list").
				WithHelp("a `{` or `[` at the start of a key opens a map or a list; put the key in quotation marks if it belongs to it"))
			continue
		}
		f.keyWord(k)
		var prior *yaml.Node
		if seen != nil {
			prior = seen[k.Value]
			seen[k.Value] = k
		} else {
			for j := 0; j < i && prior == nil; j += 2 {
				if n.Content[j].Value == k.Value && n.Content[j].Kind == yaml.ScalarNode {
					prior = n.Content[j]
				}
			}
		}
		if prior != nil {
			f.found.Add(diag.New("MSH0103", f.doc.Span(k), "%q stands twice in this map", k.Value).
				WithRelated(f.doc.Span(prior), "it is already here").
				WithHelp("delete one of the two"))
		}
	}
}

// keyWord reports a key that Kubernetes would read as true or false.
func (f *flattener) keyWord(k *yaml.Node) {
	if k.Style == 0 && k.Tag == "!!str" && IsBoolWord(k.Value) {
		f.found.Add(BoolWord(f.doc.Span(k), k.Value))
	}
}

// merge replaces `<<: *anchor` by the entries it brings.
func (f *flattener) merge(n *yaml.Node) {
	at := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Tag == "!!merge" {
			at = i
			break
		}
	}
	if at < 0 {
		return
	}
	from := []*yaml.Node{n.Content[at+1]}
	if from[0].Kind == yaml.SequenceNode {
		from = from[0].Content
	}
	key := n.Content[at]
	n.Content = slices.Delete(n.Content, at, at+2)
	has := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		has[n.Content[i].Value] = true
	}
	for _, m := range from {
		if m.Kind != yaml.MappingNode {
			f.found.Add(diag.New("MSH0102", f.doc.Span(key), "`<<` merges maps, and this is none").
				WithHelp("write `<<: *anchor`, where the anchor names a map"))
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if k := m.Content[i]; !has[k.Value] {
				has[k.Value] = true
				n.Content = append(n.Content, k, m.Content[i+1])
			}
		}
	}
}
