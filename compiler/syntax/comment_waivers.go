package syntax

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
)

// waiverMark begins a comment that is a waiver:
//
//	# meshc:waive CODE until=2027-01-31 owner=team reason="why"
const waiverMark = "meshc:waive"

// remark is a waiver that stands in a document as a comment; with faults it waives
// nothing.
type remark struct {
	Waiver
	faults diag.List
}

// remarks finds the waivers in the comments of a document that was parsed.
func remarks(doc *source.Document, root *yaml.Node) []remark {
	if root == nil || !bytes.Contains(doc.Text, []byte(waiverMark)) {
		return nil
	}
	lines := strings.Split(string(doc.Text), "\n")
	var out []remark
	for i, line := range lines {
		col := commentAt(line)
		if col < 0 || inScalar(root, lines, i+1) {
			continue
		}
		r := &remarkReader{doc: doc, line: i + 1, text: []rune(strings.TrimRight(line, " \t\r")), col: utf8.RuneCountInString(line[:col])}
		one := r.read()
		first, last := below(lines, i, strings.TrimSpace(line[:col]) == "")
		one.Beside = called(root) + ": " + beside(lines[first-1:last])
		one.Within = diag.Span{File: doc.File, Line: doc.First + first, EndLine: doc.First + last}
		out = append(out, one)
	}
	return out
}

// strays finds the waivers in comments that belong to no document of a file: nothing
// stands below them.
func strays(file string, text []byte, docs []*source.Document) []remark {
	if !bytes.Contains(text, []byte(waiverMark)) {
		return nil
	}
	within := make([]bool, bytes.Count(text, []byte("\n"))+2)
	for _, d := range docs {
		for i := range bytes.Count(d.Text, []byte("\n")) + 1 {
			within[min(d.First+i, len(within)-1)] = true
		}
		if bytes.HasSuffix(d.Text, []byte("\n")) { // the line that it ends before is another's
			within[min(d.First+bytes.Count(d.Text, []byte("\n")), len(within)-1)] = false
		}
	}
	whole := &source.Document{File: file, Text: text}
	var out []remark
	for i, line := range strings.Split(string(text), "\n") {
		col := commentAt(line)
		if col < 0 || within[i] {
			continue
		}
		r := &remarkReader{doc: whole, line: i + 1, text: []rune(strings.TrimRight(line, " \t\r")), col: utf8.RuneCountInString(line[:col])}
		one := r.read()
		one.Within = diag.Span{File: file, Line: i + 1, EndLine: i + 1}
		r.out.faults = nil
		r.fault(word{from: r.col, to: len(r.text)}, "MSH0902", "write it above an object, in its document, or beside the field that it is for", "no object stands below the waiver of %s", one.Code)
		one.faults = append(one.faults, r.out.faults...)
		out = append(out, one)
	}
	return out
}

// called names the object of a document as it is written.
func called(root *yaml.Node) string {
	out := head(root, "kind")
	for _, field := range []string{"namespace", "name"} {
		if n, _, left := source.Find(root, []any{"metadata", field}); len(left) == 0 && n.Kind == yaml.ScalarNode {
			out += "/" + n.Value
		}
	}
	return out
}

// beside is the first line that holds anything, without indentation and comment.
func beside(lines []string) string {
	for _, l := range lines {
		if col := commentAt(l); col >= 0 {
			l = l[:col]
		}
		if l = strings.TrimSpace(l); l != "" && l != "---" && l[0] != '#' {
			return l
		}
	}
	return ""
}

// commentAt is where the comment of a line begins that is a waiver; -1: none.
func commentAt(line string) int {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') &&
			strings.HasPrefix(strings.TrimLeft(line[i+1:], " \t"), waiverMark) {
			return i
		}
	}
	return -1
}

// inScalar tells whether what looks like a comment is the text of a value: of a
// block that begins above, or of one in quotation marks.
func inScalar(n *yaml.Node, lines []string, line int) bool {
	if n.Kind == yaml.ScalarNode && n.Line <= line && strings.Contains(n.Value, waiverMark) {
		block := n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
		if n.Line == line || block && inBlock(lines, n.Line, line) || !block && strings.Contains(n.Value, strings.TrimSpace(lines[line-1])) {
			return true
		}
	}
	for _, c := range n.Content {
		if inScalar(c, lines, line) {
			return true
		}
	}
	return false
}

