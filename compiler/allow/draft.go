package allow

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/syntax"
)

// draft is a file with what is to be inserted, by the line before which it comes,
// or at a column of a line.
type draft struct {
	data    []byte
	inserts []insertion
	tail    string
	matches map[string]string // by group: the match that is written for this question
}

type insertion struct {
	offset int
	text   string
}

func (w *writer) draft(path string) *draft {
	if d := w.files[path]; d != nil {
		return d
	}
	data, _ := w.Tree.Text(path)
	w.files[path] = &draft{data: data, matches: map[string]string{}}
	return w.files[path]
}

// whole takes back what edits inserted when not all of them can be made.
func (w *writer) whole(edits func() bool) bool {
	before := map[*draft]int{}
	for _, d := range w.files {
		before[d] = len(d.inserts)
	}
	if edits() {
		return true
	}
	for _, d := range w.files {
		d.inserts = d.inserts[:before[d]]
	}
	return false
}

// append adds a document at the end.
func (d *draft) append(document string) { d.tail += "---\n" + document }

func (w *writer) drafts() []File {
	var out []File
	for _, path := range slices.Sorted(maps.Keys(w.files)) {
		if d := w.files[path]; len(d.inserts) > 0 || d.tail != "" {
			out = append(out, File{path, d.bytes()})
		}
	}
	return out
}

func (d *draft) bytes() []byte {
	slices.SortStableFunc(d.inserts, func(a, b insertion) int { return cmp.Compare(a.offset, b.offset) })
	var out bytes.Buffer
	at := 0
	for _, in := range d.inserts {
		out.Write(d.data[at:in.offset])
		out.WriteString(in.text)
		at = in.offset
	}
	out.Write(d.data[at:])
	if d.tail != "" && out.Len() > 0 && !bytes.HasSuffix(out.Bytes(), []byte("\n")) {
		out.WriteByte('\n')
	}
	out.WriteString(d.tail)
	text := out.Bytes()
	if bytes.Contains(d.data, []byte("\r\n")) { // what was written with it goes on with it
		text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	}
	return text
}

// insert adds an entry of one or more lines at the end of a list that has entries.
func (w *writer) insert(o *syntax.Object, list *yaml.Node, entry []string) bool {
	return w.add(w.place(o), list, entry)
}

func (w *writer) add(p *place, list *yaml.Node, entry []string) bool {
	d := w.draft(p.file)
	if list.Style&yaml.FlowStyle != 0 {
		return d.intoFlow(p.doc.First, list, entry, p.isJSON())
	}
	return d.intoBlock(p.doc.First, list, entry)
}

// intoBlock writes the entry below the last line of the last one.
func (d *draft) intoBlock(first int, list *yaml.Node, entry []string) bool {
	last := list.Content[len(list.Content)-1]
	column := list.Column
	end := lastLine(last)
	if end == 0 || list.Line == 0 {
		return false
	}
	dash := lineOf(d.data, first+list.Line)
	if column > len(dash) || dash[column-1] != '-' {
		return false
	}
	indent := strings.Repeat(" ", column-1)
	text := indent + "- " + strings.Join(entry, "\n"+indent+"  ") + "\n"
	offset := lineStart(d.data, first+end+1)
	if offset == len(d.data) && !bytes.HasSuffix(d.data, []byte("\n")) {
		text = "\n" + strings.TrimSuffix(text, "\n")
	}
	d.inserts = append(d.inserts, insertion{offset, text})
	return true
}

// lastLine is the last line that a node reaches, 0 where that cannot be told: a
// text in a block, or one over several lines.
func lastLine(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		return n.Line
	}
	if n.Kind == yaml.ScalarNode {
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || strings.Contains(n.Value, "\n") {
			return 0
		}
		return n.Line
	}
	end := n.Line
	for _, c := range n.Content {
		at := lastLine(c)
		if at == 0 {
			return 0
		}
		end = max(end, at)
	}
	return end
}

// columnOffset is where a column, counted in characters from 1, begins in a line.
func columnOffset(line []byte, column int) int {
	n := 1
	for i := range string(line) {
		if n == column {
			return i
		}
		n++
	}
	return -1
}

// lineStart is where a line, counted from 1, begins; the end for lines after the last.
func lineStart(data []byte, line int) int {
	at := 0
	for n := 1; n < line; n++ {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return len(data)
		}
		at += i + 1
	}
	return at
}

func lineOf(data []byte, line int) []byte {
	rest := data[lineStart(data, line):]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		return bytes.TrimSuffix(rest[:i], []byte("\r"))
	}
	return rest
}
