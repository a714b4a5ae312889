package syntax

import (
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
)

// Edits of what was written, for fixes. Paths are as in At. ok is false where the
// place is none that one edit changes surely: a value that a kustomization made, a
// text of several lines, an entry that shares its line with others.

// Replace gives a text value another text, in the style of quotation it has.
func (o *Object) Replace(path []any, value string) (e diag.Edit, ok bool) {
	n, _, ok := o.written(path)
	if !ok || n.Kind != yaml.ScalarNode || n.Value == value || strings.ContainsAny(value, "\r\n") {
		return e, false
	}
	if len(path) == 1 && path[0] == "apiVersion" && !o.sameIn(value) {
		return e, false
	}
	var text string
	switch {
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return e, false
	case n.Style&yaml.SingleQuotedStyle != 0:
		text = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case n.Style&yaml.DoubleQuotedStyle != 0:
		text = strconv.Quote(value)
	case plainly(value):
		text = value
	default:
		text = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	at := o.At(path...)
	if !o.oneLine(n, at) {
		return e, false
	}
	return diag.Edit{Span: at, NewText: text}, true
}

// Rename is Replace of a value that is just a name, which may be part of a longer
// text: then it is not ok.
func (o *Object) Rename(path []any, from, to string) (e diag.Edit, ok bool) {
	n, _, ok := o.written(path)
	if !ok || n.Value != from {
		return e, false
	}
	return o.Replace(path, to)
}

// sameIn tells whether the object, as it is written, means the same in another
// version of its kind.
func (o *Object) sameIn(apiVersion string) bool {
	root := *o.positions.nodes()
	root.Content = append([]*yaml.Node{}, root.Content...)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "apiVersion" {
			v := *root.Content[i+1]
			v.Value = apiVersion
			root.Content[i+1] = &v
		}
	}
	var r result
	j := job{tree: source.FromMap(nil), doc: o.positions.doc, namespace: o.Namespace}
	j.object(&r, &root)
	if len(r.objects) != 1 || r.found.HasErrors() || o.Invalid {
		return false
	}
	a, b := *o, *r.objects[0]
	for _, x := range []*Object{&a, &b} {
		x.APIVersion, x.positions, x.NamespaceBy = "", positions{}, ""
	}
	return reflect.DeepEqual(a, b)
}

// oneLine tells whether the span of a scalar holds it whole.
func (o *Object) oneLine(n *yaml.Node, at diag.Span) bool {
	line := []rune(o.lines()[n.Line-1])
	from := n.Column - 1
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		from = at.Col - 1 // behind these
	}
	to := from + at.EndCol - at.Col
	if from < 0 || to > len(line) {
		return false
	}
	var again yaml.Node
	err := yaml.Unmarshal([]byte(string(line[from:to])), &again)
	return err == nil && len(again.Content) == 1 && again.Content[0].Value == n.Value
}

// plainly tells whether a text without quotation marks is read as that text,
// within brackets too.
func plainly(s string) bool {
	var n yaml.Node
	if strings.ContainsAny(s, ",[]{}#&*!|>'\"%@`") || source.IsBoolWord(s) || yaml.Unmarshal([]byte("[{k: "+s+"}]"), &n) != nil {
		return false
	}
	_, v := source.Step(n.Content[0].Content[0], "k")
	return v != nil && v.Kind == yaml.ScalarNode && v.Tag == "!!str" && v.Value == s
}

// Remove takes out an entry of a list, or a field of a map, with all that is below
// it. The last entry of a list or map is not taken: an empty list means something else.
func (o *Object) Remove(path []any) (e diag.Edit, ok bool) {
	n, key, ok := o.written(path)
	if !ok || len(path) == 0 {
		return e, false
	}
	up, _, _ := o.written(path[:len(path)-1])
	first := n.Line - 1
	if key != nil {
		first = key.Line - 1
	}
	lines := o.lines()
	if up == nil || up.Style&yaml.FlowStyle != 0 || first >= len(lines) {
		return e, false
	}
	_, item := path[len(path)-1].(int)
	begin := lines[first][fix.Indent(lines[first]):]
	if item != strings.HasPrefix(begin, "-") || item && len(up.Content) < 2 || !item && len(up.Content) < 4 {
		return e, false
	}
	if item && fix.Indent(lines[first]) != up.Column-1 { // a list in a list begins in the same line
		return e, false
	}
	at := o.positions.doc.Point(first+1, 1)
	end := o.positions.doc.Point(fix.Last(lines, first)+2, 1)
	at.EndLine, at.EndCol = end.Line, end.Col
	return diag.Edit{Span: at}, true
}

// InsertAfter adds a field behind another of the same map, whose value is a scalar.
func (o *Object) InsertAfter(path []any, field string) (e diag.Edit, ok bool) {
	n, key, ok := o.written(path)
	if !ok || n.Kind != yaml.ScalarNode || key == nil {
		return e, false
	}
	up, _, _ := o.written(path[:len(path)-1])
	at := o.At(path...)
	if !o.oneLine(n, at) {
		return e, false
	}
	if up.Style&yaml.FlowStyle != 0 {
		return diag.Edit{Span: diag.Span{File: at.File, Line: at.Line, Col: at.EndCol}, NewText: ", " + field}, true
	}
	line := []rune(strings.TrimRight(o.lines()[n.Line-1], "\r"))
	at = o.positions.doc.Point(n.Line, len(line)+1)
	at.EndLine, at.EndCol = 0, 0
	return diag.Edit{Span: at, NewText: "\n" + strings.Repeat(" ", key.Column-1) + field}, true
}

// written is the node at a path in the file that the object was read from.
func (o *Object) written(path []any) (n, key *yaml.Node, ok bool) {
	if o.positions.rendered != nil || o.positions.doc == nil || o.positions.overlay != nil || o.positions.doc.Indent > 0 {
		return nil, nil, false
	}
	n, key, left := source.Find(o.positions.nodes(), path)
	if len(path) > 0 {
		if _, index := path[len(path)-1].(int); index {
			key = nil
		}
	}
	return n, key, len(left) == 0 && n != nil && n.Line > 0
}

func (o *Object) lines() []string { return strings.Split(string(o.positions.doc.Text), "\n") }
