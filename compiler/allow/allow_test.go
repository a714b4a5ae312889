package allow_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/allow"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/memo"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// meaning reads a tree as far as its mesh: without rules and lowering.
func meaning(t *testing.T, tree *source.Tree) allow.Mesh {
	t.Helper()
	files, found := syntax.Parse(tree)
	s := syntax.NewSession()
	edit := s.Read(tree)
	world := resolve.NewSession(memo.New(), s.Config(), ir.Known{}, resolve.Options{})
	world.Set(edit)
	if found.HasErrors() {
		t.Fatalf("the tree has errors: %v", found)
	}
	return allow.Mesh{Tree: tree, Files: files, Mesh: world.Result().Mesh, Tables: files.Tables}
}

const apps = `apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, namespace: shop}
spec: {selector: {matchLabels: {app: api}}, template: {metadata: {labels: {app: api}}, spec: {serviceAccountName: api, containers: [{name: a, image: a}]}}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cron, namespace: shop}
spec: {serviceAccountName: cron, containers: [{name: a, image: a}]}
`

func ask(method, path string) ir.Request {
	return ir.Request{From: "spiffe://cluster.local/ns/shop/sa/web", To: ir.PortID{Service: ir.ServiceID{Namespace: "shop", Name: "api"}, Port: 80}, HTTP: &ir.HTTPRequest{Method: method, Path: path}}
}

// allowed writes a grant and gives the tree with it; it must let the request in.
func allowed(t *testing.T, tree *source.Tree, q allow.Question) *source.Tree {
	t.Helper()
	edits, found := allow.Write(meaning(t, tree), q)
	if len(found) > 0 {
		t.Fatalf("it is refused: %+v", found)
	}
	for _, e := range edits {
		tree = tree.With(e.Path, e.Data)
	}
	if v := ir.Decide(meaning(t, tree).Mesh, q.Request); v.Outcome != ir.Allow {
		t.Fatalf("it is not let in: %s", v.Reason)
	}
	return tree
}

// inserted tells whether a text is another one with lines put in, and gives these.
func inserted(t *testing.T, old, new string) string {
	t.Helper()
	var more []string
	rest := strings.SplitAfter(old, "\n")
	for _, line := range strings.SplitAfter(new, "\n") {
		if len(rest) > 0 && rest[0] == line {
			rest = rest[1:]
			continue
		}
		more = append(more, line)
	}
	if left := strings.Join(rest, ""); left != "" {
		t.Fatalf("what was written is not there as it was: %q", left)
	}
	return strings.Join(more, "")
}

const policy = `# Who may do what.  (two spaces)
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: routes, namespace: shop}   # flow
spec:
    matches:
        - {name: list, pathRegex: "/list", methods: [GET]}
        # the last comment

---
kind: TrafficTarget
apiVersion: access.smi-spec.io/v1alpha3
metadata: {name: web, namespace: shop}
spec:
    destination: {kind: ServiceAccount, name: api, namespace: shop}
    sources:
    - {kind: ServiceAccount, name: web, namespace: shop} # only web
    rules:
    - kind: HTTPRouteGroup
      name: routes
      matches:   # by name
      - list     # yes
# the end, without a line break`

// A client's own target gets a match more; all else stays byte for byte, comments,
// odd indents and a missing last line break among it.
func TestAnEditOnlyInserts(t *testing.T) {
	for name, text := range map[string]string{"as it is": policy, "CRLF": strings.ReplaceAll(policy, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "policy.yaml": []byte(text)}), allow.Question{Request: ask("POST", "/buy.html")})
			got, _ := tree.Text("policy.yaml")
			more := strings.ReplaceAll(inserted(t, text, string(got)), "\r\n", "\n")
			want := "        - name: post-buy-html\n          pathRegex: /buy\\.html$\n          methods: [POST]\n      - post-buy-html\n"
			if more != want {
				t.Errorf("it inserts\n%s\nnot\n%s", more, want)
			}
			if name == "CRLF" && strings.Count(string(got), "\n") != strings.Count(string(got), "\r\n") {
				t.Error("line breaks are mixed")
			}
		})
	}
}

// Nobody else gets anything: a target with another source, or a group that is
// referred to as a whole, is left alone.
func TestNobodyElseGetsAnything(t *testing.T) {
	for name, change := range map[string][2]string{
		"another source":  {"    rules:\n", "    - {kind: ServiceAccount, name: cron, namespace: shop}\n    rules:\n"},
		"the whole group": {"      matches:   # by name\n      - list     # yes\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(policy, change[0], change[1], 1)
			if text == policy {
				t.Fatal("the change changes nothing")
			}
			before := source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "policy.yaml": []byte(text)})
			tree := allowed(t, before, allow.Question{Request: ask("POST", "/buy")})
			cron := ask("POST", "/buy")
			cron.From = "spiffe://cluster.local/ns/shop/sa/cron"
			if v := ir.Decide(meaning(t, tree).Mesh, cron); v.Outcome != ir.Deny {
				t.Errorf("cron gets it too: %s", v.Reason)
			}
			longer := ask("POST", "/buy/more")
			if v := ir.Decide(meaning(t, tree).Mesh, longer); v.Outcome != ir.Deny {
				t.Errorf("a longer path gets in: %s", v.Reason)
			}
			got, _ := tree.Text("policy.yaml")
			if more := inserted(t, text+"\n", string(got)); !strings.HasPrefix(more, "---\n") || !strings.Contains(more, "name: web-to-api\n") {
				t.Errorf("it is not written as documents of their own:\n%s", more)
			}
		})
	}
}

