package source

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// Inline is the document inside a block of text (`patch: |`), with positions in
// the file around it. For text in quotation marks, whose lines are folded, every
// position is that of the text as a whole.
func Inline(doc *Document, n *yaml.Node) *Document {
	inner := &Document{File: doc.File, First: doc.First + n.Line - 1, Indent: doc.Indent + n.Column - 1, Text: []byte(n.Value)}
	if n.Style&yaml.LiteralStyle == 0 {
		return inner
	}
	inner.First, inner.Indent = doc.First+n.Line, doc.Indent
	for at := n.Line + 1; ; at++ {
		line := string(doc.line(at))
		if strings.TrimSpace(line) != "" {
			inner.Indent += len(line) - len(strings.TrimLeft(line, " "))
			return inner
		}
		if at > n.Line+1+strings.Count(n.Value, "\n") {
			return inner
		}
	}
}
