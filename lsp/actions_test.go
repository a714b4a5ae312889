package lsp_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/protocol"
)

// actions are those at a place.
func (e *editor) actions(name, at string) []protocol.CodeAction {
	e.t.Helper()
	p := e.place(name, at)
	var out []protocol.CodeAction
	e.Call("textDocument/codeAction", protocol.CodeActionParams{
		TextDocument: p.TextDocument, Range: protocol.Range{Start: p.Position, End: p.Position},
	}, &out)
	return out
}

// apply makes the edits of open files.
func (e *editor) apply(edit *protocol.WorkspaceEdit) {
	e.t.Helper()
	for name := range e.texts {
		edits := edit.Changes[e.uri(name)]
		slices.SortFunc(edits, func(a, b protocol.TextEdit) int { // from the end, so that places stay
			if a.Range.Start.Before(b.Range.Start) {
				return 1
			}
			return -1
		})
		for _, one := range edits {
			e.change(name, protocol.Change{Range: &one.Range, Text: one.NewText})
		}
	}
}

func TestAFixIsAppliedAndTheFindingGoes(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.replace(policyFile, "methods: [POST]", "methods: [Post]")
	e.Diagnostics(e.uri(policyFile), "a method in lower case", has("MSH0115"))
	all := e.actions(policyFile, "methods: [Po|st]")
	i := slices.IndexFunc(all, func(a protocol.CodeAction) bool { return a.Edit != nil && a.IsPreferred })
	if i < 0 || all[i].Diagnostics[0].Code != "MSH0115" {
		t.Fatalf("no fix is offered: %+v", all)
	}
	e.apply(all[i].Edit)
	if !strings.Contains(string(e.texts[policyFile].Data), "methods: [POST]") {
		t.Errorf("the fix makes\n%s", e.texts[policyFile].Data)
	}
	e.Diagnostics(e.uri(policyFile), "nothing", lacks("MSH0115"))
}

// A waiver that is added by a click waives nothing until somebody writes who and why.
func TestAWaiverIsAddedAndMustBeFilledIn(t *testing.T) {
	for what, config := range map[string]string{
		"no list":       "spec:\n  mode: strict\n  sources: [./manifests]\n",
		"an empty list": "spec:\n  waivers: []\n  sources: [./manifests]\n",
		"a list":        "spec:\n  sources: [./manifests]\n  waivers:\n    - {code: MSH1506, target: {kind: HTTPRouteGroup, namespace: bookstore, name: other}, reason: r, owner: o, expires: 2026-12-01}\n",
	} {
		e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
		e.begin()
		e.openText("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata:\n  name: bookstore\n"+config)
		e.open(policyFile)
		e.Diagnostics(e.uri(policyFile), "a match that nobody picks", has("MSH1506"))
		all := e.actions(policyFile, "name: update-books-|bought")
		i := slices.IndexFunc(all, func(a protocol.CodeAction) bool { return strings.HasPrefix(a.Title, "waive MSH1506") })
		if i < 0 {
			t.Fatalf("%s: no waiver is offered: %+v", what, all)
		}
		e.apply(all[i].Edit)
		e.Diagnostics(e.uri("meshc.yaml"), "who and why are missing", has("MSH0104"))
		e.replace("meshc.yaml", `reason: ""`, "reason: the shop will ask soon")
		e.replace("meshc.yaml", `owner: ""`, "owner: team-books")
		e.Diagnostics(e.uri("meshc.yaml"), "nothing", lacks("MSH0104"))
		shown := e.Diagnostics(e.uri(policyFile), "the finding, waived", func(list []protocol.Diagnostic) bool {
			return slices.ContainsFunc(list, func(d protocol.Diagnostic) bool {
				return d.Code == "MSH1506" && d.Severity == protocol.SeverityHint && strings.Contains(d.Message, "team-books")
			})
		})
		if !slices.ContainsFunc(shown.Diagnostics, func(d protocol.Diagnostic) bool {
			return d.Code == "MSH1506" && slices.Equal(d.Tags, []int{protocol.TagUnnecessary})
		}) {
			t.Errorf("%s: what nobody needs is not faint: %+v", what, shown.Diagnostics)
		}
	}
}

func TestACodeIsExplained(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.Diagnostics(e.uri(policyFile), "a match that nobody picks", has("MSH1506"))
	all := e.actions(policyFile, "name: update-books-|bought")
	i := slices.IndexFunc(all, func(a protocol.CodeAction) bool { return a.Title == "explain MSH1506" })
	if i < 0 {
		t.Fatalf("no explanation is offered: %+v", all)
	}
	var text string
	e.Call("workspace/executeCommand", all[i].Command, &text)
	var shown protocol.Message
	if err := json.Unmarshal(e.Told("window/showMessage"), &shown); err != nil || shown.Message != text || !strings.Contains(text, "MSH1506") {
		t.Errorf("explained as %q, shown as %q (%v)", text, shown.Message, err)
	}
	e.openText("meshc.yaml", "# MSH1004 is waived below\n"+"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: x}\nspec: {sources: [./manifests]}\n")
	if got := e.hover("meshc.yaml", "# MSH10|04"); !strings.Contains(got, "a rule refers to a route that does not exist") {
		t.Errorf("over a code: %q", got)
	}
	if err := e.Answer(e.Ask("workspace/executeCommand", protocol.Command{Command: "rm"}), nil); err == nil {
		t.Error("a command that nobody knows was run")
	}
}

func TestRenamingReachesEveryFile(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	var place protocol.Place
	e.Call("textDocument/prepareRename", e.place(policyFile, "[buy-|a-book"), &place)
	if place.Placeholder != "buy-a-book" {
		t.Errorf("to be renamed: %+v", place)
	}
	rename := func(at, to string) (edit *protocol.WorkspaceEdit, err error) {
		err = e.Answer(e.Ask("textDocument/rename", protocol.RenameParams{PlaceParams: e.place(policyFile, at), NewName: to}), &edit)
		return edit, err
	}
	edit, err := rename("[buy-|a-book", "order: one")
	if err != nil {
		t.Fatal(err)
	}
	e.apply(edit)
	edit, err = rename("name: bookstore-service-|routes\n  namespace", "shop-routes")
	if err != nil {
		t.Fatal(err)
	}
	e.apply(edit)
	text := string(e.texts[policyFile].Data)
	if strings.Count(text, `"order: one"`) != 3 || strings.Count(text, "name: shop-routes") != 3 || strings.Contains(text, "bookstore-service-routes") {
		t.Errorf("renamed:\n%s", text)
	}
	e.Diagnostics(e.uri(policyFile), "no name that leads nowhere", func(list []protocol.Diagnostic) bool {
		return lacks("MSH1004")(list) && lacks("MSH1005")(list)
	})
	for at, to := range map[string]string{"- name: books-|bought": "update-books-bought", "name: bookb|uyer\n    namespace": "other", "name: shop-|routes": " "} {
		if edit, err := rename(at, to); err == nil {
			t.Errorf("%q can be called %q: %+v", at, to, edit)
		}
	}
}
