package lsp

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp/protocol"
)

// lasting is how long a waiver holds that is added.
const lasting = 30 * 24 * time.Hour

// waiver is an edit of meshc.yaml that waives a finding. Its reason and its owner are
// left blank, which is a fault until somebody writes them: nobody waives by a click.
func (m *model) waiver(f *diag.Finding, s *server) (*protocol.WorkspaceEdit, bool) {
	if m.tree.Config == nil || f.Object == nil || f.Object.Name == "" || !f.Code.Waivable() || !f.Counts() {
		return nil, false
	}
	t := m.text(m.tree.Config.Path)
	var doc yaml.Node
	if !parsed(string(t.Data), &doc) || len(doc.Content) == 0 {
		return nil, false
	}
	entry := []string{
		"- code: " + string(f.Code),
		"  target: " + targetText(*f.Object),
		`  reason: ""`,
		`  owner: ""`,
		"  expires: " + s.opts.Now().Add(lasting).Format(time.DateOnly),
	}
	edit, ok := insertWaiver(doc.Content[0], entry)
	if !ok {
		return nil, false
	}
	edit.File = m.tree.Config.Path
	return m.edit([]diag.Edit{edit}, s)
}

func targetText(o diag.Object) string {
	out := "{kind: " + o.Kind
	if o.Namespace != "" {
		out += ", namespace: " + o.Namespace
	}
	return out + fmt.Sprintf(", name: %s}", quoted(o.Name))
}

// insertWaiver finds the place for an entry: before the first of spec.waivers, in the
// place of an empty list, or before the first field of spec.
func insertWaiver(root *yaml.Node, entry []string) (diag.Edit, bool) {
	_, spec := source.Step(root, "spec")
	if spec == nil || spec.Kind != yaml.MappingNode || spec.Style&yaml.FlowStyle != 0 || len(spec.Content) == 0 {
		return diag.Edit{}, false
	}
	lines := func(column int, head ...string) string {
		indent := strings.Repeat(" ", column-1)
		return indent + strings.Join(append(head, entry...), "\n"+indent) + "\n"
	}
	key, list := source.Step(spec, "waivers")
	switch {
	case key == nil:
		first := spec.Content[0]
		return diag.Edit{Span: diag.Span{Line: first.Line, Col: 1}, NewText: lines(first.Column, "waivers:")}, true
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle != 0 && len(list.Content) == 0:
		text := "\n" + strings.TrimSuffix(lines(key.Column), "\n")
		return diag.Edit{Span: diag.Span{Line: list.Line, Col: list.Column, EndLine: list.Line, EndCol: list.Column + 2}, NewText: text}, true
	case list.Kind == yaml.SequenceNode && list.Style&yaml.FlowStyle == 0 && len(list.Content) > 0:
		return diag.Edit{Span: diag.Span{Line: list.Line, Col: 1}, NewText: lines(list.Column)}, true
	}
	return diag.Edit{}, false
}
