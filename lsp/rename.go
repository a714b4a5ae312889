package lsp

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lsp/protocol"
)

// renamed are the kinds whose names only policy knows. A service or an account has
// its name in the cluster too.
var renamed = []string{"HTTPRouteGroup", "TCPRoute", "UDPRoute"}

// prepareRename tells whether the name at a place can be changed.
func (s *server) prepareRename(ctx context.Context, p *protocol.PlaceParams) (any, error) {
	at, err := s.spot(ctx, *p)
	if at == nil || err != nil {
		return nil, err
	}
	m, ok := at.mention()
	if !ok || m.role == heads || !slices.Contains(renamed, m.thing.kind) {
		return nil, nil
	}
	name := m.thing.name
	if m.thing.part != "" {
		name = m.thing.part
	}
	return protocol.Place{Range: at.span(m.at, s.encoding), Placeholder: name}, nil
}

// rename changes the name of a route or of a match wherever it stands. It changes
// nothing where one of the places says it in another way, as kustomizations make names.
func (s *server) rename(ctx context.Context, p *protocol.RenameParams) (any, error) {
	at, err := s.spot(ctx, p.PlaceParams)
	if at == nil || err != nil {
		return nil, err
	}
	m, ok := at.mention()
	if !ok || m.role == heads || !slices.Contains(renamed, m.thing.kind) {
		return nil, fmt.Errorf("only route groups, TCP and UDP routes and matches can be renamed: other names are known outside of the policy")
	}
	was, to := m.thing.name, m.thing
	to.name = p.NewName
	if m.thing.part != "" {
		was, to = m.thing.part, m.thing
		to.part = p.NewName
	}
	x := at.index()
	switch {
	case strings.TrimSpace(p.NewName) == "":
		return nil, fmt.Errorf("a name is not blank")
	case m.thing.part == "" && syntax.WrongName(p.NewName) != "":
		return nil, fmt.Errorf("%q is not a name that Kubernetes takes: names hold %s", p.NewName, syntax.WrongName(p.NewName))
	case len(x.defs[to]) > 0 && to != m.thing:
		return nil, fmt.Errorf("there is already %s", to)
	case len(x.defs[m.thing]) == 0:
		return nil, fmt.Errorf("%s is written nowhere in this mesh", m.thing)
	}
	var edits []diag.Edit
	for _, span := range slices.Concat(x.defs[m.thing], x.uses[m.thing]) {
		if _, broken := at.good[span.File]; broken {
			return nil, fmt.Errorf("%s cannot be parsed as it is: mend it first", span.File)
		}
		text := at.written(span)
		if value, ok := plainText(text); !ok || value != was {
			return nil, fmt.Errorf("%s says %s where %q was expected: rename it by hand", span, text, was)
		}
		edits = append(edits, diag.Edit{Span: span, NewText: likewise(text, p.NewName)})
	}
	edit, _ := at.edit(edits, s)
	return edit, nil
}

// written is what a span covers.
func (m *model) written(at diag.Span) string {
	t := m.text(at.File)
	if t == nil {
		return ""
	}
	start := t.Offset(t.At(at.Line, at.Col, protocol.UTF8), protocol.UTF8)
	end := t.Offset(t.At(at.EndLine, at.EndCol, protocol.UTF8), protocol.UTF8)
	return string(t.Data[start:max(start, end)])
}

// plainText is what a scalar says.
func plainText(text string) (string, bool) {
	var n yaml.Node
	if !parsed(text, &n) || len(n.Content) != 1 || n.Content[0].Kind != yaml.ScalarNode {
		return "", false
	}
	return n.Content[0].Value, true
}

// likewise is a text quoted like another, or where it must be.
func likewise(old, text string) string {
	switch {
	case strings.HasPrefix(old, "'") && !strings.ContainsAny(text, "'\n"):
		return "'" + text + "'"
	case strings.HasPrefix(old, `"`):
		return strconv.Quote(text)
	}
	if value, ok := plainText(text); ok && value == text && !strings.ContainsAny(text, ",[]{}?:#") {
		return text
	}
	return strconv.Quote(text)
}
