package lsp

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
)

// codeAction offers what can be done about the findings in a range: the fixes that
// they carry, a waiver, and what their code means.
func (s *server) codeAction(ctx context.Context, p *protocol.CodeActionParams) (any, error) {
	out := []protocol.CodeAction{}
	wants := func(kind string) bool {
		only := p.Context.Only
		return len(only) == 0 || slices.ContainsFunc(only, func(k string) bool { return k == "" || kind == k || strings.HasPrefix(kind, k+".") })
	}
	if !wants(protocol.QuickFix) && !wants(protocol.FixAll) {
		return out, nil
	}
	at, err := s.spot(ctx, protocol.PlaceParams{TextDocument: p.TextDocument, Position: p.Range.Start})
	if at == nil || err != nil {
		return out, err
	}
	var waivers, words []protocol.CodeAction
	if all, several := at.fixAll(s); wants(protocol.FixAll) && (several || !wants(protocol.QuickFix)) && all != nil {
		words = append(words, *all)
	}
	if !wants(protocol.QuickFix) {
		return append(out, words...), nil
	}
	explained := map[diag.Code]bool{}
	for i := range at.found {
		f := &at.found[i]
		if f.At().File != at.name || !at.span(f.At(), s.encoding).Touches(p.Range) {
			continue
		}
		shown := []protocol.Diagnostic{at.diagnostic(f, s)}
		for i, fix := range f.Fixes {
			if i == 0 && !at.agreed(f) {
				continue
			}
			if edit, ok := at.edit(fix.Edits, s); ok {
				out = append(out, protocol.CodeAction{
					Title: fix.Title, Kind: protocol.QuickFix, Diagnostics: shown, Edit: edit, IsPreferred: len(f.Fixes) == 1,
				})
			}
		}
		if edit, ok := at.waiver(f, s); ok {
			waivers = append(waivers, protocol.CodeAction{
				Title: "waive " + string(f.Code) + " on " + f.Object.String() + " (write who and why into meshc.yaml)",
				Kind:  protocol.QuickFix, Diagnostics: shown, Edit: edit,
			})
		}
		if _, known := entryOf(f.Code); known && !explained[f.Code] {
			explained[f.Code] = true
			title := "explain " + string(f.Code)
			words = append(words, protocol.CodeAction{
				Title: title, Kind: protocol.QuickFix, Diagnostics: shown,
				Command: &protocol.Command{Title: title, Command: commandExplain, Arguments: []string{string(f.Code)}},
			})
		}
	}
	return slices.Concat(out, waivers, words), nil
}

// edit is changes as editors take them; ok is false when one lies in no document.
func (m *model) edit(edits []diag.Edit, s *server) (*protocol.WorkspaceEdit, bool) {
	out := &protocol.WorkspaceEdit{Changes: map[string][]protocol.TextEdit{}}
	for _, e := range edits {
		t := m.text(e.File)
		if t == nil || e.Line == 0 {
			return nil, false
		}
		end := t.At(e.Line, e.Col, s.encoding)
		if e.EndLine > 0 {
			end = t.At(e.EndLine, e.EndCol, s.encoding)
		}
		uri := s.uri(m.project.key(e.File))
		out.Changes[uri] = append(out.Changes[uri], protocol.TextEdit{
			Range: protocol.Range{Start: t.At(e.Line, e.Col, s.encoding), End: end}, NewText: e.NewText,
		})
	}
	return out, len(edits) > 0
}

// executeCommand runs what an action named.
func (s *server) executeCommand(ctx context.Context, p *protocol.CommandParams) (any, error) {
	var code string
	if p.Command != commandExplain || len(p.Arguments) != 1 || json.Unmarshal(p.Arguments[0], &code) != nil {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: "there is no such command: " + p.Command}
	}
	e, ok := entryOf(diag.Code(strings.ToUpper(code)))
	if !ok {
		return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: "no finding has the code " + code}
	}
	text := explanation(e)
	s.send(ctx, "window/showMessage", protocol.Message{Type: 3, Message: text})
	return text, nil
}
