package lsp_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/lsptest"
	"github.com/meshc/meshc/lsp/protocol"
)

// editor is a client with a copy of a tree.
type editor struct {
	*lsptest.Client
	t     *testing.T
	dir   string
	texts map[string]*protocol.Text
	vers  map[string]int32
	ended chan bool
}

// today is a day on which no example has an end behind it.
func today() time.Time { return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC) }

// atOnce lets a server look for findings as soon as something is typed.
func atOnce() <-chan time.Time {
	c := make(chan time.Time)
	close(c)
	return c
}

// edit starts a server on a folder.
func edit(t *testing.T, dir string, opts lsp.Options) *editor {
	t.Helper()
	if opts.Now == nil {
		opts.Now = today
	}
	if opts.Quiet == nil {
		opts.Quiet = atOnce
	}
	if opts.Log == nil {
		opts.Log = testLog{t}
	}
	serverIn, clientOut := io.Pipe()
	clientIn, serverOut := io.Pipe()
	e := &editor{t: t, dir: dir, texts: map[string]*protocol.Text{}, vers: map[string]int32{}, ended: make(chan bool, 1)}
	go func() {
		ok := lsp.Serve(context.Background(), serverIn, serverOut, opts)
		serverIn.Close()
		serverOut.Close()
		e.ended <- ok
	}()
	e.Client = lsptest.New(t, clientIn, clientOut)
	t.Cleanup(func() { clientOut.Close(); clientIn.Close() })
	return e
}

type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	if strings.Contains(string(b), "defect") {
		l.t.Errorf("%s", b)
	}
	return len(b), nil
}

// open begins a conversation about the folder.
func (e *editor) begin() protocol.InitializeResult {
	e.t.Helper()
	var result protocol.InitializeResult
	e.Call("initialize", map[string]any{
		"capabilities":     map[string]any{},
		"workspaceFolders": []protocol.Folder{{URI: lsptest.URI(e.dir), Name: "it"}},
	}, &result)
	e.Notify("initialized", map[string]any{})
	return result
}

func (e *editor) uri(name string) string { return lsptest.URI(filepath.Join(e.dir, name)) }

// open shows a file.
func (e *editor) open(name string) {
	e.t.Helper()
	data, err := os.ReadFile(filepath.Join(e.dir, name))
	if err != nil {
		e.t.Fatal(err)
	}
	e.openText(name, string(data))
}

func (e *editor) openText(name, text string) {
	e.texts[name] = protocol.NewText([]byte(text))
	e.vers[name] = 1
	e.Notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
		"uri": e.uri(name), "languageId": "yaml", "version": 1, "text": text,
	}})
}

// replace types over the first place that says a text.
func (e *editor) replace(name, old, new string) {
	e.t.Helper()
	text := e.texts[name]
	at := strings.Index(string(text.Data), old)
	if at < 0 {
		e.t.Fatalf("%s does not say %q", name, old)
	}
	e.change(name, protocol.Change{Range: &protocol.Range{
		Start: text.Position(at, protocol.UTF16), End: text.Position(at+len(old), protocol.UTF16),
	}, Text: new})
}

func (e *editor) change(name string, changes ...protocol.Change) {
	for _, c := range changes {
		e.texts[name] = e.texts[name].Apply(c, protocol.UTF16)
	}
	e.vers[name]++
	e.Notify("textDocument/didChange", protocol.DidChange{
		TextDocument: protocol.VersionedID{URI: e.uri(name), Version: e.vers[name]}, ContentChanges: changes,
	})
}

// place is where a text stands; the cursor is put behind the letters before "|".
func (e *editor) place(name, text string) protocol.PlaceParams {
	e.t.Helper()
	before, after, _ := strings.Cut(text, "|")
	at := strings.Index(string(e.texts[name].Data), before+after)
	if at < 0 {
		e.t.Fatalf("%s does not say %q", name, before+after)
	}
	return protocol.PlaceParams{
		TextDocument: protocol.DocumentID{URI: e.uri(name)},
		Position:     e.texts[name].Position(at+len(before), protocol.UTF16),
	}
}

// end says goodbye and tells whether the server took it so.
func (e *editor) end() bool {
	e.t.Helper()
	e.Call("shutdown", nil, nil)
	e.Notify("exit", nil)
	e.Ended()
	return <-e.ended
}

