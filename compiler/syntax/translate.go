package syntax

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
)

// group is the API group of an apiVersion; "" is core.
func group(apiVersion string) string {
	g, _, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return ""
	}
	return g
}

// version is the part of an apiVersion behind the group.
func version(apiVersion string) string {
	_, v, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return apiVersion
	}
	return v
}

// topLevel tells whether a kind has its fields at the top in a version (row 2).
func topLevel(kind, apiVersion string) bool {
	v := version(apiVersion)
	switch kind {
	case "TrafficTarget":
		return v == "v1alpha1"
	case "HTTPRouteGroup", "TCPRoute":
		return v == "v1alpha1" || v == "v1alpha2"
	}
	return false
}

// translate makes the path in the object's own version of a path in the union.
func translate(o *Object, path []any) []any {
	out := append([]any{}, path...)
	if len(out) > 0 && out[0] == "spec" && topLevel(o.Kind, o.APIVersion) {
		out = out[1:]
		if len(out) > 0 && o.Kind == "TrafficTarget" && out[0] == "rules" {
			out[0] = "specs"
		}
	}
	if o.Kind == "HTTPRouteGroup" {
		out = translateHeader(o, out)
	}
	return out
}

// translateHeader finds the k-th header of a match, or the header of a name, in
// the form it was written in: a map, or a list of maps.
func translateHeader(o *Object, path []any) []any {
	at := -1
	for i, step := range path {
		if step == "headers" && i+1 < len(path) {
			at = i
		}
	}
	if at < 0 {
		return path
	}
	for k, h := range o.positions.headers(path[:at+1]) {
		if path[at+1] == any(k) || path[at+1] == h[len(h)-1] {
			return append(append([]any{}, path[:at+1]...), h...)
		}
	}
	return path
}

// headers are the paths, below that of `headers`, of the headers of a match.
func (p positions) headers(path []any) [][]any {
	if p.layout != nil {
		fields, _ := p.layout.Fields(path)
		return fields
	}
	n, _, left := source.Find(p.root, path)
	if len(left) > 0 {
		return nil
	}
	var out [][]any
	for _, h := range headerNodes(n) {
		out = append(out, h.path)
	}
	return out
}

// headerNode is a header as written, with its path below `headers`.
type headerNode struct {
	key, value *yaml.Node
	path       []any
}

// headerNodes lists the headers of a match in the order written.
func headerNodes(n *yaml.Node) []headerNode {
	var out []headerNode
	add := func(m *yaml.Node, prefix ...any) {
		for i := 0; i+1 < len(m.Content); i += 2 {
			path := append(append([]any{}, prefix...), m.Content[i].Value)
			out = append(out, headerNode{m.Content[i], m.Content[i+1], path})
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		add(n)
	case yaml.SequenceNode:
		for j, item := range n.Content {
			if item.Kind == yaml.MappingNode {
				add(item, j)
			}
		}
	}
	return out
}
