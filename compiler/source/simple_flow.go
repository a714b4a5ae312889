package source

import (
	"strings"
)

// flow reads [a, b] or {a: b, c: d}, which ends in the line it begins in.
func (s *simple) flow() bool {
	if s.depth++; s.depth > simpleDepth {
		return false
	}
	kind, closer := sequenceMark, byte(']')
	if s.text[s.at] == '{' {
		kind, closer = mappingMark, '}'
	}
	m := s.add(mark{kind: kind, style: flowMark, col: s.column()})
	s.at++
	s.blanks()
	for s.at < s.end && s.text[s.at] != closer {
		if kind == mappingMark {
			if !s.key() {
				return false
			}
			s.marks[m].from++
			s.blanks()
		}
		if !s.flowValue() {
			return false
		}
		s.marks[m].from++
		if !s.comma(closer) {
			return false
		}
	}
	if s.at == s.end {
		return false
	}
	s.at++
	s.marks[m].to = int32(len(s.marks))
	s.depth--
	return true
}

// comma steps to the next entry of a flow collection, or to its end.
func (s *simple) comma(closer byte) bool {
	s.blanks()
	switch {
	case s.at == s.end:
		return false
	case s.text[s.at] == closer:
		return true
	case s.text[s.at] != ',':
		return false
	}
	s.at++
	s.blanks()
	return s.at < s.end && s.text[s.at] != closer
}

// flowValue reads a value in a flow collection.
func (s *simple) flowValue() bool {
	if s.at == s.end {
		return false
	}
	switch c := s.text[s.at]; {
	case c == '[' || c == '{':
		return s.flow()
	case c == '"' || c == '\'':
		end := s.quoteEnd()
		if end >= 0 {
			s.scalar(end)
		}
		return end >= 0
	case c == '-' || !s.first():
		return false
	}
	end := s.at
	for end < s.end && s.text[end] != ',' && s.text[end] != ']' && s.text[end] != '}' {
		if strings.IndexByte("[{:#?\"'", s.text[end]) >= 0 {
			return false
		}
		end++
	}
	for s.text[end-1] == ' ' {
		end--
	}
	s.scalar(end)
	return true
}