// copyOf is a copy of an example.
func copyOf(t *testing.T, example string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "examples", example))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func has(code string) func([]protocol.Diagnostic) bool {
	return func(list []protocol.Diagnostic) bool {
		return slices.ContainsFunc(list, func(d protocol.Diagnostic) bool { return d.Code == code })
	}
}

func lacks(code string) func([]protocol.Diagnostic) bool {
	return func(list []protocol.Diagnostic) bool { return !has(code)(list) }
}

const policyFile = "manifests/policy-bookstore.yaml"

func TestAFaultIsShownWhileItIsTypedAndGoesWhenItIsMended(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	if got := e.begin().Capabilities.PositionEncoding; got != protocol.UTF16 {
		t.Errorf("an editor that offers nothing gets positions in %s", got)
	}
	e.open(policyFile)
	e.replace(policyFile, "matches: [buy-a-book, books-bought]", "matches: [buy-a-bok, books-bought]")
	shown := e.Diagnostics(e.uri(policyFile), "a match that is not there", has("MSH1005"))
	i := slices.IndexFunc(shown.Diagnostics, func(d protocol.Diagnostic) bool { return d.Code == "MSH1005" })
	d := shown.Diagnostics[i]
	line := string(e.texts[policyFile].Line(int(d.Range.Start.Line)))
	if got := line[d.Range.Start.Character:d.Range.End.Character]; got != "buy-a-bok" || d.Severity != protocol.SeverityError ||
		d.Source != "meshc" || d.CodeDescription == nil || !strings.Contains(d.CodeDescription.Href, "msh1005") {
		t.Errorf("the finding is at %q: %+v", got, d)
	}
	if shown.Version == nil || *shown.Version != 2 {
		t.Errorf("the diagnostics are of version %v, not of the one that was typed", shown.Version)
	}
	e.replace(policyFile, "buy-a-bok,", "buy-a-book,")
	e.Diagnostics(e.uri(policyFile), "nothing", lacks("MSH1005"))
	if !e.end() {
		t.Error("shutdown and exit are no good end")
	}
}

func (e *editor) hover(name, text string) string {
	e.t.Helper()
	var h *protocol.Hover
	e.Call("textDocument/hover", e.place(name, text), &h)
	if h == nil {
		return ""
	}
	return h.Contents.Value
}

// lines are places as file:line, for comparison.
func (e *editor) lines(method string, params any) []string {
	e.t.Helper()
	var all []protocol.Location
	e.Call(method, params, &all)
	var out []string
	for _, l := range all {
		name := strings.TrimPrefix(l.URI, lsptest.URI(e.dir)+"/")
		data, err := os.ReadFile(filepath.Join(e.dir, name))
		if err != nil {
			e.t.Fatal(err)
		}
		out = append(out, name+": "+strings.TrimSpace(string(protocol.NewText(data).Line(int(l.Range.Start.Line)))))
	}
	return out
}

func TestHoverTellsWhoGetsWhat(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.open("manifests/bookstore.yaml")
	e.open("manifests/bookbuyer.yaml")
	for _, c := range []struct{ file, at, wants string }{
		{policyFile, "name: bookbuyer-acc|ess-bookstore-v1", "`bookbuyer/bookbuyer`|call `bookstore/bookstore-v1`|`bookstore/bookstore:14001`|GET of `(?:.*a-book.*new).*` (buy-a-book)"},
		{policyFile, "kind: Traffic|Target", "bookbuyer-access-bookstore-v1|lets"},
		{policyFile, "name: bookstore-service-|routes\n    matches", "Used by|TrafficTarget/bookstore/bookbuyer-access-bookstore-v2|POST of `/update-books-bought`"},
		{policyFile, "[buy-|a-book", "**match** `buy-a-book`|Used by|`bookbuyer/bookbuyer` → `bookstore/bookstore-v1`"},
		{policyFile, "name: update-books-b|ought", "Nothing uses it"},
		{policyFile, "name: bookstore-sp|lit", "Calls to `bookstore/bookstore`|`bookstore/bookstore-v1` | 50 | 50 %"},
		{policyFile, "service: bookstore-v|1", "Backed by `bookstore/bookstore-v1`|port `14001` bookstore-port, http|backend of `TrafficSplit/bookstore/bookstore-split`|`bookbuyer/bookbuyer` on"},
		{"manifests/bookbuyer.yaml", "serviceAccountName: book|buyer", "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer|May call|`bookstore/bookstore-v2`"},
		{"manifests/bookbuyer.yaml", "namespace: book|buyer", "mode strict|egress denied"},
		{"manifests/bookstore.yaml", "kind: Deploy|ment", "Runs as `bookstore/bookstore-v1`|backs `bookstore/bookstore`"},
	} {
		got := e.hover(c.file, c.at)
		for _, want := range strings.Split(strings.ReplaceAll(c.wants, " | ", "\x00"), "|") {
			if want = strings.ReplaceAll(want, "\x00", " | "); !strings.Contains(got, want) {
				t.Errorf("over %q in %s %q is missing:\n%s", c.at, c.file, want, got)
			}
		}
	}
	if got := e.hover(policyFile, "# What can| be asked"); got != "" {
		t.Errorf("a comment means: %s", got)
	}
}

