package lsp_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/protocol"
)

// An editor that fixes all on save makes every fix of the file at once, and nothing else.
func TestAllFixesOfAFileAreMadeAtOnce(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.replace(policyFile, "methods: [POST]", "methods: [Post]")
	e.replace(policyFile, "matches: [buy-a-book", "matches: [buy-a-bok")
	e.Diagnostics(e.uri(policyFile), "both faults", func(list []protocol.Diagnostic) bool {
		return has("MSH0115")(list) && slices.ContainsFunc(list, func(d protocol.Diagnostic) bool { return strings.Contains(d.Message, "buy-a-bok") })
	})
	p := e.place(policyFile, "methods: [Po|st]")
	var all []protocol.CodeAction
	params := protocol.CodeActionParams{TextDocument: p.TextDocument, Range: protocol.Range{Start: p.Position, End: p.Position}}
	params.Context.Only = []string{"source.fixAll"}
	e.Call("textDocument/codeAction", params, &all)
	if len(all) != 1 || all[0].Kind != protocol.FixAll || len(all[0].Edit.Changes) != 1 {
		t.Fatalf("offered for the file: %+v", all)
	}
	e.apply(all[0].Edit)
	if now := string(e.texts[policyFile].Data); strings.Contains(now, "[Post]") || strings.Contains(now, "buy-a-bok") {
		t.Errorf("all fixes make\n%s", now)
	}
	e.Diagnostics(e.uri(policyFile), "nothing to fix", lacks("MSH0115"))
}

// Who points at a match that is nowhere is told so, and what was meant.
func TestHoverOnAMatchThatIsNowhere(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	e.replace(policyFile, "matches: [buy-a-book", "matches: [buy-a-bok")
	var hover protocol.Hover
	e.Call("textDocument/hover", e.place(policyFile, "matches: [buy-a-|bok"), &hover)
	for _, want := range []string{"no match of this name", "Perhaps `buy-a-book`?"} {
		if !strings.Contains(hover.Contents.Value, want) {
			t.Errorf("the hover lacks %q: %s", want, hover.Contents.Value)
		}
	}
}

func TestARenameToAnImpossibleNameIsRefused(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	e.open(policyFile)
	err := e.Answer(e.Ask("textDocument/rename", protocol.RenameParams{
		PlaceParams: e.place(policyFile, "name: bookstore-service-|routes\n  namespace"), NewName: "Shop_Routes",
	}), nil)
	if err == nil || !strings.Contains(err.Error(), `"Shop_Routes" is not a name that Kubernetes takes: names hold lower-case letters`) {
		t.Errorf("renamed: %v", err)
	}
	err = e.Answer(e.Ask("workspace/executeCommand", protocol.CommandParams{Command: "no.such"}), nil)
	if err == nil || strings.Contains(err.Error(), "jsonrpc2") {
		t.Errorf("a refusal reads %v", err)
	}
}

// What check says of the age of a lock, and by pinned rule sets, an editor shows too.
func TestOldLocksAndPinnedRuleSetsAreJudged(t *testing.T) {
	dir := copyOf(t, "01-bookstore")
	const pin = "oci://registry.example.org/rules@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	config := "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: bookstore}\nspec:\n  sources: [./manifests]\n  lock: {maxAge: 24h}\n  rules: {dirs: [" + pin + "]}\n"
	lock := "# meshc.lock v1\n# at: 2020-01-01T00:00:00Z\n"
	for name, text := range map[string]string{"meshc.yaml": config, "meshc.lock": lock} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asked := ""
	sets := func(set source.RuleSet) (map[string][]byte, diag.List) {
		asked = set.Ref
		return map[string][]byte{"owner.rego": []byte(ownerRule)}, nil
	}
	e := edit(t, dir, lsp.Options{RuleSets: sets})
	e.begin()
	e.open(policyFile)
	e.Diagnostics(e.uri(policyFile), "a finding of the rule set", has("SET001"))
	if asked == "" {
		t.Error("no rule set was asked for")
	}
	e.Diagnostics(e.uri("meshc.lock"), "the age of the lock", has("MSH0206"))
}

const ownerRule = `# METADATA
# scope: package
# title: a target says whose it is
# description: a rule of a set
# custom:
#   meshc:
#     id: SET001
#     severity: warning
#     scope: object
#     kinds: [TrafficTarget]
#     help: add the label
#     since: 0.2.0
package rules.owner

deny contains {"path": ["metadata"], "message": "nobody owns it"} if not input.object.metadata.labels.owner
`
