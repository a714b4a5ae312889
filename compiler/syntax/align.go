package syntax

import (
	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
)

// match is how far a path of the rendered object leads in another document.
type match struct {
	node, key *yaml.Node
	steps     int
	whole     bool // the whole path is there
	sure      bool // every list entry on the way was recognised by what names it
}

// follow walks down a path in two trees at once. Patches insert and move list
// entries, so an entry is recognised by its name, not by its place.
func follow(rendered, other *yaml.Node, path []any) match {
	m := match{node: other, sure: true}
	for _, step := range path {
		_, next := source.Step(rendered, step)
		var key, value *yaml.Node
		if i, ok := step.(int); ok {
			var sure bool
			value, sure = entry(m.node, rendered, i)
			m.sure = m.sure && sure
		} else {
			key, value = source.Step(m.node, step)
		}
		if value == nil {
			return m
		}
		m.node, m.key, rendered = value, key, next
		m.steps++
	}
	m.whole = true
	return m
}

// entry finds the entry of a list that is the i-th of the rendered one: with the
// same name, else equal, else (unsure) the one in the same place, if no other
// rendered entry is it.
func entry(list, rendered *yaml.Node, i int) (n *yaml.Node, sure bool) {
	if list == nil || list.Kind != yaml.SequenceNode || rendered == nil || i >= len(rendered.Content) {
		return nil, false
	}
	this := rendered.Content[i]
	if i < len(list.Content) && alike(list.Content[i], this) {
		return list.Content[i], true
	}
	for _, n := range list.Content {
		if alike(n, this) {
			return n, true
		}
	}
	if i >= len(list.Content) {
		return nil, false
	}
	for _, other := range rendered.Content {
		if alike(list.Content[i], other) {
			return nil, false
		}
	}
	return list.Content[i], false
}

func alike(a, b *yaml.Node) bool { return equal(a, b) || named(a, b) }

// identities are the fields that name entries of lists, the first that both have.
var identities = [][]string{{"kind", "name", "namespace"}, {"name"}, {"service"}, {"containerPort"}, {"port"}, {"ip"}, {"key"}}

// named tells whether two list entries have the same name.
func named(a, b *yaml.Node) bool {
	if a.Kind != yaml.MappingNode || b.Kind != yaml.MappingNode {
		return false
	}
	for _, fields := range identities {
		all, same := true, true
		for _, f := range fields {
			_, x := source.Step(a, f)
			_, y := source.Step(b, f)
			switch {
			case x == nil && y == nil && f == "namespace":
			case x == nil || y == nil:
				all = false
			case x.Value != y.Value:
				same = false
			}
		}
		if all {
			return same
		}
	}
	return false
}

// equal compares values; the order of map entries and quotation marks do not count.
func equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case yaml.ScalarNode:
		return a.Value == b.Value
	case yaml.SequenceNode:
		if len(a.Content) != len(b.Content) {
			return false
		}
		for i := range a.Content {
			if !equal(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return true
	case yaml.MappingNode:
		if len(a.Content) != len(b.Content) {
			return false
		}
		for i := 0; i+1 < len(a.Content); i += 2 {
			_, v := source.Step(b, a.Content[i].Value)
			if v == nil || !equal(a.Content[i+1], v) {
				return false
			}
		}
		return true
	}
	return false
}
