package lsp

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/lsp/protocol"
)

// fixAll makes, in one action, the fixes in a file of findings that count: of each
// the first, as `meshc check --fix` does, unless it is in the way of an earlier one, or reaches into another
// file. several tells whether it does more than one fix would; nil: there is none.
func (at *spot) fixAll(s *server) (action *protocol.CodeAction, several bool) {
	text, _ := at.data(at.name)
	var edits []diag.Edit
	var mended []protocol.Diagnostic
	for i := range at.found {
		f := &at.found[i]
		if len(f.Fixes) == 0 || !f.Counts() || f.At().File != at.name {
			continue
		}
		own := f.Fixes[0].Edits
		outside := func(e diag.Edit) bool { return e.File != at.name || slices.Contains(edits, e) }
		if len(own) == 0 || slices.ContainsFunc(own, outside) {
			continue
		}
		if _, err := fix.Apply(text, slices.Concat(edits, own)); err != nil {
			continue
		}
		edits = append(edits, own...)
		mended = append(mended, at.diagnostic(f, s))
	}
	edit, ok := at.edit(edits, s)
	if !ok {
		return nil, false
	}
	return &protocol.CodeAction{
		Title: "fix all in this file that can be fixed", Kind: protocol.FixAll, Diagnostics: mended, Edit: edit,
	}, len(mended) > 1
}
