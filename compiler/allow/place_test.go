package allow_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

// listed puts the documents of a text into a List.
func listed(text string) string {
	out := "apiVersion: v1\nkind: List\nitems:\n"
	for _, doc := range strings.Split(text, "---\n") {
		out += "- " + strings.ReplaceAll(strings.TrimSpace(doc), "\n", "\n  ") + "\n"
	}
	return out
}

// A file that is one List stays one: what is granted is an item of it, and goes on in
// that item.
func TestAGrantInAListIsAnItem(t *testing.T) {
	text := listed(apps)
	tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(text)}), allow.Question{Request: ask("GET", "/a")})
	tree = allowed(t, tree, allow.Question{Request: ask("GET", "/b")})
	got, _ := tree.Text("apps.yaml")
	more := inserted(t, text, string(got))
	if strings.Contains(more, "---") || strings.Count(more, "- apiVersion: ") != 2 || !strings.Contains(more, "      matches: [get-a, get-b]\n") {
		t.Errorf("it adds\n%s", more)
	}
}

// What kubectl prints is a List in JSON, in lines or in one: what comes of it is JSON.
func TestAGrantInJSONIsJSON(t *testing.T) {
	var items []any
	for _, text := range []string{
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"api","namespace":"shop"},"spec":{"selector":{"app":"api"},"ports":[{"name":"http","port":80}]}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"api","namespace":"shop","labels":{"app":"api"}},"spec":{"serviceAccountName":"api","containers":[{"name":"a#","image":"a]"}]}}`,
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web","namespace":"shop"},"spec":{"serviceAccountName":"web","containers":[{"name":"a","image":"a"}]}}`,
	} {
		var item any
		if err := json.Unmarshal([]byte(text), &item); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	whole := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
	short, _ := json.Marshal(whole)
	long, _ := json.MarshalIndent(whole, "", "  ")
	for _, text := range []string{string(short), string(long)} {
		r := ask("GET", "/a")
		r.HTTP.Headers = []ir.Header{{Name: "X-Team", Value: `blue "#"`}}
		tree := allowed(t, source.FromMap(map[string][]byte{"apps.json": []byte(text)}), allow.Question{Request: r})
		tree = allowed(t, tree, allow.Question{Request: ask("POST", "/b")})
		got, _ := tree.Text("apps.json")
		var out struct{ Items []any }
		if err := json.Unmarshal(got, &out); err != nil || len(out.Items) != 5 || !strings.Contains(string(got), `"matches": ["get-a-x-team", "post-b"]`) {
			t.Errorf("%v, %d items:\n%s", err, len(out.Items), got)
		}
	}
}

// A grant with headers lets in requests that carry just these, and none without.
func TestAGrantMayRestOnHeaders(t *testing.T) {
	r := ask("GET", "/a")
	r.HTTP.Headers = []ir.Header{{Name: "X-Team", Value: "blue.1"}, {Name: "accept", Value: "text/plain"}}
	tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "policy.yaml": []byte(policy)}), allow.Question{Request: r})
	m := meaning(t, tree)
	for value, want := range map[string]ir.Outcome{"blue.1": ir.Allow, "blue-1": ir.Deny, "blue.12": ir.Deny, "a blue.1": ir.Deny} {
		other := ask("GET", "/a")
		other.HTTP.Headers = []ir.Header{{Name: "x-team", Value: value}, {Name: "accept", Value: "text/plain"}}
		if v := ir.Decide(m.Mesh, other); v.Outcome != want {
			t.Errorf("x-team %q is %s: %s", value, v.Outcome, v.Reason)
		}
	}
	if v := ir.Decide(m.Mesh, ask("GET", "/a")); v.Outcome != ir.Deny {
		t.Errorf("without headers it is %s", v.Outcome)
	}
	allowed(t, tree, allow.Question{Request: ask("GET", "/a")}) // which is another grant
	twice := ask("GET", "/c")
	twice.HTTP.Headers = []ir.Header{{Name: "a", Value: "1"}, {Name: "A", Value: "2"}}
	if _, found := allow.Write(meaning(t, tree), allow.Question{Request: twice}); len(found) != 1 || found[0].Code != "MSH4652" {
		t.Errorf("a header with two values: %+v", found)
	}
}

