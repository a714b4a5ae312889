package diag

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// renderText writes findings as rustc does: a headline, the line with a caret
// under the span, the other ends of references, effect, help, and where to read more.
func renderText(w io.Writer, r Report) error {
	p := &painter{to: w, on: r.Color, sources: r.Sources, files: map[string]lines{}}
	for i, f := range r.Findings {
		if i > 0 {
			p.line("")
		}
		p.finding(f)
		if p.out.Len() >= atOnce {
			p.write()
		}
	}
	if r.Summary != "" {
		if len(r.Findings) > 0 {
			p.line("")
		}
		p.line(r.Summary)
	}
	p.write()
	return p.err
}

// painter writes the text of a report.
type painter struct {
	to      io.Writer
	err     error // the first in writing
	out     bytes.Buffer
	on      bool
	sources Sources
	files   map[string]lines // each file is cut once, however many findings it has
}

// atOnce is how much text is written together, in bytes.
const atOnce = 64 << 10

// write writes what was collected.
func (p *painter) write() {
	if p.err == nil {
		_, p.err = p.to.Write(p.out.Bytes())
	}
	p.out.Reset()
}

const (
	red    = "\x1b[1;31m"
	yellow = "\x1b[1;33m"
	cyan   = "\x1b[1;36m"
	blue   = "\x1b[1;34m"
	bold   = "\x1b[1m"
	reset  = "\x1b[0m"
)

func (p *painter) paint(color, s string) string {
	if !p.on {
		return s
	}
	return color + s + reset
}

// line writes a line of several parts, without the spaces at its end.
func (p *painter) line(parts ...string) {
	start := p.out.Len()
	for _, s := range parts {
		p.out.WriteString(s)
	}
	p.out.Truncate(start + len(bytes.TrimRight(p.out.Bytes()[start:], " ")))
	p.out.WriteByte('\n')
}

var severityColor = map[Severity]string{Error: red, Warning: yellow, Info: cyan}

func (p *painter) finding(f Finding) {
	color := severityColor[f.Severity]
	p.line(p.paint(color, f.Severity.String()+"["+string(f.Code)+"]"), p.paint(bold, ": "+f.Title))
	gutter := gutterWidth(f)
	label := f.Message
	if l := f.Locations[0].Label; l != "" {
		label = l
	}
	p.frame(gutter, "-->", f.Locations[0].Span, object(f), label, '^', color)
	if f.Locations[0].Label != "" {
		p.note(gutter, "", f.Message)
	}
	for _, l := range f.Locations[1:] {
		p.frame(gutter, ":::", l.Span, "", l.Label, '-', blue)
	}
	for _, l := range f.Related {
		p.frame(gutter, ":::", l.Span, "", l.Label, '-', blue)
	}
	p.note(gutter, "effect: ", f.Effect)
	p.note(gutter, "help: ", f.Help)
	for _, x := range f.Fixes {
		p.note(gutter, "fix: ", x.Title)
	}
	if f.Waiver != nil {
		p.note(gutter, "waived: ", fmt.Sprintf("until %s by %s: %s", f.Waiver.Expires, f.Waiver.Owner, f.Waiver.Reason))
	} else if f.Known {
		p.note(gutter, "known: ", "the baseline has it")
	}
	p.note(gutter, "docs: ", "meshc explain "+string(f.Code))
}

// object says which object, and where in it, in words beside the position.
func object(f Finding) string {
	if f.Object == nil {
		return ""
	}
	s := f.Object.String()
	if f.Path != "" {
		s += " " + f.Path
	}
	return "(" + s + ")"
}

func gutterWidth(f Finding) int {
	most := 0
	for _, list := range [][]Location{f.Locations, f.Related} {
		for _, l := range list {
			most = max(most, l.Line)
		}
	}
	return len(strconv.Itoa(most))
}

