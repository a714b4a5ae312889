package source

import (
	"slices"
	"strings"
	"sync"
)

// simple reads documents in the style that nearly all manifests have: block maps and
// lists, scalars and flow collections of one line, printable ASCII. It gives the nodes
// that the full parser gives, but for comments, which nobody reads, at a tenth of the
// cost. Of whatever else stands in a document it says nothing: the full parser reads
// the document then, and alone finds faults.
type simple struct {
	text  string
	start int // of the line
	end   int // of the line, without its line feed
	at    int // where it goes on in the line
	line  int // number of the line, from 1
	col   int // of the first thing in the line, from 0; -1: there are no more lines
	depth int
	marks []mark
}

// simpleDepth is how deep nodes may lie; the full parser may go deeper.
const simpleDepth = 100

// simpleLine is how long a line may be, in bytes: keys of more than 1024 are faults.
const simpleLine = 1000

var simples = sync.Pool{New: func() any { return &simple{} }}

// readSimple reads a document that is a map; nil if it takes the full parser. Marks are
// kept at their exact size: the memory they were gathered in is used again.
func readSimple(text []byte) *Layout {
	if !plain(text) {
		return nil
	}
	s := simples.Get().(*simple)
	defer simples.Put(s)
	*s = simple{text: string(text), marks: s.marks[:0], end: -1}
	if !s.advance() || !s.opened() || !s.isKey() || !s.mapping(s.col) || s.col >= 0 {
		return nil
	}
	l := &Layout{text: s.text, marks: slices.Clone(s.marks)}
	s.text = ""
	return l
}

// opened steps over the marker that begins a document.
func (s *simple) opened() bool {
	if s.col == 0 && strings.TrimRight(s.text[s.start:s.end], " ") == "---" {
		return s.advance() && s.col >= 0
	}
	return s.col >= 0
}

// advance goes to the next line that holds anything. Lines that no document holds, and
// long ones, are left to the full parser.
func (s *simple) advance() bool {
	for s.end < len(s.text) {
		s.start, s.line = s.end+1, s.line+1
		if i := strings.IndexByte(s.text[s.start:], '\n'); i >= 0 {
			s.end = s.start + i
		} else {
			s.end = len(s.text)
		}
		if s.end-s.start > simpleLine {
			return false
		}
		s.at = s.start
		s.blanks()
		if s.at == s.end || s.text[s.at] == '#' {
			continue
		}
		s.col = s.at - s.start
		if s.col == 0 {
			switch rest := s.text[s.start:s.end]; {
			case rest[0] == '%', strings.HasPrefix(rest, "..."), strings.HasPrefix(rest, "---") && len(s.marks) > 0:
				return false
			}
		}
		return true
	}
	s.col = -1
	return true
}

// column is where it goes on, from 0.
func (s *simple) column() uint16 { return uint16(s.at - s.start) }

func (s *simple) blanks() {
	for s.at < s.end && s.text[s.at] == ' ' {
		s.at++
	}
}

// over tells whether nothing more than a comment is in the line.
func (s *simple) over() bool {
	from := s.at
	s.blanks()
	return s.at == s.end || s.text[s.at] == '#' && s.at > from
}

func (s *simple) add(m mark) int {
	m.line = int32(s.line)
	s.marks = append(s.marks, m)
	return len(s.marks) - 1
}

// mapping reads a block map whose keys stand in a column.
func (s *simple) mapping(col int) bool {
	if s.depth++; s.depth > simpleDepth {
		return false
	}
	m := s.add(mark{kind: mappingMark, col: s.column()})
	for {
		if !s.key() || !s.value(col) {
			return false
		}
		s.marks[m].from += 2
		if s.col < col {
			break
		}
	}
	s.marks[m].to = int32(len(s.marks))
	s.depth--
	return true
}

// value reads what stands behind a key, and goes on to the next line.
func (s *simple) value(col int) bool {
	none := mark{kind: scalarMark, col: s.column()}
	if !s.over() {
		return s.inline() && s.advance() && s.col <= col
	}
	none.line = int32(s.line)
	if !s.advance() {
		return false
	}
	switch {
	case s.col > col:
		if !s.block() {
			return false
		}
	case s.col == col && s.isEntry():
		if !s.sequence(col, true) {
			return false
		}
	default:
		s.nothing(none)
	}
	return s.col <= col
}

// nothing adds a value that was left out at the place where it was.
func (s *simple) nothing(m mark) { s.marks[s.add(m)].line = m.line }

// block reads a collection that begins in a line of its own.
func (s *simple) block() bool {
	switch {
	case s.isEntry():
		return s.sequence(s.col, false)
	case s.isKey():
		return s.mapping(s.col)
	}
	return false
}

// isEntry tells whether an entry of a list begins here.
func (s *simple) isEntry() bool {
	return s.at < s.end && s.text[s.at] == '-' && (s.at+1 == s.end || s.text[s.at+1] == ' ')
}

// sequence reads a block list whose dashes stand in a column. A list under a key may
// stand in the key's column, and then ends with the next key.
func (s *simple) sequence(col int, underKey bool) bool {
	if s.depth++; s.depth > simpleDepth {
		return false
	}
	m := s.add(mark{kind: sequenceMark, col: uint16(col)})
	for s.isEntry() {
		if !s.entry(col) {
			return false
		}
		s.marks[m].from++
		if s.col < col {
			break
		}
	}
	if s.col > col || s.col == col && !underKey {
		return false
	}
	s.marks[m].to = int32(len(s.marks))
	s.depth--
	return true
}

func (s *simple) entry(col int) bool {
	s.at++
	none := mark{kind: scalarMark, col: s.column(), line: int32(s.line)}
	if s.over() {
		if !s.advance() {
			return false
		}
		if s.col > col {
			return s.block() && s.col <= col
		}
		s.nothing(none)
		return true
	}
	if s.isKey() {
		return s.mapping(s.at-s.start) && s.col <= col
	}
	return s.inline() && s.advance() && s.col <= col
}
