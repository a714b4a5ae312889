package lsp_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/lsp"
	"github.com/meshc/meshc/lsp/protocol"
)

// complete is what is offered at a place, and the text after the first offer of a
// label is taken.
func (e *editor) complete(name, at, label string) (labels []string, text string) {
	e.t.Helper()
	var got protocol.CompletionList
	e.Call("textDocument/completion", e.place(name, at), &got)
	for _, i := range got.Items {
		labels = append(labels, i.Label)
		if i.Label == label && text == "" {
			text = string(e.texts[name].Apply(protocol.Change{Range: &i.TextEdit.Range, Text: i.TextEdit.NewText}, protocol.UTF16).Data)
		}
	}
	return labels, text
}

const head = "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata:\n  name: new\n  namespace: bookstore\nspec:\n"

// Each text is completed where its "|" stands; the offer is taken, and the text that
// it becomes is what the user would have typed.
func TestCompletionOffersWhatMayStandHere(t *testing.T) {
	e := edit(t, copyOf(t, "01-bookstore"), lsp.Options{})
	e.begin()
	const name = "manifests/new.yaml"
	e.openText(name, "")
	for _, c := range []struct{ what, text, pick, becomes, lacks string }{
		{"a field of the spec", head + "  ru|\n", "rules", head + "  rules:\n  - \n", "name"},
		{"a field of an item that is begun", head + "  sources:\n  - |\n", "namespace", head + "  sources:\n  - namespace: \n", "matches"},
		{"a field that is not written yet", head + "  destination:\n    kind: ServiceAccount\n    na|\n", "name", head + "  destination:\n    kind: ServiceAccount\n    name: \n", "kind"},
		{"a field in braces", head + "  destination: {kind: ServiceAccount, na|}\n", "name", head + "  destination: {kind: ServiceAccount, name: }\n", "kind"},
		{"a kind of subject", head + "  destination:\n    kind: S|\n", "ServiceAccount", head + "  destination:\n    kind: ServiceAccount\n", "Service"},
		{"an account of the namespace", head + "  destination:\n    kind: ServiceAccount\n    name: |\n    namespace: bookstore\n", "bookstore-v2", head + "  destination:\n    kind: ServiceAccount\n    name: bookstore-v2\n    namespace: bookstore\n", "bookbuyer"},
		{"a namespace", head + "  sources:\n  - kind: ServiceAccount\n    namespace: book|b\n", "bookbuyer", head + "  sources:\n  - kind: ServiceAccount\n    namespace: bookbuyer\n", ""},
		{"a route group", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: |\n", "bookstore-service-routes", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n", "bookwarehouse-service-routes"},
		{"a match, as a list that is not begun", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches: |\n", "buy-a-book", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches: [buy-a-book]\n", ""},
		{"a match, in brackets that are open", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches: [books-bought, b|\n", "buy-a-book", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches: [books-bought, buy-a-book\n", ""},
		{"a match, as an item", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches:\n    - |\n", "update-books-bought", head + "  rules:\n  - kind: HTTPRouteGroup\n    name: bookstore-service-routes\n    matches:\n    - update-books-bought\n", ""},
		{"a method", "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: g, namespace: bookstore}\nspec:\n  matches:\n  - name: m\n    methods: |\n", "*", "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: g, namespace: bookstore}\nspec:\n  matches:\n  - name: m\n    methods: [\"*\"]\n", ""},
		{"a service of a split", "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {name: s, namespace: bookstore}\nspec:\n  service: bookstore\n  backends:\n  - service: |\n", "bookstore-v1", "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\nmetadata: {name: s, namespace: bookstore}\nspec:\n  service: bookstore\n  backends:\n  - service: bookstore-v1\n", "mysql"},
		{"a port", "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: s, namespace: bookstore}\nspec:\n  matches:\n    ports: |\n", "3306", "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: s, namespace: bookstore}\nspec:\n  matches:\n    ports: [3306]\n", ""},
		{"a kind", "apiVersion: split.smi-spec.io/v1alpha2\nkind: |\n", "TrafficSplit", "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\n", "Service"},
		{"a version", "kind: TrafficSplit\napiVersion: spl|\n", "split.smi-spec.io/v1alpha4", "kind: TrafficSplit\napiVersion: split.smi-spec.io/v1alpha4\n", "v1"},
		{"a destination of a case", "apiVersion: meshc.dev/v1alpha1\nkind: VerdictTable\nmetadata: {name: v}\nspec:\n  cases:\n  - to: bookstore/|\n", "bookstore/bookstore-v1:14001", "apiVersion: meshc.dev/v1alpha1\nkind: VerdictTable\nmetadata: {name: v}\nspec:\n  cases:\n  - to: bookstore/bookstore-v1:14001\n", ""},
		{"an account of a workload", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: bookbuyer}\nspec:\n  template:\n    spec:\n      serviceAccountName: |\n", "bookbuyer", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, namespace: bookbuyer}\nspec:\n  template:\n    spec:\n      serviceAccountName: bookbuyer\n", "bookthief"},
	} {
		e.change(name, protocol.Change{Text: strings.Replace(c.text, "|", "", 1)})
		before, _, _ := strings.Cut(c.text, "|")
		labels, text := e.complete(name, before[max(0, strings.LastIndex(before, "\n")):]+"|", c.pick)
		if at := strings.Index(before, before[max(0, strings.LastIndex(before, "\n")):]); at+len(before[max(0, strings.LastIndex(before, "\n")):]) != len(before) {
			t.Fatalf("%s: the place is not told apart", c.what)
		}
		if text != c.becomes {
			t.Errorf("%s: offered %v, and the text becomes\n%s", c.what, labels, text)
		}
		if c.lacks != "" && slices.Contains(labels, c.lacks) {
			t.Errorf("%s: %q is offered among %v", c.what, c.lacks, labels)
		}
	}
}