// Of what a kustomization renders the resource is edited; what a patch makes, and what
// is rendered under another name, is refused at the place that makes it.
func TestWhatAKustomizationMakesIsRefusedWhereItIsMade(t *testing.T) {
	const kustomization = "resources: [base.yaml, policy.yaml]\n"
	const patch = "apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata: {name: web, namespace: shop}\nspec:\n  rules:\n  - kind: HTTPRouteGroup\n    name: routes\n    matches: [list, more]\n"
	base := strings.Replace(policy, "        # the last comment", "        - {name: more, pathRegex: /more, methods: [GET]}", 1)
	for name, c := range map[string]struct{ file, kustomization, service string }{
		"a resource": {"", kustomization, "api"},
		"a patch":    {"patch.yaml", kustomization + "patches: [{path: patch.yaml}]\n", "api"},
		// kustomize does not know the references of SMI, so there is no policy yet
		"a prefix": {"kustomization.yaml", "resources: [base.yaml]\nnamePrefix: my-\n", "my-api"},
	} {
		fsys := fstest.MapFS{
			"kustomization.yaml": {Data: []byte(c.kustomization)}, "base.yaml": {Data: []byte(apps)},
			"policy.yaml": {Data: []byte(base)}, "patch.yaml": {Data: []byte(patch)},
		}
		tree, found, err := source.LoadFS(fsys, source.Options{})
		if err != nil || found.HasErrors() {
			t.Fatal(err, found)
		}
		r := ask("POST", "/buy")
		r.To.Service.Name = c.service
		edits, refused := allow.Write(meaning(t, tree), allow.Question{Request: r})
		if c.file == "" {
			if len(refused) > 0 || len(edits) != 1 || edits[0].Path != "policy.yaml" || !strings.Contains(inserted(t, base, string(edits[0].Data)), "- post-buy\n") {
				t.Errorf("%s: %+v, %v", name, refused, edits)
			}
			continue
		}
		if len(edits) > 0 || len(refused) != 1 || refused[0].Code != "MSH4654" || refused[0].At().File != c.file || refused[0].At().Line == 0 {
			t.Errorf("%s: %+v, %v", name, refused, edits)
		}
	}
}

// sharing is a policy whose group in shop is, by an anchor, that of another namespace too.
const sharing = `apiVersion: v1
kind: List
items:
- apiVersion: specs.smi-spec.io/v1alpha4
  kind: HTTPRouteGroup
  metadata: {name: routes, namespace: shop}
  spec: &routes
    matches:
    - {name: list, pathRegex: "/list", methods: [GET]}
- apiVersion: specs.smi-spec.io/v1alpha4
  kind: HTTPRouteGroup
  metadata: {name: routes, namespace: bank}
  spec: *routes
- apiVersion: access.smi-spec.io/v1alpha3
  kind: TrafficTarget
  metadata: {name: web, namespace: shop}
  spec:
    destination: {kind: ServiceAccount, name: api, namespace: shop}
    sources:
    - {kind: ServiceAccount, name: web, namespace: shop}
    rules:
    - kind: HTTPRouteGroup
      name: routes
      matches: [list]
`

// What is written once for several objects is not edited: the others would get it too.
func TestWhatAnAnchorSharesIsNotEdited(t *testing.T) {
	tree := source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "policy.yaml": []byte(sharing)})
	tree = allowed(t, tree, allow.Question{Request: ask("GET", "/secret")})
	got, _ := tree.Text("policy.yaml")
	if more, ok := strings.CutPrefix(string(got), sharing); !ok || strings.Count(more, "- apiVersion: ") != 2 {
		t.Errorf("the shared group is edited:\n%s", got)
	}
}

// A base that two overlays of a mesh build is not edited for one of them: the other
// would allow it too. A resource of the overlay's own is.
func TestABaseOfTwoOverlaysIsNotEdited(t *testing.T) {
	base := strings.ReplaceAll(apps, ", namespace: shop", "")
	for own, want := range map[string]string{"": "MSH4654", ", own.yaml": ""} {
		fsys := fstest.MapFS{
			"meshc.yaml":              {Data: []byte("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec:\n  sources: [{kustomize: ./a}, {kustomize: ./b}]\n")},
			"base/kustomization.yaml": {Data: []byte("resources: [apps.yaml]\n")},
			"base/apps.yaml":          {Data: []byte(base)},
			"a/kustomization.yaml":    {Data: []byte("namespace: shop\nresources: [../base" + own + "]\n")},
			"a/own.yaml":              {Data: []byte("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: api}\n")},
			"b/kustomization.yaml":    {Data: []byte("namespace: bank\nresources: [../base]\n")},
		}
		tree, found, err := source.LoadFS(fsys, source.Options{})
		if err != nil || found.HasErrors() {
			t.Fatal(err, found)
		}
		edits, refused := allow.Write(meaning(t, tree), allow.Question{Request: ask("GET", "/a")})
		switch {
		case want != "" && (len(edits) > 0 || len(refused) != 1 || string(refused[0].Code) != want || refused[0].At().File != "base/apps.yaml"):
			t.Errorf("%+v, %v", refused, edits)
		case want == "" && (len(refused) > 0 || len(edits) == 0 || edits[0].Path != "a/own.yaml"):
			t.Errorf("with a resource of its own: %+v, %v", refused, edits)
		}
	}
}
