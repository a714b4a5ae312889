package lsp

import (
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
)

// converted is what a file was found with, as an editor was told, and what that was made
// of: as long as it is the same, nothing is converted again.
type converted struct {
	found       []*diag.Finding
	texts       map[string][]byte // of the files that the findings point into
	opened      int               // how often documents had been opened and closed
	diagnostics []protocol.Diagnostic
}

// diagnostics are the findings of a model by file. One that points into no file of
// the mesh is shown at the top of its meshc.yaml. It needs the turn.
func (m *model) diagnostics(s *server) map[string][]protocol.Diagnostic {
	byFile, at := map[string][]*diag.Finding{}, ""
	held := map[string]bool{}
	for i := range m.found {
		f := &m.found[i]
		name := f.At().File
		there, asked := held[name]
		if !asked {
			there = m.holds(name)
			held[name] = there
		}
		if !there {
			if m.tree.Config == nil {
				continue
			}
			name = m.tree.Config.Path
		}
		at = name
		byFile[at] = append(byFile[at], f)
	}
	out, next := make(map[string][]protocol.Diagnostic, len(byFile)), make(map[string]*converted, len(byFile))
	opened := s.docs.changes()
	for name, found := range byFile {
		was := m.project.shown[name]
		if was == nil || was.opened != opened || !m.same(was, found) {
			was = m.show(found, s)
			was.opened = opened
		}
		was.found = found
		next[name], out[name] = was, was.diagnostics
	}
	m.project.shown = next
	return out
}

// same tells whether findings, and the files that they point into, are as they were.
func (m *model) same(was *converted, found []*diag.Finding) bool {
	for name, text := range was.texts {
		if now, _ := m.data(name); !sameBytes(now, text) {
			return false
		}
	}
	return slices.EqualFunc(was.found, found, sameFinding)
}

func sameFinding(a, b *diag.Finding) bool {
	return a.Code == b.Code && a.Severity == b.Severity && a.Message == b.Message && a.Effect == b.Effect && a.Help == b.Help && a.Known == b.Known &&
		slices.Equal(a.Locations, b.Locations) && slices.Equal(a.Related, b.Related) &&
		(a.Waiver == b.Waiver || reflect.DeepEqual(a.Waiver, b.Waiver))
}

// show converts the findings of a file.
func (m *model) show(found []*diag.Finding, s *server) *converted {
	out := &converted{texts: map[string][]byte{}}
	for _, f := range found {
		for _, list := range [][]diag.Location{f.Locations, f.Related} {
			for _, l := range list {
				out.texts[l.File], _ = m.data(l.File)
			}
		}
		out.diagnostics = append(out.diagnostics, m.diagnostic(f, s))
	}
	out.diagnostics = distinct(out.diagnostics)
	return out
}
