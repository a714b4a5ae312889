package source

import (
	"fmt"

	"github.com/meshc/meshc/compiler/diag"
)

// odd tells whether a rune is a blank that is not the space YAML knows.
func odd(r rune) bool {
	switch {
	case r == '\u00a0', r == '\u1680', r >= '\u2000' && r <= '\u200d', r == '\u2028', r == '\u2029',
		r == '\u202f', r == '\u205f', r == '\u2060', r == '\u3000', r == '\ufeff':
		return true
	}
	return false
}

func (s *scanner) space(n, i int, line []rune) {
	name := fmt.Sprintf("an invisible character (U+%04X)", line[i])
	if line[i] == '\u00a0' {
		name = "a non-breaking space (U+00A0)"
	}
	s.report(diag.New("MSH0035", s.at(n, i+1, 1), "%s stands where a space should be", name).
		WithHelp("delete it and type a plain space; it was probably pasted from a web page").
		WithFix("write a space", diag.Edit{Span: s.at(n, i+1, 1), NewText: " "}))
	line[i] = ' '
}

// closers are the typographic quotation marks, each with its partners.
var closers = map[rune]string{
	'\u201c': "\u201d\u201c", '\u201d': "\u201d\u201c", '\u201e': "\u201c\u201d", '\u00ab': "\u00bb", '\u00bb': "\u00ab",
	'\u2018': "\u2019\u2018", '\u2019': "\u2019\u2018", '\u201a': "\u2018\u2019",
}

// body walks over the content of a line: quoted strings and comments are left
// alone, typographic quotation marks around a value and odd blanks are mended.
// With n 0 it only keeps track of quotes.
func (s *scanner) body(n int, line []rune, from int) {
	fresh := true // a token may begin here
	for i := from; i < len(line); i++ {
		r := line[i]
		switch {
		case s.quote != 0:
			i = s.closeQuote(line, i)
			fresh = false
		case r == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t'):
			return
		case fresh && (r == '"' || r == '\''):
			s.quote = r
		case fresh && closers[r] != "":
			i = s.smartQuote(n, line, i)
			fresh = false
		case odd(r):
			if fresh || structural(line, i) {
				s.space(n, i, line)
			}
		default:
			fresh = r == ' ' && fresh || r == '[' || r == '{' || r == ',' ||
				r == ' ' && i > 0 && (line[i-1] == ':' || line[i-1] == '-')
		}
	}
}

// structural tells whether a blank parts tokens instead of words of one value.
func structural(line []rune, i int) bool {
	if i+1 == len(line) || line[i+1] == '#' {
		return true
	}
	switch line[i-1] {
	case ':', '-', ',', '[', '{', ' ':
		return true
	}
	return false
}

// closeQuote finds the end of the open quoted string, or the end of the line.
func (s *scanner) closeQuote(line []rune, i int) int {
	for ; i < len(line); i++ {
		switch {
		case line[i] == '\\' && s.quote == '"':
			i++
		case line[i] == s.quote && s.quote == '\'' && i+1 < len(line) && line[i+1] == '\'':
			i++
		case line[i] == s.quote:
			s.quote = 0
			return i
		}
	}
	return len(line)
}

// smartQuote mends a value in typographic quotation marks and returns where it ends.
func (s *scanner) smartQuote(n int, line []rune, i int) int {
	plainQuote := '"'
	switch line[i] {
	case '\u2018', '\u2019', '\u201a':
		plainQuote = '\''
	}
	end := -1
	for j := i + 1; j < len(line) && end < 0; j++ {
		for _, c := range closers[line[i]] {
			if line[j] == c && ends(line, j+1) {
				end = j
			}
		}
	}
	f := diag.New("MSH0034", s.at(n, i+1, 1), "a typographic quotation mark (%c) stands where a plain one should be", line[i]).
		WithHelp("type %c in place of %c", plainQuote, line[i])
	if end < 0 {
		s.report(f)
		return i
	}
	s.report(f.WithFix("write plain quotation marks",
		diag.Edit{Span: s.at(n, i+1, 1), NewText: string(plainQuote)},
		diag.Edit{Span: s.at(n, end+1, 1), NewText: string(plainQuote)}))
	for j := i + 1; j < end; j++ {
		if line[j] == plainQuote || line[j] == '\\' {
			return end // plain marks inside: left as it is, the finding says enough
		}
	}
	line[i], line[end] = plainQuote, plainQuote
	return end
}

// ends tells whether a value can end before position i.
func ends(line []rune, i int) bool {
	for i < len(line) && line[i] == ' ' {
		i++
	}
	if i >= len(line) {
		return true
	}
	switch line[i] {
	case ',', ']', '}', ':', '#':
		return true
	}
	return false
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
