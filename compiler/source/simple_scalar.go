package source

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// keyByte are the bytes of plain keys; the first is none of those that mean something.
func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '/' || c == '-'
}

// keyEnd is the end of the key that may begin here; -1: none does.
func (s *simple) keyEnd() int {
	if s.at == s.end {
		return -1
	}
	at := s.at
	switch c := s.text[at]; {
	case c == '"' || c == '\'':
		if at = s.quoteEnd(); at < 0 {
			return -1
		}
	case c == '-' || !keyByte(c):
		return -1
	default:
		for at < s.end && keyByte(s.text[at]) {
			at++
		}
	}
	if at == s.end || s.text[at] != ':' || at+1 < s.end && s.text[at+1] != ' ' {
		return -1
	}
	return at
}

func (s *simple) isKey() bool { return s.keyEnd() >= 0 }

// key reads a key up to behind its colon.
func (s *simple) key() bool {
	end := s.keyEnd()
	if end < 0 {
		return false
	}
	s.scalar(end)
	s.at = end + 1
	return true
}

// scalar adds the plain or quoted text from here to an end.
func (s *simple) scalar(end int) {
	m := mark{kind: scalarMark, col: s.column(), from: int32(s.at), to: int32(end)}
	switch s.text[s.at] {
	case '"':
		m.style, m.from, m.to = uint8(yaml.DoubleQuotedStyle), int32(s.at+1), int32(end-1)
	case '\'':
		m.style, m.from, m.to = uint8(yaml.SingleQuotedStyle), int32(s.at+1), int32(end-1)
	}
	s.add(m)
	s.at = end
}

// quoteEnd is behind the quoted text that begins here; -1 if it is not one of this
// line, or if anything in it is escaped.
func (s *simple) quoteEnd() int {
	quote := s.text[s.at]
	i := strings.IndexByte(s.text[s.at+1:s.end], quote)
	if i < 0 {
		return -1
	}
	end := s.at + 1 + i + 1
	if quote == '"' && strings.IndexByte(s.text[s.at:end], '\\') >= 0 || quote == '\'' && end < s.end && s.text[end] == quote {
		return -1
	}
	return end
}

// first tells whether a plain text may begin with what stands here.
func (s *simple) first() bool {
	switch c := s.text[s.at]; c {
	case '_', '.', '/', '^', '(', '$', '\\', '~', '+', '=', ';', ')':
		return true
	case '-':
		return s.at+1 < s.end && s.text[s.at+1] != ' '
	default:
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
}

// inline reads the value that is the rest of the line.
func (s *simple) inline() bool {
	switch c := s.text[s.at]; {
	case c == '"' || c == '\'':
		end := s.quoteEnd()
		if end < 0 {
			return false
		}
		s.scalar(end)
	case c == '[' || c == '{':
		if !s.flow() {
			return false
		}
	case s.first():
		rest := s.text[s.at:s.end]
		if i := strings.Index(rest, " #"); i >= 0 {
			rest = rest[:i]
		}
		rest = strings.TrimRight(rest, " ")
		if strings.HasSuffix(rest, ":") || strings.Contains(rest, ": ") {
			return false
		}
		s.scalar(s.at + len(rest))
	default:
		return false
	}
	return s.over()
}