func TestNamesLeadToWhatTheyMeanAndBack(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.open("verdicts.yaml")
	for _, c := range []struct{ file, at, want string }{
		{policyFile, "matches: [buy-a-book, books-|bought]", policyFile + ": - name: books-bought"},
		{policyFile, "kind: ServiceAccount\n    name: bookb|uyer", "manifests/bookbuyer.yaml: name: bookbuyer"},
		{policyFile, "- service: bookstore-v|2", "manifests/bookstore.yaml: name: bookstore-v2"},
		{policyFile, "namespace: book|buyer", "manifests/bookbuyer.yaml: name: bookbuyer"},
		{"verdicts.yaml", "to: bookstore/book|store:14001", "manifests/bookstore.yaml: name: bookstore"},
		{"verdicts.yaml", "because: [TrafficTarget/|bookstore/", policyFile + ": name: bookbuyer-access-bookstore-v1"},
	} {
		if got := e.lines("textDocument/definition", e.place(c.file, c.at)); !slices.Equal(got, []string{c.want}) {
			t.Errorf("%q leads to %v, not to %s", c.at, got, c.want)
		}
	}
	refs := protocol.ReferenceParams{PlaceParams: e.place(policyFile, "- name: buy-|a-book")}
	if got := e.lines("textDocument/references", refs); !slices.Equal(got, []string{policyFile + ": matches: [buy-a-book, books-bought]", policyFile + ": matches: [buy-a-book, books-bought]"}) {
		t.Errorf("the match is used in %v", got)
	}
	refs = protocol.ReferenceParams{PlaceParams: e.place(policyFile, "service: book|store\n")}
	refs.Context.IncludeDeclaration = true
	got := e.lines("textDocument/references", refs)
	if len(got) < 4 || got[0] != "manifests/bookstore.yaml: name: bookstore" || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "verdicts.yaml: to: bookstore/bookstore:14001") }) {
		t.Errorf("the root is used in %v", got)
	}
}

func TestOutlinesAndSearch(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	var outline []protocol.DocumentSymbol
	e.Call("textDocument/documentSymbol", protocol.DocumentParams{TextDocument: protocol.DocumentID{URI: e.uri(policyFile)}}, &outline)
	if len(outline) != 4 || outline[0].Name != "bookstore-service-routes" || len(outline[0].Children) != 3 ||
		outline[0].Children[1].Name != "buy-a-book" || outline[3].Children[0].Detail != "weight 50" {
		t.Errorf("the outline is %+v", outline)
	}
	for i, o := range outline {
		if o.SelectionRange.Start.Before(o.Range.Start) || i > 0 && o.Range.Start.Before(outline[i-1].Range.End) {
			t.Errorf("%s stands at %+v, its name at %+v", o.Name, o.Range, o.SelectionRange)
		}
	}
	var found []protocol.SymbolInformation
	e.Call("workspace/symbol", protocol.SymbolParams{Query: "BUY-A"}, &found)
	if len(found) != 1 || found[0].Name != "buy-a-book" || found[0].ContainerName != "HTTPRouteGroup/bookstore/bookstore-service-routes" {
		t.Errorf("found %+v", found)
	}
}
