package lsp

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lsp/protocol"
)

// symbolKinds are what editors draw for the kinds.
var symbolKinds = map[string]int{
	"TrafficTarget": protocol.SymbolInterface, "HTTPRouteGroup": protocol.SymbolFunction, "TCPRoute": protocol.SymbolFunction,
	"UDPRoute": protocol.SymbolFunction, "TrafficSplit": protocol.SymbolOperator, "Service": protocol.SymbolClass,
	"ServiceAccount": protocol.SymbolKey, "IdentityBinding": protocol.SymbolKey, "Namespace": protocol.SymbolNamespace,
}

func symbolKind(kind string) int { return cmp.Or(symbolKinds[kind], protocol.SymbolModule) }

// documentSymbol is the outline of a file: its objects, and what is in them.
func (s *server) documentSymbol(ctx context.Context, p *protocol.DocumentParams) (any, error) {
	out := []protocol.DocumentSymbol{}
	at, err := s.spot(ctx, protocol.PlaceParams{TextDocument: p.TextDocument})
	if at == nil || err != nil {
		return out, err
	}
	list := at.index().outlines[at.name]
	for i, o := range list {
		end := at.text.Lines()
		if i+1 < len(list) {
			end = list[i+1].at.Line - 1
		}
		out = append(out, at.symbol(o, end, s.encoding))
	}
	return out, nil
}

// symbol is an object that ends with a line, or before the mark of the next document.
func (at *spot) symbol(o outline, end int, e protocol.Encoding) protocol.DocumentSymbol {
	for n := o.at.Line; n < end; n++ {
		if strings.HasPrefix(string(at.text.Line(n)), "---") {
			end = n
			break
		}
	}
	sym := protocol.DocumentSymbol{
		Name: cmp.Or(o.object.Name, "?"), Detail: o.object.Kind + " in " + o.object.Namespace, Kind: symbolKind(o.object.Kind),
		Range: protocol.Range{
			Start: protocol.Position{Line: uint32(max(o.at.Line, 1) - 1)},
			End:   at.text.At(end, 1<<20, e),
		},
	}
	sym.SelectionRange = at.within(at.nameOf(o), sym.Range, e)
	for _, part := range parts(o.object) {
		r := at.within(part.at, sym.Range, e)
		sym.Children = append(sym.Children, protocol.DocumentSymbol{
			Name: cmp.Or(part.name, "?"), Detail: part.detail, Kind: protocol.SymbolMethod, Range: r, SelectionRange: r,
		})
	}
	return sym
}

// nameOf is where an object's name stands.
func (at *spot) nameOf(o outline) diag.Span {
	for _, span := range at.index().defs[thingOf(o.object)] {
		if span.File == at.name && span.Line >= o.at.Line {
			return span
		}
	}
	return o.at
}

// within is the range of a span that lies in another range, else the beginning of
// that: editors refuse a selection that lies outside.
func (at *spot) within(span diag.Span, outer protocol.Range, e protocol.Encoding) protocol.Range {
	r := at.span(span, e)
	if span.File != at.name || r.Start.Before(outer.Start) || outer.End.Before(r.End) {
		return protocol.Range{Start: outer.Start, End: outer.Start}
	}
	return r
}

// part is what stands in an object.
type part struct {
	name, detail string
	at           diag.Span
}

func parts(o *syntax.Object) []part {
	var out []part
	switch {
	case o.HTTPRouteGroup != nil:
		for i, m := range o.HTTPRouteGroup.Matches {
			out = append(out, part{m.Name, strings.TrimSpace(strings.Join(m.Methods, ",") + " " + m.PathRegex), o.AtUnion("spec", "matches", i, "name")})
		}
	case o.TrafficSplit != nil:
		for i, b := range o.TrafficSplit.Backends {
			out = append(out, part{b.Service, fmt.Sprintf("weight %d", b.Weight), o.AtUnion("spec", "backends", i, "service")})
		}
	case o.Service != nil:
		for i, port := range o.Service.Ports {
			out = append(out, part{fmt.Sprint(port.Port), strings.TrimSpace(port.Name + " " + port.AppProtocol), o.AtUnion("spec", "ports", i, "port")})
		}
	}
	return out
}

// mostSymbols bounds an answer: who gets more types another letter.
const mostSymbols = 500

// workspaceSymbol finds things by a part of their name, in all meshes.
func (s *server) workspaceSymbol(ctx context.Context, p *protocol.SymbolParams) (any, error) {
	out := []protocol.SymbolInformation{}
	models, err := s.work.models(ctx)
	if err != nil {
		return nil, err
	}
	query := strings.ToLower(p.Query)
	for _, m := range models {
		asked := func(t thing) bool { return strings.Contains(strings.ToLower(t.String()), query) }
		for _, t := range m.index().defined(asked) {
			name := cmp.Or(t.part, t.name)
			if len(out) == mostSymbols {
				break
			}
			for _, at := range m.locations(s, m.index().defs[t]) {
				sym := protocol.SymbolInformation{Name: name, Kind: symbolKind(t.kind), Location: at, ContainerName: t.namespace}
				if t.part != "" {
					sym.Kind, sym.ContainerName = protocol.SymbolMethod, t.whole().String()
				}
				if !slices.Contains(out, sym) {
					out = append(out, sym)
				}
			}
		}
	}
	return out, nil
}

// defined are the things that are written somewhere and that a test picks, in order
// of their names.
func (x *index) defined(pick func(thing) bool) []thing {
	type named struct {
		text string
		thing
	}
	var all []named
	for t := range x.defs {
		if pick(t) {
			all = append(all, named{t.String(), t})
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.text, b.text) })
	out := make([]thing, len(all))
	for i, n := range all {
		out[i] = n.thing
	}
	return out
}