func (p *painter) note(gutter int, head, text string) {
	if text == "" {
		return
	}
	pad := strings.Repeat(" ", gutter)
	for i, l := range strings.Split(text, "\n") {
		l = printable(l)
		if i == 0 {
			p.line(pad, " ", p.paint(blue, "="), " ", p.paint(bold, head), l)
		} else {
			p.line(pad, "   ", strings.Repeat(" ", len(head)), l)
		}
	}
}

// frame shows the line a span starts on, with the span underlined and labelled.
func (p *painter) frame(gutter int, arrow string, s Span, object, label string, mark rune, color string) {
	pad := strings.Repeat(" ", gutter)
	label = printable(label)
	if object != "" {
		object = "  " + printable(object)
	}
	if s.File != "" || object != "" { // a defect of meshc has no place
		p.line(pad, p.paint(blue, arrow), " ", printable(s.String()), object)
	}
	text, ok := p.sourceLine(s)
	if !ok {
		if label != "" {
			p.line(pad, " ", p.paint(blue, "="), " ", label)
		}
		return
	}
	text, s = clip(text, s)
	bar := p.paint(blue, "|")
	p.line(pad, " ", bar)
	number := strconv.Itoa(s.Line)
	p.line(p.paint(blue, pad[:max(gutter-len(number), 0)]+number), " ", bar, " ", text)
	p.line(pad, " ", bar, " ", underline(text, s), p.paint(color, strings.Repeat(string(mark), width(text, s))), " ", p.paint(color, label))
}

// sourceLine is the line a span starts on, with tabs as single spaces so that
// columns and carets agree.
func (p *painter) sourceLine(s Span) (string, bool) {
	if p.sources == nil || s.Line < 1 {
		return "", false
	}
	file, seen := p.files[s.File]
	if !seen {
		if data, ok := p.sources(s.File); ok {
			file = linesOf(data)
		}
		p.files[s.File] = file
	}
	if s.Line > len(file.starts) {
		return "", false
	}
	return printable(strings.ReplaceAll(strings.TrimRight(file.line(s.Line-1), "\r"), "\t", " ")), true
}

// lines is a file and where its lines start.
type lines struct {
	data   []byte
	starts []uint32
}

func linesOf(data []byte) lines {
	l := lines{data: data, starts: make([]uint32, 1, 1+bytes.Count(data, newline))}
	for at := range data {
		if data[at] == '\n' {
			l.starts = append(l.starts, uint32(at)+1)
		}
	}
	return l
}

var newline = []byte{'\n'}

func (l lines) line(i int) string {
	line, _, _ := bytes.Cut(l.data[l.starts[i]:], newline)
	return string(line)
}

// printable takes out what would steer a terminal: files are other people's.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// printableLines is printable for text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}

// longLine is how much of a line a frame shows at most, in characters: minified
// manifests are one line, and the caret would stand screens away from its text.
const longLine = 400

// clip cuts a long line to what is around the span, and moves the span along.
func clip(text string, s Span) (string, Span) {
	line := []rune(text)
	if len(line) <= longLine {
		return text, s
	}
	const before, dots = longLine / 4, "..."
	from := max(0, min(max(s.Col, 1)-1-before, len(line)-longLine))
	to := min(from+longLine, len(line))
	cut := string(line[from:to])
	if to < len(line) {
		cut += dots
	}
	if from > 0 {
		cut = dots + cut
		from -= len(dots)
	}
	s.Col = max(s.Col, 1) - from
	s.EndCol = min(s.EndCol-from, utf8.RuneCountInString(cut)+1)
	return cut, s
}

func underline(text string, s Span) string {
	col := min(max(s.Col, 1), utf8.RuneCountInString(text)+1)
	return strings.Repeat(" ", col-1)
}

// width is how many columns of the line the span covers, at least one.
func width(text string, s Span) int {
	end := s.EndCol
	if s.EndLine > s.Line {
		end = utf8.RuneCountInString(text) + 1
	}
	return max(1, min(end, utf8.RuneCountInString(text)+1)-max(s.Col, 1))
}
