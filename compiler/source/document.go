package source

import (
	"bytes"
	"strings"
	"sync"

	"github.com/meshc/meshc/compiler/diag"
)

// Document is one YAML document of a file.
type Document struct {
	File   string // as spans name it
	First  int    // lines of the file before the document
	Indent int    // columns before the document, for one inside a block scalar
	Text   []byte

	once   sync.Once
	starts []int // of its lines, in a long document; made when one is first asked for
}

// Split cuts a file at its document markers. A line that begins with `---` or
// `...` ends a document wherever it stands: no block of text can hold it, as
// these are indented. Documents without content are left out.
func Split(file string, text []byte, limit int) ([]*Document, diag.List) {
	var docs []*Document
	start, startLine, line := 0, 0, 0
	add := func(end int) {
		if part := text[start:end]; hasContent(part) {
			docs = append(docs, &Document{File: label(file, part), First: startLine, Text: part})
		}
	}
	for pos := 0; pos < len(text); {
		next := len(text)
		if i := bytes.IndexByte(text[pos:], '\n'); i >= 0 {
			next = pos + i + 1
		}
		switch marker(text[pos:next]) {
		case "---":
			if start == 0 && preamble(text[:pos]) {
				break // it is said of the document that begins here
			}
			add(pos)
			start, startLine = pos, line
		case "...":
			add(pos)
			start, startLine = next, line+1
		}
		if len(docs) >= limit {
			at := diag.Span{File: file, Line: line + 1, Col: 1}
			return docs, diag.List{diag.New("MSH0019", at, "%q has more than %d documents; the rest was not read", file, limit).
				WithHelp("split the file")}
		}
		pos, line = next, line+1
	}
	add(len(text))
	return docs, nil
}

// toMeshc is in comments that are said to meshc, such as waivers.
var toMeshc = []byte("meshc:")

// preamble tells comments to meshc above the first marker of a file.
func preamble(part []byte) bool {
	return bytes.Contains(part, toMeshc) && !hasContent(part) && marker(part) == ""
}

// marker is "---" or "..." if the line is a document marker.
func marker(line []byte) string {
	if len(line) < 3 || line[0] != '-' && line[0] != '.' {
		return ""
	}
	m := string(line[:3])
	if m != "---" && m != "..." || len(line) > 3 && line[3] != ' ' && line[3] != '\n' && line[3] != '\t' {
		return ""
	}
	return m
}

// hasContent tells a document from comments, directives and blank lines.
func hasContent(part []byte) bool {
	for len(part) > 0 {
		line, rest, _ := bytes.Cut(part, []byte{'\n'})
		part = rest
		if marker(line) == "---" {
			line = line[3:]
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return true
		}
	}
	return false
}

// label names a document of standard input after the `# Source:` comment that
// Helm writes: "stdin (shop/templates/routes.yaml)". Lines stay those of the input.
func label(file string, part []byte) string {
	if file != StdinName {
		return file
	}
	for len(part) > 0 {
		line, rest, _ := bytes.Cut(part, []byte{'\n'})
		part = rest
		text := strings.TrimSpace(string(line))
		if from, ok := strings.CutPrefix(text, "# Source: "); ok {
			return file + " (" + strings.TrimSpace(from) + ")"
		}
		if text != "" && text[0] != '#' && text != "---" {
			break
		}
	}
	return file
}

// line is the n-th line of the document (from 1), without its line feed.
func (d *Document) line(n int) []rune { return []rune(string(d.text(n))) }

// shortText is a length, in bytes, up to which lines are counted anew each time.
const shortText = 4 << 10

// text is the n-th line as it is. Long documents keep where their lines begin: a
// finding for each line would cost the square of their length otherwise.
func (d *Document) text(n int) []byte {
	text := d.Text
	if len(text) > shortText {
		d.once.Do(d.index)
		if n > len(d.starts) {
			return nil
		}
		text, n = text[d.starts[max(n, 1)-1]:], 1
	}
	for ; n > 1; n-- {
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			return nil
		}
		text = text[i+1:]
	}
	line, _, _ := bytes.Cut(text, []byte{'\n'})
	return line
}

// index notes where the lines begin.
func (d *Document) index() {
	d.starts = append(d.starts, 0)
	for i, b := range d.Text {
		if b == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
}