// A second grant to the same pair goes into the first one's target.
func TestASecondGrantJoinsTheFirst(t *testing.T) {
	tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(apps)}), allow.Question{Request: ask("GET", "/a")})
	tree = allowed(t, tree, allow.Question{Request: ask("GET", "/b")})
	text, _ := tree.Text("apps.yaml")
	if n := strings.Count(string(text), "kind: TrafficTarget"); n != 1 || !strings.Contains(string(text), "matches: [get-a, get-b]") {
		t.Errorf("%d targets:\n%s", n, text[len(apps):])
	}
	if _, found := allow.Write(meaning(t, tree), allow.Question{Request: ask("GET", "/b")}); len(found) != 1 || found[0].Code != "MSH4651" || len(found[0].Related) != 1 {
		t.Errorf("what is allowed is not refused with what allows it: %+v", found)
	}
}

// The row goes to the table that asks about the service.
func TestTheTableGetsARow(t *testing.T) {
	table := "apiVersion: meshc.dev/v1alpha1\nkind: VerdictTable\nmetadata: {name: shop}\nspec:\n  cases:\n  - {name: one, from: shop/web, to: shop/api:80, http: {method: GET, path: /}, expect: deny} # kept\n"
	tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "verdicts.yaml": []byte(table)}), allow.Question{Request: ask("GET", "/a,b")})
	text, _ := tree.Text("verdicts.yaml")
	want := "  - name: shop/web may GET /a,b of shop/api\n    from: shop/web\n    to: shop/api:80\n    http: {method: GET, path: \"/a,b\"}\n    expect: allow\n"
	if more := inserted(t, table, string(text)); more != want {
		t.Errorf("the row is\n%s", more)
	}
	if files, found := syntax.Parse(tree); found.HasErrors() || len(files.Tables[0].Cases) != 2 || files.Tables[0].Cases[1].HTTP.Path != "/a,b" {
		t.Errorf("the table reads %+v, %v", files.Tables, found)
	}
}

// A path that YAML would read as something else inside braces is quoted.
func TestTheRowOfAnOddPathIsRead(t *testing.T) {
	mesh := "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\n"
	for _, path := range []string{"/a?x=1", "/a:", "/a,b", "/?"} {
		tree := allowed(t, source.FromMap(map[string][]byte{"apps.yaml": []byte(apps), "meshc.yaml": []byte(mesh)}), allow.Question{Request: ask("GET", path)})
		if files, found := syntax.Parse(tree); found.HasErrors() || len(files.Tables) != 1 || files.Tables[0].Cases[0].HTTP.Path != path {
			t.Errorf("%s: the table reads %+v, %v", path, files.Tables, found)
		}
	}
}

// What does not exist, what cannot be granted, and what lies in no file.
func TestRefusals(t *testing.T) {
	tree := source.FromMap(map[string][]byte{"apps.yaml": []byte(apps)})
	for name, c := range map[string]struct {
		code, says string
		change     func(*ir.Request)
	}{
		"a slip in the account": {"MSH4650", "did you mean shop/web", func(r *ir.Request) { r.From = "spiffe://cluster.local/ns/shop/sa/wbe" }},
		"a slip in the service": {"MSH4650", "did you mean shop/api", func(r *ir.Request) { r.To.Service.Name = "apii" }},
		"no such port":          {"MSH4650", "shop/api:80", func(r *ir.Request) { r.To.Port = 81 }},
		"bytes on an HTTP port": {"MSH4652", "METHOD and PATH", func(r *ir.Request) { r.HTTP = nil }},
		"CONNECT":               {"MSH4652", "CONNECT", func(r *ir.Request) { r.HTTP.Method = "CONNECT" }},
		"a hidden slash":        {"MSH4652", "hides a slash", func(r *ir.Request) { r.HTTP.Path = "/a%2fb" }},
		"slashes alone":         {"MSH4652", "ask for GET /", func(r *ir.Request) { r.HTTP.Path = "//?a" }},
		"no certificate":        {"MSH4652", "plaintext", func(r *ir.Request) { r.From = "" }},
	} {
		r := ask("GET", "/")
		c.change(&r)
		_, found := allow.Write(meaning(t, tree), allow.Question{Request: r})
		if len(found) != 1 || string(found[0].Code) != c.code || !strings.Contains(found[0].Message+found[0].Help, c.says) {
			t.Errorf("%s: %+v", name, found)
		}
	}
	m := meaning(t, tree)
	m.Tree = source.FromMap(nil) // as if a kustomization had rendered it
	if _, found := allow.Write(m, allow.Question{Request: ask("GET", "/")}); len(found) != 1 || found[0].Code != "MSH4654" {
		t.Errorf("without a file: %+v", found)
	}
}

// The example's own policy survives: what is written into it compiles.
func TestTheBookstoreTakesAGrant(t *testing.T) {
	files := map[string][]byte{}
	dir := filepath.Join("..", "..", "examples", "01-bookstore", "manifests")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	r := ir.Request{From: "spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer", To: ir.PortID{Service: ir.ServiceID{Namespace: "bookstore", Name: "bookstore"}, Port: 14001}, HTTP: &ir.HTTPRequest{Method: "GET", Path: "/catalog"}}
	tree := allowed(t, source.FromMap(files), allow.Question{Request: r})
	text, _ := tree.Text("policy-bookstore.yaml")
	if n := strings.Count(string(text), "matches: [buy-a-book, books-bought, get-catalog]"); n != 2 || strings.Count(string(text), "- name: get-catalog") != 1 {
		t.Errorf("both versions' targets get one match:\n%s", text)
	}
}
