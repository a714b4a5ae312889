package main

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/source"
)

// waiverMark begins a waiver that stands in a manifest, as a comment.
const waiverMark = "meshc:waive"

// waiversIn finds the waivers of a file: those of objects of kind Waivers, and those
// that stand as comments.
func waiversIn(j *diff.Judging, tree *source.Tree, name string, data []byte) {
	if !bytes.Contains(data, []byte("Waivers")) && !bytes.Contains(data, []byte(waiverMark)) {
		return
	}
	text, _ := source.Clean(name, data)
	docs, _ := source.Split(name, text, tree.Limits.Documents)
	for _, doc := range docs {
		root, _ := doc.Parse()
		if kind := field(root, "kind"); kind != nil && kind.Value == "Waivers" {
			waiverObject(j, doc, root)
		}
		if bytes.Contains(doc.Text, []byte(waiverMark)) {
			waiverComments(j, doc, root)
		}
	}
}

func waiverObject(j *diff.Judging, doc *source.Document, root *yaml.Node) {
	if list := field(field(root, "spec"), "waivers"); list != nil {
		for _, one := range list.Content {
			at := doc.Span(one)
			j.Waivers[line(one)] = diff.Written{Cause: diff.Cause{Name: "waiver", File: doc.File, Line: at.Line, Col: at.Col}}
		}
	}
}

// waiverComments finds the comments. Each is told with the object and the setting
// it stands by: moved elsewhere it is another one.
func waiverComments(j *diff.Judging, doc *source.Document, root *yaml.Node) {
	lines := strings.Split(string(doc.Text), "\n")
	for i, text := range lines {
		before, waiver, marked := strings.Cut(text, waiverMark)
		before, comment := strings.CutSuffix(strings.TrimRight(before, " \t"), "#")
		if !marked || !comment {
			continue
		}
		col, next := len([]rune(before))+1, i
		for before = strings.TrimSpace(before); before == "" && next+1 < len(lines); {
			next++
			before, _, _ = strings.Cut(lines[next], "#")
			before = strings.TrimSpace(before)
		}
		key := fmt.Sprintf("%s at %q of %s in %s", strings.TrimSpace(waiver), before, objectAt(root, next+1), path.Base(doc.File))
		for _, again := j.Waivers[key]; again; _, again = j.Waivers[key] {
			key += ", once more"
		}
		at := doc.Point(i+1, col)
		j.Waivers[key] = diff.Written{Cause: diff.Cause{Name: "waiver", File: doc.File, Line: at.Line, Col: at.Col}}
	}
}

// objectAt is the object that a line of a document is of, as Kind/NAMESPACE/NAME; of
// a List, the item.
func objectAt(root *yaml.Node, line int) string {
	if items := field(root, "items"); items != nil && items.Kind == yaml.SequenceNode {
		for _, item := range items.Content {
			if item.Kind == yaml.MappingNode && item.Line <= line {
				root = item
			}
		}
	}
	var parts []string
	for _, n := range []*yaml.Node{field(root, "kind"), field(field(root, "metadata"), "namespace"), field(field(root, "metadata"), "name")} {
		if n != nil && n.Value != "" {
			parts = append(parts, n.Value)
		}
	}
	return strings.Join(parts, "/")
}
