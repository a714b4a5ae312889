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
	skip := d.properties(n)
	s := diag.Span{File: d.File, Line: d.First + n.Line, Col: d.Indent + n.Column + skip, EndLine: d.First + n.Line}
	s.EndCol = s.Col + d.width(n, skip)
	return s
}

// properties is how many columns the anchor and the tag before a value take, 0 where
// the value is not in their line.
func (d *Document) properties(n *yaml.Node) int {
	if n.Anchor == "" && n.Style&yaml.TaggedStyle == 0 || n.Kind == yaml.AliasNode {
		return 0
	}
	line := d.line(n.Line)
	at := n.Column - 1
	for at >= 0 && at < len(line) && (line[at] == '&' || line[at] == '!') {
		for at < len(line) && line[at] != ' ' && line[at] != '\t' {
			at++
		}
		for at < len(line) && (line[at] == ' ' || line[at] == '\t') {
			at++
		}
	}
	if at < 0 || at >= len(line) || line[at] == '#' || line[at] == '\r' {
		return 0
	}
	return at - (n.Column - 1)
}

// Point is a span of one column at a line and column of the document.
func (d *Document) Point(line, col int) diag.Span {
	return diag.Span{File: d.File, Line: d.First + line, Col: d.Indent + col, EndLine: d.First + line, EndCol: d.Indent + col + 1}
}

// longLine is a length, in bytes, from which on nobody sees how far a value
// reaches: to look for its end once for each finding would take for ever.
const longLine = 16 << 10

// width is how many columns a node covers on its first line, behind its properties.
func (d *Document) width(n *yaml.Node, skip int) int {
	return d.reach(n.Line, n.Column+skip, n.Kind, n.Style, n.Value, func() int {
		if len(n.Content) == 0 {
			return 1
		}
		return d.width(n.Content[0], d.properties(n.Content[0]))
	})
}

// reach is the width of a node of which this is known; first is that of its first key.
func (d *Document) reach(at, column int, kind yaml.Kind, style yaml.Style, value string, first func() int) int {
	text := d.text(at)
	if len(text) > longLine {
		return 1
	}
	if kind == yaml.ScalarNode && style&(quoted|block) == 0 && column >= 1 && column <= len(text) &&
		plain(text) && strings.HasPrefix(string(text[column-1:]), value) { // bytes are columns: nearly all there is
		return max(1, len(value))
	}
	line := []rune(string(text))
	if column < 1 || column > len(line) {
		return 1
	}
	rest := line[column-1:]
	switch {
	case kind == yaml.ScalarNode && style&quoted != 0:
		return quotedWidth(rest)
	case kind == yaml.ScalarNode && style&block != 0:
		return 1
	case kind == yaml.ScalarNode:
		runes := []rune(value)
		if strings.HasPrefix(string(rest), value) {
			return max(1, len(runes))
		}
		return max(1, len([]rune(strings.TrimRight(string(rest), " "))))
	case style&yaml.FlowStyle != 0:
		return flowWidth(rest)
	case kind == yaml.MappingNode:
		return first()
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