// inBlock tells whether a line, from 1, is in the block of text that begins after
// another: it goes on while lines are blank or indented as its first is.
func inBlock(lines []string, head, line int) bool {
	depth := 0
	for _, l := range lines[head:line] {
		indent := len(l) - len(strings.TrimLeft(l, " "))
		switch {
		case strings.TrimSpace(l) == "":
		case depth == 0:
			depth = indent
		case indent < depth:
			return false
		}
	}
	return true
}

// below is the first and the last line, from 1, of what the comment of a line is
// for: the field or list entry that begins in its line or, for a line of its own,
// in the next; above all fields the whole document.
func below(lines []string, at int, own bool) (first, last int) {
	if own {
		whole := true
		for i := range at {
			whole = whole && fix.Idle(lines[i])
		}
		if whole {
			return 1, len(lines)
		}
		for from := at; at < len(lines) && fix.Idle(lines[at]); at++ {
			if at == len(lines)-1 {
				return from + 1, from + 1 // nothing stands below it
			}
		}
	}
	return at + 1, fix.Last(lines, at) + 1
}

// remarkReader reads one comment, word by word.
type remarkReader struct {
	doc       *source.Document
	line, col int // of the comment's #; col counts from 0
	text      []rune
	out       remark
}

// word is a word of a comment and where it stands, from 0.
type word struct {
	text     string
	from, to int
}

func (r *remarkReader) span(from, to int) diag.Span {
	s := r.doc.Point(r.line, from+1)
	s.EndCol = s.Col + max(1, to-from)
	return s
}

func (r *remarkReader) fault(w word, code diag.Code, help, format string, args ...any) {
	f := diag.New(code, r.span(w.from, w.to), format, args...).WithEffect("the comment waives nothing")
	r.out.faults.Add(f.WithHelp("%s", help))
}

const remarkForm = `write # meshc:waive CODE until=2027-01-31 owner=WHO reason="WHY"`

func (r *remarkReader) read() remark {
	whole := word{from: r.col, to: len(r.text)}
	r.out.At = r.span(whole.from, whole.to)
	words := r.words(r.col + 1 + strings.Index(string(r.text[r.col+1:]), waiverMark) + len(waiverMark))
	if len(words) == 0 || strings.Contains(words[0].text, "=") {
		r.fault(whole, "MSH0104", remarkForm, "the waiver names no code")
		return r.out
	}
	code := diag.Code(words[0].text)
	switch r.out.Code = code; {
	case !codeForm.MatchString(string(code)):
		r.fault(words[0], "MSH0118", remarkForm, "%q is not the code of a finding", words[0].text)
	case !code.Waivable():
		r.fault(words[0], "MSH0904", "mend what the finding is about: `meshc explain "+string(code)+"`", "%s cannot be waived", code)
	}
	fields := map[string]word{}
	for _, w := range words[1:] {
		key, value, ok := strings.Cut(w.text, "=")
		if _, twice := fields[key]; !ok || twice || key != "until" && key != "owner" && key != "reason" {
			r.fault(w, "MSH0101", remarkForm, "a waiver has no %q here: it has until, owner and reason, each once", w.text)
			continue
		}
		fields[key] = word{value, w.from, w.to}
	}
	for _, key := range []string{"until", "owner", "reason"} {
		if w, ok := fields[key]; !ok {
			r.fault(whole, "MSH0104", remarkForm, "%q is missing", key)
		} else if strings.TrimSpace(w.text) == "" {
			r.fault(w, "MSH0118", "who reads it later wants to know why, and whom to ask", "a blank says nothing")
		}
	}
	r.out.Owner, r.out.Reason = fields["owner"].text, fields["reason"].text
	if day := fields["until"]; day.text != "" {
		var err error
		if r.out.Expires, err = time.Parse(time.DateOnly, day.text); err != nil {
			r.fault(day, "MSH0118", "write the last day on which the waiver holds, as 2027-01-31", "%q is not a day", day.text)
		}
	}
	return r.out
}

// words cuts the comment at spaces; quotation marks hold what they enclose together.
func (r *remarkReader) words(from int) []word {
	var out []word
	for i := from; i < len(r.text); i++ {
		if r.text[i] == ' ' || r.text[i] == '\t' {
			continue
		}
		w, quote := word{from: i}, rune(0)
		var b strings.Builder
		for ; i < len(r.text) && (quote != 0 || r.text[i] != ' ' && r.text[i] != '\t'); i++ {
			switch c := r.text[i]; {
			case quote != 0 && c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			case quote == '"' && c == '\\' && i+1 < len(r.text):
				i++
				b.WriteRune(r.text[i])
			default:
				b.WriteRune(c)
			}
		}
		w.text, w.to = b.String(), i
		out = append(out, w)
	}
	return out
}
