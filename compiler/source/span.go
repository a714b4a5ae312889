package source

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle
const block = yaml.LiteralStyle | yaml.FoldedStyle

// Span is where a node stands in the file, as far as it reaches on its first line.
func (d *Document) Span(n *yaml.Node) diag.Span {
	s := diag.Span{File: d.File, Line: d.First + n.Line, Col: d.Indent + n.Column, EndLine: d.First + n.Line}
	s.EndCol = s.Col + d.width(n)
	return s
}

// Point is a span of one column at a line and column of the document.
func (d *Document) Point(line, col int) diag.Span {
	return diag.Span{File: d.File, Line: d.First + line, Col: d.Indent + col, EndLine: d.First + line, EndCol: d.Indent + col + 1}
}

// longLine is a length, in bytes, from which on nobody sees how far a value
// reaches: to look for its end once for each finding would take for ever.
const longLine = 16 << 10

// width is how many columns a node covers on its first line.
func (d *Document) width(n *yaml.Node) int {
	text := d.text(n.Line)
	if len(text) > longLine {
		return 1
	}
	if n.Kind == yaml.ScalarNode && n.Style&(quoted|block) == 0 && n.Column >= 1 && n.Column <= len(text) &&
		plain(text) && strings.HasPrefix(string(text[n.Column-1:]), n.Value) { // bytes are columns: nearly all there is
		return max(1, len(n.Value))
	}
	line := []rune(string(text))
	if n.Column < 1 || n.Column > len(line) {
		return 1
	}
	rest := line[n.Column-1:]
	switch {
	case n.Kind == yaml.ScalarNode && n.Style&quoted != 0:
		return quotedWidth(rest)
	case n.Kind == yaml.ScalarNode && n.Style&block != 0:
		return 1
	case n.Kind == yaml.ScalarNode:
		value := []rune(n.Value)
		if strings.HasPrefix(string(rest), n.Value) {
			return max(1, len(value))
		}
		return max(1, len([]rune(strings.TrimRight(string(rest), " "))))
	case n.Style&yaml.FlowStyle != 0:
		return flowWidth(rest)
	case len(n.Content) > 0 && n.Kind == yaml.MappingNode:
		return d.width(n.Content[0])
	}
	return 1
}

// quotedWidth is the width of the quoted string a line begins with.
func quotedWidth(line []rune) int {
	quote := line[0]
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] == '\\' && quote == '"':
			i++
		case line[i] == quote && quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		case line[i] == quote:
			return i + 1
		}
	}
	return len(line)
}

// flowWidth is the width of the [...] or {...} a line begins with; 1 if it goes
// on to the next line.
func flowWidth(line []rune) int {
	depth := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '"', '\'':
			i += quotedWidth(line[i:]) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 1
}
