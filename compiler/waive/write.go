package waive

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// ErrNoPlace says that a file has nowhere to write a waiver to.
var ErrNoPlace = errors.New("it holds neither a Mesh nor Waivers in a form that a waiver can be added to")

// Write adds a waiver to the text of a meshc.yaml, or of a file with an object of
// kind Waivers; every other byte stays as it is. A text that is empty becomes such
// a file. What was written is read again: a text that says something else then is
// not given.
func Write(file string, text []byte, w syntax.Waiver) ([]byte, error) {
	if len(strings.TrimSpace(string(text))) == 0 {
		text = []byte("apiVersion: meshc.dev/v1alpha1\nkind: Waivers\nmetadata:\n  name: waivers\nspec:\n  waivers: []\n")
	}
	clean, faults := source.Clean(file, text)
	if faults.HasErrors() { // it is read as what was meant, and would be written as what was not
		return nil, ErrNoPlace
	}
	docs, _ := source.Split(file, clean, 1000)
	for _, doc := range docs {
		root, _ := doc.Parse()
		if kind := child(root, "kind"); kind == nil || kind.Value != "Waivers" && kind.Value != "Mesh" {
			continue
		}
		h := home{doc: doc, lines: strings.Split(string(doc.Text), "\n"), root: root}
		edits, ok := h.edits(w)
		if !ok {
			continue
		}
		for i := range edits {
			if strings.Contains(string(text), "\r\n") {
				edits[i].NewText = strings.ReplaceAll(edits[i].NewText, "\n", "\r\n")
			}
		}
		out, err := fix.Apply(text, edits)
		if err != nil {
			return nil, err
		}
		if !holds(file, text, out, w) {
			return nil, ErrNoPlace
		}
		return out, nil
	}
	return nil, ErrNoPlace
}

// holds tells whether a text says what another did, and the waiver.
func holds(file string, before, after []byte, w syntax.Waiver) bool {
	read := func(text []byte) ([]syntax.Waiver, diag.List) {
		tree := &source.Tree{Files: []*source.File{{Path: file, Data: text}}}
		if strings.Contains(string(text), "kind: Mesh") {
			tree = &source.Tree{Config: &source.File{Path: file, Data: text}}
		}
		tree.Limits = source.FromMap(nil).Limits
		files, found := syntax.Parse(tree)
		return files.Waivers, found
	}
	old, faults := read(before)
	now, more := read(after)
	if len(now) != len(old)+1 || len(more) > len(faults) {
		return false
	}
	for _, n := range now {
		n.At, n.Within = w.At, w.Within
		if n == w {
			return true
		}
	}
	return false
}

// home is the document that a waiver is added to.
type home struct {
	doc   *source.Document
	lines []string
	root  *yaml.Node
}

// edits add the waiver to the list, or the list to the spec, in the style that the
// author has chosen; ok is false where the document has no place for it.
func (h *home) edits(w syntax.Waiver) (out []diag.Edit, ok bool) {
	specKey, spec := source.Step(h.root, "spec")
	switch {
	case spec == nil:
		if h.root.Kind != yaml.MappingNode || h.root.Style&yaml.FlowStyle != 0 || len(h.root.Content) == 0 {
			return nil, false
		}
		return h.after(fix.Last(h.lines, h.root.Content[len(h.root.Content)-2].Line-1), "spec:\n  waivers:\n"+item(w, "  ")), true
	case spec.Kind != yaml.MappingNode:
		return nil, false
	}
	key, list := source.Step(spec, "waivers")
	switch {
	case list == nil && spec.Style&yaml.FlowStyle != 0:
		return h.beforeEnd(spec, "waivers: ["+flow(w)+"]")
	case list == nil:
		indent := strings.Repeat(" ", spec.Content[0].Column-1)
		return h.after(fix.Last(h.lines, specKey.Line-1), indent+"waivers:\n"+item(w, indent)), true
	case list.Kind == yaml.SequenceNode && len(list.Content) > 0 && list.Style&yaml.FlowStyle == 0:
		return h.after(fix.Last(h.lines, list.Content[len(list.Content)-1].Line-1), item(w, strings.Repeat(" ", list.Column-1))), true
	case spec.Style&yaml.FlowStyle != 0, list.Kind == yaml.SequenceNode && len(list.Content) > 0:
		return h.beforeEnd(list, flow(w))
	case list.Kind == yaml.SequenceNode || list.Tag == "!!null": // empty: the list begins below its key
		out = h.after(key.Line-1, item(w, strings.Repeat(" ", key.Column-1)))
		if list.Value != "" || list.Kind == yaml.SequenceNode {
			at := h.doc.Span(list)
			if rest := strings.TrimSpace(h.lines[list.Line-1][list.Column-1:]); rest == "[]" || rest == list.Value {
				at.Col-- // and the space before it
			}
			out = append(out, diag.Edit{Span: at})
		}
		return out, true
	}
	return nil, false
}

