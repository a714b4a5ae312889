package lsp

import (
	"bytes"
	"context"
	"maps"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
)

// published is what an editor was told of a document last.
type published struct {
	uri         string
	diagnostics []protocol.Diagnostic
}

// publish tells the editor what is found now, where that is something else than
// what it knows. It needs the turn.
func (w *workspace) publish(ctx context.Context) {
	found, several := map[string][]protocol.Diagnostic{}, map[string]bool{}
	for _, p := range w.projects {
		if p.model == nil || !p.concerned() {
			continue
		}
		for name, list := range p.model.diagnostics(w.s) {
			key := p.key(name)
			if _, two := found[key]; !two {
				found[key] = list
				continue
			}
			several[key] = true
			found[key] = slices.Concat(found[key], list)
		}
	}
	for key, was := range w.published {
		if _, still := found[key]; !still && len(was.diagnostics) > 0 {
			found[key] = nil
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list := found[key]
		if several[key] || list == nil {
			list = distinct(list)
		}
		w.tell(ctx, key, list)
	}
}

// tell publishes the diagnostics of a document if they are others.
func (w *workspace) tell(ctx context.Context, key string, list []protocol.Diagnostic) {
	now := published{uri: w.s.uri(key), diagnostics: list}
	if was, told := w.published[key]; told && was.uri == now.uri && sameDiagnostics(was.diagnostics, list) {
		return
	}
	w.published[key] = now
	message := protocol.PublishDiagnostics{URI: now.uri, Diagnostics: list}
	if doc := w.s.docs.get(key); doc != nil {
		message.Version = &doc.version
	}
	w.s.send(ctx, "textDocument/publishDiagnostics", message)
}

// sameDiagnostics compares lists, most of which are the very same.
func sameDiagnostics(a, b []protocol.Diagnostic) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || reflect.DeepEqual(a, b))
}

// distinct drops what several meshes find in one file; it is never nil: editors
// want a list.
func distinct(list []protocol.Diagnostic) []protocol.Diagnostic {
	out := []protocol.Diagnostic{}
	for _, d := range list {
		if !slices.ContainsFunc(out, func(o protocol.Diagnostic) bool {
			return o.Range == d.Range && o.Code == d.Code && o.Message == d.Message
		}) {
			out = append(out, d)
		}
	}
	return out
}

// concerned tells whether there is a mesh to judge. A folder without a meshc.yaml
// may be anything: its files are judged when one of them is of SMI.
func (p *project) concerned() bool {
	if p.ruled {
		return true
	}
	for _, f := range p.tree.Files {
		if bytes.Contains(f.Data, []byte("smi-spec.io/")) {
			return true
		}
	}
	return len(p.tree.Builds) > 0
}

// diagnostic is a finding as editors show it.
func (m *model) diagnostic(f *diag.Finding, s *server) protocol.Diagnostic {
	d := protocol.Diagnostic{
		Range: m.span(f.At(), s.encoding), Severity: severity(f), Code: string(f.Code), Source: "meshc", Message: message(f),
		CodeDescription: description(f.Code), Tags: tags[f.Code],
	}
	if label := f.Locations[0].Label; label != "" {
		if at, ok := m.location(f.At(), s); ok {
			d.RelatedInformation = append(d.RelatedInformation, protocol.Related{Location: at, Message: label})
		}
	}
	for _, r := range f.Related {
		if at, ok := m.location(r.Span, s); ok {
			d.RelatedInformation = append(d.RelatedInformation, protocol.Related{Location: at, Message: r.Label})
		}
	}
	return d
}

// severity is a finding's; what somebody has accepted is a hint.
func severity(f *diag.Finding) int {
	switch {
	case !f.Counts():
		return protocol.SeverityHint
	case f.Severity == diag.Error:
		return protocol.SeverityError
	case f.Severity == diag.Warning:
		return protocol.SeverityWarning
	}
	return protocol.SeverityInformation
}

// message is what is wrong, what it means and what to do.
func message(f *diag.Finding) string {
	out := f.Message
	if f.Effect != "" {
		out += "\n" + f.Effect
	}
	if f.Help != "" {
		out += "\nhelp: " + f.Help
	}
	if w := f.Waiver; w != nil {
		out += "\nwaived until " + w.Expires + " by " + w.Owner + ": " + w.Reason
	}
	if f.Known {
		out += "\nin the baseline"
	}
	return out
}

var (
	unnecessary = []int{protocol.TagUnnecessary}
	deprecated  = []int{protocol.TagDeprecated}
)

// tags are how editors show some findings: what nothing needs is faint, what is
// old is struck out.
var tags = map[diag.Code][]int{
	"MSH0121": unnecessary, // a field that narrows has no value
	"MSH0207": unnecessary, // a fact that nothing needs
	"MSH0902": unnecessary, // a waiver matches nothing
	"MSH1018": unnecessary, // a path expression can never match
	"MSH1021": unnecessary, // a route is used by nobody
	"MSH1506": unnecessary, // a match is picked by nobody
	"MSH1507": unnecessary, // a match is shadowed by another
	"MSH1515": deprecated,  // an old version of SMI
	"MSH2012": unnecessary, // a split is never reached
	"MSH3502": unnecessary, // a source is an account that no workload has
}
