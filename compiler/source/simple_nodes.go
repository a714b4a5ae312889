package source

import "go.yaml.in/yaml/v3"

// nodes makes the nodes of all marks, in one piece of memory.
func (s *simple) nodes() *yaml.Node {
	out, below := make([]yaml.Node, len(s.marks)), make([]*yaml.Node, len(s.marks)-1)
	for i := range s.marks {
		m, n := &s.marks[i], &out[i]
		n.Kind, n.Style, n.Line, n.Column = m.kind, m.style, m.line, m.col+1
		switch m.kind {
		case yaml.ScalarNode:
			n.Value = s.text[m.from:m.to]
			n.Tag = tagOf(n)
			continue
		case yaml.MappingNode:
			n.Tag = "!!map"
		case yaml.SequenceNode:
			n.Tag = "!!seq"
		}
		if m.size == 0 {
			continue
		}
		n.Content, below = below[:m.size:m.size], below[m.size:]
		for k, at := 0, i+1; k < m.size; k, at = k+1, s.marks[at].next {
			n.Content[k] = &out[at]
		}
	}
	return &out[0]
}

// tagOf is the tag of a scalar. The full parser tells that of all which is not
// clearly a word or a small number.
func tagOf(n *yaml.Node) string {
	v := n.Value
	if n.Style != 0 {
		return "!!str"
	}
	if v == "" {
		return "!!null"
	}
	switch c := v[0]; {
	case c >= '1' && c <= '9' && len(v) < 10 && digits(v):
		return "!!int"
	case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == '~':
		return n.ShortTag()
	case (len(v) == 4 || len(v) == 5) && (c|' ' == 't' || c|' ' == 'f' || c|' ' == 'n'): // true, false, null
		return n.ShortTag()
	}
	return "!!str"
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
