package lsp_test

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/protocol"
)

// What an editor shows is what the command line finds: every finding, once.
func TestAnEditorShowsWhatCheckFinds(t *testing.T) {
	dir := copyOf(t, "broken")
	tree, found, err := source.LoadFS(os.DirFS(dir), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, more := compiler.Compile(tree, ir.Known{}, compiler.Options{Now: today()})
	want := map[string]int{}
	seen := map[string]bool{}
	for _, f := range append(found, more...) {
		once := f.At().String() + string(f.Code) + f.Message
		if f.At().File != "" && !seen[once] {
			seen[once] = true
			want[f.At().File+" "+string(f.Code)]++
		}
	}
	if len(want) < 25 {
		t.Fatalf("the example has %d faults only", len(want))
	}
	e := edit(t, dir, lsp.Options{})
	e.begin()
	e.Diagnostics(e.uri("meshc.yaml"), "what it has", func(list []protocol.Diagnostic) bool { return len(list) > 0 })
	e.Call("workspace/symbol", protocol.SymbolParams{Query: "nothing"}, nil) // answered when all is published
	last := map[string][]protocol.Diagnostic{}
	for _, raw := range e.Heard("textDocument/publishDiagnostics") {
		var p protocol.PublishDiagnostics
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		last[p.URI] = p.Diagnostics
	}
	got := map[string]int{}
	for _, name := range tree.Names() {
		for _, d := range last[e.uri(name)] {
			got[name+" "+string(diag.Code(d.Code))]++
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("an editor shows %v\n\nthe command line finds %v", got, want)
	}
}
