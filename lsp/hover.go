package lsp

import (
	"context"
	"regexp"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
)

// hover tells what the object at a place means, or a code.
func (s *server) hover(ctx context.Context, p *protocol.PlaceParams) (any, error) {
	at, err := s.spot(ctx, *p)
	if at == nil || err != nil {
		return nil, err
	}
	if code, span, ok := at.code(); ok {
		if e, known := entryOf(code); known {
			return shownAt(explanation(e), at.span(span, s.encoding)), nil
		}
	}
	m, ok := at.mention()
	if !ok {
		return nil, nil
	}
	text := at.describe(m.thing)
	if text == "" {
		return nil, nil
	}
	return shownAt(text, at.span(m.at, s.encoding)), nil
}

func shownAt(text string, at protocol.Range) protocol.Hover {
	return protocol.Hover{Contents: protocol.Markup{Kind: "markdown", Value: strings.TrimSpace(text) + "\n"}, Range: &at}
}

var codes = regexp.MustCompile(`[A-Z][A-Z0-9]{1,15}[0-9]{3,4}`)

// code is the code of a finding at a place: in a waiver, a severity, a comment.
func (at *spot) code() (diag.Code, diag.Span, bool) {
	line := string(at.text.Line(at.line - 1))
	for _, m := range codes.FindAllStringIndex(line, -1) {
		start, end := len([]rune(line[:m[0]]))+1, len([]rune(line[:m[1]]))+1
		if start <= at.col && at.col <= end {
			span := diag.Span{File: at.name, Line: at.line, Col: start, EndLine: at.line, EndCol: end}
			return diag.Code(line[m[0]:m[1]]), span, true
		}
	}
	return "", diag.Span{}, false
}
