package syntax

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// patch is a document that may have changed the object: a partial object (a
// strategic merge patch), or a list of operations (JSON 6902).
type patch struct{ written }

// findPatches lists the patches of the kustomizations that touched the object.
func (r *rendering) findPatches(root *yaml.Node) []patch {
	var out []patch
	var files []string
	for _, t := range r.object.Transforms {
		if strings.HasPrefix(t.Kind, "Patch") && !slices.Contains(files, t.ConfiguredIn) {
			files = append(files, t.ConfiguredIn)
		}
	}
	for _, file := range files {
		for _, k := range r.lib.file(file) {
			for _, field := range []string{"patches", "patchesStrategicMerge", "patchesJson6902"} {
				_, list := source.Step(k.root, field)
				if list == nil {
					continue
				}
				for _, n := range list.Content {
					out = append(out, r.patchesOf(k, file, n, root)...)
				}
			}
		}
	}
	return out
}

// patchesOf reads one entry of `patches` (or of the older lists), if it may
// select the object.
func (r *rendering) patchesOf(k written, file string, n, root *yaml.Node) []patch {
	var docs []written
	beside := func(name string) []written { return r.lib.file(path.Join(path.Dir(file), name)) }
	inline := func(n *yaml.Node) []written {
		doc := source.Inline(k.doc, n)
		parts, _ := source.Split(doc.File, doc.Text, r.lib.tree.Limits.Documents)
		var out []written
		for _, p := range parts {
			p.First, p.Indent = p.First+doc.First, doc.Indent
			if inner, _ := p.Parse(); inner != nil {
				out = append(out, written{p, inner})
			}
		}
		return out
	}
	switch n.Kind {
	case yaml.ScalarNode:
		if docs = beside(n.Value); strings.Contains(n.Value, "\n") {
			docs = inline(n)
		}
	case yaml.MappingNode:
		if _, target := source.Step(n, "target"); target != nil && !r.selects(target, root) {
			return nil
		}
		if _, p := source.Step(n, "path"); p != nil {
			docs = beside(p.Value)
		}
		if _, p := source.Step(n, "patch"); p != nil {
			docs = append(docs, inline(p)...)
		}
	}
	var out []patch
	for _, d := range docs {
		_, target := source.Step(n, "target")
		if d.root.Kind == yaml.SequenceNode || target != nil || r.means(d.root, root) {
			out = append(out, patch{d})
		}
	}
	return out
}

// selects tells whether the target of a patch may be the object.
func (r *rendering) selects(target, root *yaml.Node) bool {
	fits := func(field string, values ...string) bool {
		want := head(target, field)
		if want == "" {
			return true
		}
		re, err := regexp.Compile("^(?:" + want + ")$")
		return err == nil && slices.ContainsFunc(values, re.MatchString)
	}
	names := []string{nameIn(root)}
	if r.base != nil {
		names = append(names, nameIn(r.base.root))
	}
	return fits("kind", head(root, "kind")) && fits("name", names...)
}

// means tells whether a strategic merge patch is one of the object.
func (r *rendering) means(p, root *yaml.Node) bool {
	if head(p, "kind") != head(root, "kind") {
		return false
	}
	name := nameIn(p)
	return name == nameIn(root) || r.base != nil && name == nameIn(r.base.root)
}

// inPatches finds the last patch that wrote the value at a path.
func (r *rendering) inPatches(root *yaml.Node, path []any, n *yaml.Node, key bool) (diag.Span, bool) {
	for _, p := range slices.Backward(r.patches) {
		if p.root.Kind == yaml.SequenceNode {
			if at, ok := p.operation(root, path, n, key); ok {
				return at, true
			}
			continue
		}
		m := follow(root, p.root, path)
		if len(path) > 0 && m.whole && m.sure && (equal(n, m.node) || n.Kind != yaml.ScalarNode) {
			return p.doc.Place(m.node, m.key, key), true
		}
	}
	return diag.Span{}, false
}

// operation finds the last operation of a JSON 6902 patch that wrote the value.
func (p patch) operation(root *yaml.Node, path []any, n *yaml.Node, key bool) (diag.Span, bool) {
	for _, op := range slices.Backward(p.root.Content) {
		pointer := strings.Split(strings.TrimPrefix(head(op, "path"), "/"), "/")
		k, value := source.Step(op, "value")
		if len(pointer) > len(path) || value == nil || !points(pointer, path) {
			continue
		}
		rendered, _, left := source.Find(root, path[:len(pointer)])
		if len(left) > 0 {
			continue
		}
		if pointer[len(pointer)-1] == "-" && !equal(rendered, value) && !named(rendered, value) {
			continue // another entry of the list
		}
		m := follow(rendered, value, path[len(pointer):])
		if !m.whole || !m.sure || !equal(n, m.node) {
			continue
		}
		if m.key == nil && len(pointer) == len(path) {
			m.key = k
		}
		return p.doc.Place(m.node, m.key, key), true
	}
	return diag.Span{}, false
}

// points tells whether a JSON pointer leads along a path.
func points(pointer []string, path []any) bool {
	for i, p := range pointer {
		p = strings.ReplaceAll(strings.ReplaceAll(p, "~1", "/"), "~0", "~")
		switch step := path[i].(type) {
		case string:
			if p != step {
				return false
			}
		case int:
			if p != "-" && p != strconv.Itoa(step) {
				return false
			}
		}
	}
	return true
}
