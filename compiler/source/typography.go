package source

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/meshc/meshc/compiler/diag"
)

// lines repairs text line by line. It follows block scalars and quoted strings
// just far enough to leave their content alone: an em dash in prose is prose.
func (c *cleaner) lines(data []byte) []byte {
	first := bytes.TrimLeft(data, " \t\n")
	s := &scanner{cleaner: c, json: len(first) > 0 && (first[0] == '{' || first[0] == '['), block: -1}
	out := make([]byte, 0, len(data))
	for n := 1; ; n++ {
		line, rest, more := bytes.Cut(data, []byte{'\n'})
		if plain(line) {
			s.follow(string(line))
			out = append(out, line...)
		} else {
			out = append(out, string(s.repair(n, []rune(string(line))))...)
		}
		if !more {
			break
		}
		out = append(out, '\n')
		data = rest
	}
	s.tabs()
	return out
}

// scanner knows where in a document a line lies.
type scanner struct {
	*cleaner
	json  bool
	block int  // indentation of the block scalar's parent; -1 outside of one
	quote rune // the quotation mark of a string that began on an earlier line

	tabLines int
	firstTab diag.Span
}

// follow keeps track over a line that needs no repair.
func (s *scanner) follow(line string) {
	if strings.HasPrefix(line, "---") {
		s.quote, s.block = 0, -1
		return
	}
	if s.inBlock(line) {
		return
	}
	s.body(0, []rune(line), 0)
	s.openBlock(line)
}

// inBlock tells whether a line belongs to the open block scalar, and ends it.
func (s *scanner) inBlock(line string) bool {
	if s.block < 0 {
		return false
	}
	body := strings.TrimLeft(line, " ")
	if strings.TrimSpace(body) == "" || len(line)-len(body) > s.block {
		return true
	}
	s.block = -1
	return false
}

// openBlock sees whether a line ends in a block scalar's header (`|`, `>-`, ...).
func (s *scanner) openBlock(line string) {
	if s.quote != 0 || s.json {
		return
	}
	if i := strings.Index(line, " #"); i >= 0 {
		line = line[:i]
	}
	line = strings.TrimRight(line, " ")
	head := strings.TrimRight(line, "+-0123456789")
	if !strings.HasSuffix(head, "|") && !strings.HasSuffix(head, ">") {
		return
	}
	before := strings.TrimRight(head[:len(head)-1], " ")
	if before != "" && !strings.HasSuffix(before, ":") && !strings.HasSuffix(before, "-") {
		return
	}
	indent := len(before) - len(strings.TrimLeft(before, " "))
	for rest := before[indent:]; strings.HasPrefix(rest, "- "); rest = before[indent:] {
		indent += 2
		indent += len(before[indent:]) - len(strings.TrimLeft(before[indent:], " "))
	}
	s.block = indent
}

// repair mends one line that holds something beyond printable ASCII.
func (s *scanner) repair(n int, line []rune) []rune {
	s.controls(n, line)
	if s.inBlock(string(line)) {
		return line
	}
	start := s.indentation(n, line)
	if s.quote == 0 {
		if sep := s.separator(n, line); sep != nil {
			return sep
		}
		s.listDash(n, line, start)
	}
	s.body(n, line, start)
	s.openBlock(string(line))
	return line
}

// controls replaces characters that YAML forbids, and exotic line breaks.
func (s *scanner) controls(n int, line []rune) {
	for i, r := range line {
		switch {
		case r == '\t':
		case r < 0x20 || r >= 0x7f && r <= 0x9f || r == 0xfffe || r == 0xffff:
			s.report(diag.New("MSH0036", s.at(n, i+1, 1), "a control character (U+%04X) is not allowed in YAML", r).
				WithHelp("delete it; it was probably pasted along with the text"))
			line[i] = ' '
		case r == '\u2028' || r == '\u2029':
			s.space(n, i, line)
		}
	}
}

// indentation checks the blanks at the start of a line and returns where they end.
func (s *scanner) indentation(n int, line []rune) int {
	end := 0
	for end < len(line) && (line[end] == ' ' || line[end] == '\t' || odd(line[end])) {
		end++
	}
	if end == len(line) || line[end] == '#' {
		for i := range line[:end] {
			line[i] = ' '
		}
		return end
	}
	for i := range line[:end] {
		switch {
		case line[i] == '\t':
			if s.quote == 0 {
				s.tab(n, i)
			}
			line[i] = ' '
		case odd(line[i]):
			s.space(n, i, line)
		}
	}
	return end
}

func (s *scanner) tab(n, i int) {
	if s.json || s.tabLines > 0 && s.firstTab.EndLine == n {
		return
	}
	if s.tabLines == 0 {
		s.firstTab = s.at(n, i+1, 1)
	}
	s.tabLines++
	s.firstTab.EndLine = n // the last line seen; mended in tabs
}

// tabs reports indentation by tabs once for the whole file.
func (s *scanner) tabs() {
	if s.tabLines == 0 {
		return
	}
	s.firstTab.EndLine = s.firstTab.Line
	f := diag.New("MSH0032", s.firstTab, "a tab indents this line")
	if s.tabLines > 1 {
		f.Message += ", and tabs indent " + plural(s.tabLines-1, "more line")
	}
	s.report(f.WithHelp("YAML indents with spaces only: type two spaces for each tab (`expand -t 2 %s`)", s.file))
}

// separator mends a document separator that a word processor joined.
func (s *scanner) separator(n int, line []rune) []rune {
	text := strings.TrimRight(string(line), " ")
	if text == "" || strings.Trim(text, "-\u2014\u2013") != "" || strings.Trim(text, "-") == "" {
		return nil
	}
	s.report(diag.New("MSH0031", s.at(n, 1, utf8.RuneCountInString(text)), "%q stands where a document separator should be", text).
		WithHelp("type three plain hyphens: `---`").
		WithFix("write ---", diag.Edit{Span: s.at(n, 1, utf8.RuneCountInString(text)), NewText: "---"}))
	return []rune("---")
}

var dashes = map[rune]string{
	'\u2014': "an em dash", '\u2013': "an en dash", '\u2012': "a figure dash", '\u2015': "a horizontal bar",
	'\u2212': "a minus sign", '\u2010': "a typographic hyphen", '\u2011': "a non-breaking hyphen", '\u2022': "a bullet",
}

// listDash mends a dash that should open a list entry.
func (s *scanner) listDash(n int, line []rune, i int) {
	if i >= len(line) {
		return
	}
	name, ok := dashes[line[i]]
	if !ok || i+1 < len(line) && line[i+1] != ' ' && !odd(line[i+1]) {
		return
	}
	s.report(diag.New("MSH0031", s.at(n, i+1, 1), "%s (%c) stands where a list dash should be", name, line[i]).
		WithLabel("type a plain hyphen here: -").
		WithHelp("type `-` (the hyphen beside the zero key) in place of `%c`; it was probably pasted from an article", line[i]).
		WithFix("write -", diag.Edit{Span: s.at(n, i+1, 1), NewText: "-"}))
	line[i] = '-'
}
