package lsp_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/lsptest"
	"github.com/meshc/meshc/lsp/protocol"
)

func (e *editor) write(name, text string) {
	e.t.Helper()
	path := filepath.Join(e.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

func (e *editor) changed(name string) {
	e.Notify("workspace/didChangeWatchedFiles", map[string]any{"changes": []map[string]any{{"uri": e.uri(name), "type": 2}}})
}

func none(list []protocol.Diagnostic) bool { return len(list) == 0 }

// While a document cannot be parsed, its names still lead somewhere and are still led
// to, at the lines on which they stand now.
func TestAFileThatCannotBeParsedIsStillFoundIn(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.Diagnostics(e.uri(policyFile), "what the example has", has("MSH1506")) // it was read once
	e.replace(policyFile, "  matches:\n  - name: books-bought", "  matches:\n  - name: [new\n    x\n  - name: books-bought")
	e.Diagnostics(e.uri(policyFile), "no YAML", has("MSH0040"))
	if got := e.hover(policyFile, "name: bookbuyer-acc|ess-bookstore-v1"); !strings.Contains(got, "bookbuyer-access-bookstore-v1") {
		t.Errorf("hover: %q", got)
	}
	var at []protocol.Location
	e.Call("textDocument/definition", e.place(policyFile, "matches: [buy-a-|book"), &at)
	if len(at) != 1 || !strings.Contains(string(e.texts[policyFile].Line(int(at[0].Range.Start.Line))), "- name: buy-a-book") {
		t.Errorf("definition: %+v", at)
	}
	err := e.Answer(e.Ask("textDocument/rename", protocol.RenameParams{PlaceParams: e.place(policyFile, "matches: [buy-a-|book"), NewName: "x"}), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot be parsed") {
		t.Errorf("renamed in a file that cannot be parsed: %v", err)
	}
	e.replace(policyFile, "  - name: [new\n    x\n", "")
	e.Diagnostics(e.uri(policyFile), "nothing", lacks("MSH0040"))
	if got := e.lines("textDocument/definition", e.place(policyFile, "matches: [buy-a-|book")); len(got) != 1 {
		t.Errorf("definition: %v", got)
	}
}

// Text that is not saved counts in kustomizations, in files that are nowhere on disk,
// and in meshc.yaml.
func TestUnsavedTextCounts(t *testing.T) {
	e := edit(t, copyOf(t, "04-kustomize-overlays"), lsp.Options{})
	e.begin()
	const base = "base/access.yaml"
	e.open(base)
	e.replace(base, "kind: ServiceAccount", "kind: ServiceAcount")
	e.Diagnostics(e.uri(base), "a kind that is none, through the overlay", func(list []protocol.Diagnostic) bool {
		return slices.ContainsFunc(list, func(d protocol.Diagnostic) bool { return strings.Contains(d.Message, "ServiceAcount") })
	})
	e.openText("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec:\n  sources: [./made]\n  mode: strikt\n")
	e.Diagnostics(e.uri("meshc.yaml"), "a mode that is none", has("MSH0301"))
	e.Diagnostics(e.uri(base), "nothing: the mesh has it no more", none)
}

func TestFindingsInEveryKindOfFile(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.write("meshc.lock", "service gone\n")
	e.write("rules/mine/policy.rego", "package mine\n\nallow := \n")
	e.begin()
	e.openText("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec:\n  sources: [./manifests]\n  rules: {dirs: [./rules]}\n  nothing: 1\n")
	e.open("verdicts.yaml")
	e.replace("verdicts.yaml", "expect: allow", "expect: alow")
	e.Diagnostics(e.uri("meshc.yaml"), "a field that is not known", has("MSH0101"))
	e.Diagnostics(e.uri("verdicts.yaml"), "a word that is not known", has("MSH0117"))
	e.Diagnostics(e.uri("meshc.lock"), "a line that cannot be read", has("MSH0201"))
	e.Diagnostics(e.uri("rules/mine/policy.rego"), "a rule that is no Rego", has("MSH0601"))
	e.write("rules/mine/policy.rego", "package mine\n")
	e.write("meshc.lock", "")
	e.changed("meshc.lock")
	e.Diagnostics(e.uri("meshc.lock"), "nothing", none)
	e.Diagnostics(e.uri("rules/mine/policy.rego"), "nothing of before", lacks("MSH0601"))
}

// What changes on disk, and what comes and goes, is heard of by watching.
func TestFilesComeAndGo(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.Call("initialize", map[string]any{
		"capabilities": map[string]any{"workspace": map[string]any{"didChangeWatchedFiles": map[string]any{"dynamicRegistration": true}}},
		"rootUri":      lsptest.URI(e.dir),
	}, nil)
	e.Notify("initialized", map[string]any{})
	if asked := string(e.Told("client/registerCapability")); !strings.Contains(asked, "meshc.lock") {
		t.Errorf("watched are %s", asked)
	}
	e.Diagnostics(e.uri(policyFile), "what the example has, though nothing is open", has("MSH1506"))
	if err := os.Remove(filepath.Join(e.dir, "manifests", "bookbuyer.yaml")); err != nil {
		t.Fatal(err)
	}
	e.changed("manifests/bookbuyer.yaml")
	e.Diagnostics(e.uri(policyFile), "an account that is not known", has("MSH3001"))
	e.openText("manifests/new.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: bookbuyer, namespace: bookbuyer}\n")
	e.Diagnostics(e.uri(policyFile), "an account in a file that is not saved", lacks("MSH3001"))
	e.Notify("textDocument/didClose", protocol.DocumentParams{TextDocument: protocol.DocumentID{URI: e.uri("manifests/new.yaml")}})
	e.Diagnostics(e.uri(policyFile), "an account that is gone with its editor", has("MSH3001"))
}

// Several meshes in one folder are judged apart; what belongs to none stays alone.
func TestSeveralMeshesAndFilesOutside(t *testing.T) {
	dir := t.TempDir()
	for name, example := range map[string]string{"one": "01-bookstore", "two": "02-canary"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", "examples", example))); err != nil {
			t.Fatal(err)
		}
	}
	target := "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: t, namespace: shop}\nspec:\n  rules: [{kind: HTTPRouteGroup, name: none}]\n"
	e := edit(t, dir, lsp.Options{})
	e.write("two/manifests/extra.yaml", target)
	e.begin()
	e.Diagnostics(e.uri("two/manifests/extra.yaml"), "the second mesh", has("MSH1004"))
	e.Diagnostics(e.uri("one/"+policyFile), "the first mesh", has("MSH1506"))
	e.open("one/" + policyFile)
	if got := e.hover("one/"+policyFile, "kind: Traffic|Split"); !strings.Contains(got, "bookstore-v1") {
		t.Errorf("the first mesh: %q", got)
	}
	outside := &editor{t: t, dir: copyOf(t, "01-bookstore"), Client: e.Client, texts: map[string]*protocol.Text{}, vers: map[string]int32{}}
	outside.open(policyFile)
	outside.Diagnostics(outside.uri(policyFile), "the mesh above a file that no folder holds", has("MSH1506"))
	alone := &editor{t: t, dir: t.TempDir(), Client: e.Client, texts: map[string]*protocol.Text{}, vers: map[string]int32{}}
	alone.openText("alone.yaml", target)
	alone.Diagnostics(alone.uri("alone.yaml"), "a file without a mesh", has("MSH1004"))
	e.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": "untitled:Untitled-1", "version": 1, "text": target}})
	e.Diagnostics("untitled:Untitled-1", "a document that is no file", has("MSH1004"))
	alone.openText("compose.yaml", "services: {web: {image: x}}\n")
	alone.change("alone.yaml", protocol.Change{Text: "a: 1\n"})
	alone.Diagnostics(alone.uri("alone.yaml"), "nothing: it is of no mesh", none)
	if told := e.Heard("textDocument/publishDiagnostics"); slices.ContainsFunc(told, func(raw json.RawMessage) bool { return strings.Contains(string(raw), "compose.yaml") }) {
		t.Error("a file that has nothing to do with a mesh is judged")
	}
	e.Notify("workspace/didChangeWorkspaceFolders", map[string]any{"event": map[string]any{"added": []any{}, "removed": []protocol.Folder{{URI: lsptest.URI(dir)}}}})
	e.Diagnostics(e.uri("two/manifests/extra.yaml"), "nothing: its folder was closed", none)
}

// An editor that counts bytes is answered in bytes.
func TestPositionsInBytesForEditorsThatOfferThem(t *testing.T) {
	for _, c := range []struct {
		offer []protocol.Encoding
		want  protocol.Encoding
		at    uint32
	}{{nil, protocol.UTF16, 25}, {[]protocol.Encoding{protocol.UTF16, protocol.UTF8}, protocol.UTF8, 28}} {
		e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
		var result protocol.InitializeResult
		e.Call("initialize", map[string]any{
			"capabilities":     map[string]any{"general": map[string]any{"positionEncodings": c.offer}},
			"workspaceFolders": []protocol.Folder{{URI: lsptest.URI(e.dir), Name: "it"}},
		}, &result)
		e.Notify("initialized", map[string]any{})
		if result.Capabilities.PositionEncoding != c.want {
			t.Errorf("agreed on %s, not on %s", result.Capabilities.PositionEncoding, c.want)
		}
		e.openText("manifests/new.yaml", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {labels: {a: \"é😀\"}, nane: x, namespace: default}\n")
		shown := e.Diagnostics(e.uri("manifests/new.yaml"), "a field that is not known", has("MSH0101"))
		for _, d := range shown.Diagnostics {
			if d.Code == "MSH0101" && d.Range.Start.Character != c.at+6 {
				t.Errorf("in %s the field is at character %d, not %d", c.want, d.Range.Start.Character, c.at+6)
			}
		}
	}
}
