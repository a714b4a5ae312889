package lsp_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/baseline"
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

// What a baseline has is a hint in an editor, as check does not count it; what is new
// is as severe as ever.
func TestAnEditorHoldsFindingsAgainstTheBaseline(t *testing.T) {
	dir := copyOf(t, "broken")
	tree, found, err := source.LoadFS(os.DirFS(dir), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, more := compiler.Compile(tree, ir.Known{}, compiler.Options{Now: today(), NoPlan: true})
	accepted, left := baseline.Of(append(found, more...).Sorted())
	if err := os.WriteFile(filepath.Join(dir, "baseline.txt"), accepted.Print(), 0o644); err != nil || left == 0 {
		t.Fatal(err, left)
	}
	e := edit(t, dir, lsp.Options{Baseline: "baseline.txt"})
	e.begin()
	e.Diagnostics(e.uri("meshc.yaml"), "what it has", func(list []protocol.Diagnostic) bool { return len(list) > 0 })
	e.Call("workspace/symbol", protocol.SymbolParams{Query: "nothing"}, nil)
	hints, others := 0, 0
	for _, raw := range e.Heard("textDocument/publishDiagnostics") {
		var p protocol.PublishDiagnostics
		if err := json.Unmarshal(raw, &p); err != nil {
			t.Fatal(err)
		}
		for _, d := range p.Diagnostics {
			switch known := strings.HasSuffix(d.Message, "\nin the baseline"); {
			case known && d.Severity == protocol.SeverityHint && diag.Code(d.Code).Waivable():
				hints++
			case known:
				t.Errorf("%s is in the baseline: %+v", d.Code, d)
			default:
				others++
			}
		}
	}
	if hints == 0 || others == 0 {
		t.Errorf("%d findings are hints, %d are not", hints, others)
	}
}
