package syntax

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// transformer says which values a step of kustomize changes, and the keys of the
// kustomization that hold it.
type transformer struct {
	kind    string
	changes func(path []any) bool
	keys    []string
}

func endsIn(fields ...string) func([]any) bool {
	return func(path []any) bool {
		last, ok := path[len(path)-1].(string)
		return ok && slices.Contains(fields, last)
	}
}

func passes(fields ...string) func([]any) bool {
	return func(path []any) bool {
		return slices.ContainsFunc(path, func(step any) bool {
			s, ok := step.(string)
			return ok && slices.Contains(fields, s)
		})
	}
}

// naming changes names and what refers to them.
var naming = endsIn("name", "serviceName", "serviceAccountName", "serviceAccount", "service", "claimName", "secretName")

var transformers = []transformer{
	{"NamespaceTransformer", endsIn("namespace"), []string{"namespace"}},
	{"PrefixTransformer", naming, []string{"namePrefix"}},
	{"SuffixTransformer", naming, []string{"nameSuffix"}},
	{"PrefixSuffixTransformer", naming, []string{"namePrefix", "nameSuffix"}},
	{"LabelTransformer", passes("labels", "matchLabels", "selector"), []string{"commonLabels", "labels"}},
	{"AnnotationsTransformer", passes("annotations"), []string{"commonAnnotations"}},
	{"ImageTagTransformer", endsIn("image"), []string{"images", "imageTags"}},
	{"ReplicaCountTransformer", endsIn("replicas"), []string{"replicas"}},
	{"ReplacementTransformer", func([]any) bool { return true }, []string{"replacements"}},
}

// inKustomization finds the key of the kustomization whose step made the value:
// the last step that changes such values.
func (r *rendering) inKustomization(path []any, n *yaml.Node) (diag.Span, bool) {
	if len(path) == 0 || n.Kind != yaml.ScalarNode {
		return diag.Span{}, false
	}
	for _, step := range slices.Backward(r.object.Transforms) {
		for _, t := range transformers {
			if t.kind != step.Kind || !t.changes(path) {
				continue
			}
			for _, k := range r.lib.file(step.ConfiguredIn) {
				if at, ok := t.in(k, path, n); ok {
					return at, true
				}
			}
		}
	}
	return diag.Span{}, false
}

// in finds the key in one kustomization file.
func (t transformer) in(k written, path []any, n *yaml.Node) (diag.Span, bool) {
	last, _ := path[len(path)-1].(string)
	for _, field := range t.keys {
		key, value := source.Step(k.root, field)
		switch {
		case value == nil:
		case field == "replacements":
			if target := fieldPath(value, last); target != nil {
				return k.doc.Span(target), true
			}
		case strings.HasPrefix(field, "common") || field == "labels":
			if k2, v := pair(value, last, n.Value); v != nil {
				return k.doc.Place(v, k2, false), true
			}
		case field == "namespace" && value.Value != n.Value:
		case strings.HasPrefix(field, "name") && !strings.Contains(n.Value, value.Value):
		default:
			return k.doc.Place(value, key, false), true
		}
	}
	return diag.Span{}, false
}

// fieldPath is the entry of `fieldPaths` that names a field; for a replacement in
// a file of its own, the entry that names the file.
func fieldPath(n *yaml.Node, last string) *yaml.Node {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "path" && c.Kind == yaml.ScalarNode {
			return c
		}
		if n.Kind == yaml.MappingNode && i%2 == 1 && n.Content[i-1].Value == "fieldPaths" {
			for _, p := range c.Content {
				if last != "" && (p.Value == last || strings.HasSuffix(p.Value, "."+last)) {
					return p
				}
			}
		}
		if found := fieldPath(c, last); found != nil {
			return found
		}
	}
	return nil
}

// pair finds `key: value` anywhere below a label or annotation field.
func pair(n *yaml.Node, key, value string) (k, v *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		if k, v := source.Step(n, key); v != nil && v.Value == value && v.Kind == yaml.ScalarNode {
			return k, v
		}
	}
	for _, c := range n.Content {
		if k, v := pair(c, key, value); v != nil {
			return k, v
		}
	}
	return nil, nil
}
