package lsp

import (
	"context"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp/protocol"
)

// spot is a place in a mesh that an editor asks about.
type spot struct {
	*model
	name      string // of the file
	text      *protocol.Text
	line, col int // from 1, in characters
	sharings  source.Sharings
}

// spot finds the mesh and the place that are asked about; nil: no mesh has them.
func (s *server) spot(ctx context.Context, p protocol.PlaceParams) (*spot, error) {
	key := keyOf(p.TextDocument.URI)
	m, err := s.work.model(ctx, key)
	if m == nil || err != nil {
		return nil, err
	}
	name, _ := m.project.name(key)
	out := &spot{model: m, name: name, text: m.text(name), sharings: source.Sharings{}}
	out.line, out.col = out.text.Point(p.Position, s.encoding)
	return out, nil
}

func (at *spot) mention() (mention, bool) { return at.index().at(at.name, at.line, at.col) }

// definition leads from a name to where its thing is written: its manifest, a line
// of the lock, or what makes it.
func (s *server) definition(ctx context.Context, p *protocol.PlaceParams) (any, error) {
	at, err := s.spot(ctx, *p)
	if at == nil || err != nil {
		return nil, err
	}
	m, ok := at.mention()
	if !ok {
		return nil, nil
	}
	return at.locations(s, at.definitions(m.thing)), nil
}

// definitions are where a thing is written. A match that a group lacks leads to the
// group.
func (m *model) definitions(t thing) []diag.Span {
	x := m.index()
	if spans := x.defs[t]; len(spans) > 0 {
		return spans
	}
	if o, ok := m.result.Mesh.Origins[t.String()]; ok && m.holds(o.File) {
		return []diag.Span{{File: o.File, Line: o.Line, Col: max(o.Col, 1)}}
	}
	return x.defs[t.whole()]
}

func (m *model) locations(s *server, spans []diag.Span) []protocol.Location {
	out := []protocol.Location{}
	for _, at := range spans {
		if l, ok := m.location(at, s); ok {
			out = append(out, l)
		}
	}
	return out
}

// references are the places that name the thing at a place.
func (s *server) references(ctx context.Context, p *protocol.ReferenceParams) (any, error) {
	at, err := s.spot(ctx, p.PlaceParams)
	if at == nil || err != nil {
		return nil, err
	}
	m, ok := at.mention()
	if !ok {
		return nil, nil
	}
	spans := slices.Clone(at.index().uses[m.thing])
	if p.Context.IncludeDeclaration {
		spans = append(slices.Clone(at.index().defs[m.thing]), spans...)
	}
	return at.locations(s, spans), nil
}
