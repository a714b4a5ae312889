package lsp

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
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
		if len(own) == 0 || slices.ContainsFunc(own, outside) || !at.agreed(f) {
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

// agreed tells that the first fix of a finding changes nothing that is not at fault in
// the same way: a text below an anchor is a value at each of its aliases too.
func (at *spot) agreed(f *diag.Finding) bool {
	for _, e := range f.Fixes[0].Edits {
		data, _ := at.data(e.File)
		if by := at.sharings.By(data, e.Span, source.Limits{}); by != nil && by.Uses != 1 && by.Uses != fix.Alike(*f, at.found) {
			return false
		}
	}
	return true
}