// after inserts lines behind a line of the document, which counts from 0.
func (h *home) after(line int, text string) []diag.Edit {
	at := h.doc.Point(line+2, 1)
	at.EndLine, at.EndCol = 0, 0
	if line+1 >= len(h.lines) { // the last line has no end
		text = "\n" + strings.TrimSuffix(text, "\n")
		at = h.doc.Point(line+1, len([]rune(h.lines[line]))+1)
		at.EndLine, at.EndCol = 0, 0
	}
	return []diag.Edit{{Span: at, NewText: text}}
}

// beforeEnd inserts an entry before the bracket that closes a list or map in flow
// style.
func (h *home) beforeEnd(n *yaml.Node, entry string) ([]diag.Edit, bool) {
	line, col, ok := closing(h.lines, n.Line-1, n.Column-1)
	if !ok {
		return nil, false
	}
	if len(n.Content) > 0 {
		entry = ", " + entry
	}
	at := h.doc.Point(line+1, col+1)
	at.EndLine, at.EndCol = 0, 0
	return []diag.Edit{{Span: at, NewText: entry}}, true
}

// closing is the place of the bracket that closes the one at a place; all count
// from 0, columns in code points.
func closing(lines []string, line, col int) (int, int, bool) {
	depth, quote := 0, rune(0)
	for ; line < len(lines); line, col = line+1, 0 {
		text := []rune(lines[line])
		for ; col < len(text); col++ {
			switch c := text[col]; {
			case quote == '"' && c == '\\':
				col++
			case quote != 0:
				if c == quote {
					quote = 0
				}
			case c == '"' || c == '\'':
				quote = c
			case c == '#' && col > 0 && text[col-1] == ' ':
				col = len(text)
			case c == '[' || c == '{':
				depth++
			case c == ']' || c == '}':
				if depth--; depth == 0 {
					return line, col, true
				}
			}
		}
	}
	return 0, 0, false
}

// item is the waiver as an entry of a list in block style.
func item(w syntax.Waiver, indent string) string {
	out := fmt.Sprintf("%s- code: %s\n%[1]s  target: %[3]s\n", indent, w.Code, targetText(w.Target))
	if w.Path != "" {
		out += fmt.Sprintf("%s  path: %s\n", indent, scalar(w.Path))
	}
	return out + fmt.Sprintf("%s  reason: %s\n%[1]s  owner: %[3]s\n%[1]s  expires: %[4]s\n", indent, scalar(w.Reason), scalar(w.Owner), date(&w))
}

// flow is the waiver in one line.
func flow(w syntax.Waiver) string {
	path := ""
	if w.Path != "" {
		path = "path: " + scalar(w.Path) + ", "
	}
	return fmt.Sprintf("{code: %s, target: %s, %sreason: %s, owner: %s, expires: %s}", w.Code, targetText(w.Target), path, scalar(w.Reason), scalar(w.Owner), date(&w))
}

func targetText(t syntax.WaiverTarget) string {
	ns := ""
	if t.Namespace != "" {
		ns = "namespace: " + scalar(t.Namespace) + ", "
	}
	return "{kind: " + scalar(t.Kind) + ", " + ns + "name: " + scalar(t.Name) + "}"
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)

// scalar is a text in YAML, in quotation marks where it would be read otherwise.
func scalar(s string) string {
	var n yaml.Node
	if plain.MatchString(s) && yaml.Unmarshal([]byte("- "+s), &n) == nil && n.Content[0].Content[0].Tag == "!!str" && !source.IsBoolWord(s) {
		return s
	}
	return strconv.Quote(s)
}

func child(n *yaml.Node, key string) *yaml.Node {
	_, v := source.Step(n, key)
	return v
}
