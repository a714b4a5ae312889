package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copied is a copy of an example that may be written to.
func copied(t *testing.T, example string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A grant is written beside what is there, is compiled, and its row holds; a dry
// run shows the same and writes nothing; asked again it is refused.
func TestAllow(t *testing.T) {
	dir := copied(t, bookstore)
	question := []string{"allow", "bookbuyer/bookbuyer", "bookstore/bookstore", "GET", "/catalog", dir}
	dry, _ := wants(t, exitClean, append(question, "--dry-run")...)
	for _, says := range []string{"+  - name: get-catalog\n", "-    matches: [buy-a-book, books-bought]\n+    matches: [buy-a-book, books-bought, get-catalog]\n",
		"+++ " + filepath.ToSlash(dir) + "/verdicts.yaml", "newly allowed\n  + bookbuyer/bookbuyer can now GET /catalog on bookstore/bookstore:14001"} {
		if !strings.Contains(dry, says) {
			t.Errorf("it does not say %q:\n%s", says, dry)
		}
	}
	wants(t, exitFindings, "can", "bookbuyer/bookbuyer", "bookstore/bookstore", "GET", "/catalog", dir)
	out, _ := wants(t, exitClean, question...)
	if !strings.Contains(out, "wrote ") || !strings.Contains(out, "newly allowed") {
		t.Errorf("it does not tell what it did:\n%s", out)
	}
	wants(t, exitClean, "can", "bookbuyer/bookbuyer", "bookstore/bookstore", "GET", "/catalog", dir)
	wants(t, exitFindings, "can", "bookbuyer/bookbuyer", "bookstore/bookstore", "GET", "/catalog/more", dir)
	tested, _ := wants(t, exitClean, "test", dir)
	if !strings.Contains(tested, "13 cases") {
		t.Errorf("the row is not among the cases:\n%s", tested)
	}
	_, err := wants(t, exitFindings, question...)
	if !strings.Contains(err, "MSH4651") || !strings.Contains(err, "policy-bookstore.yaml:") {
		t.Errorf("it does not say what allows it already:\n%s", err)
	}
	out, _ = wants(t, exitClean, "allow", "bookstore/bookstore-v1", "bookwarehouse/mysql", "-o", "json", dir)
	var got struct {
		Written bool
		Files   []struct{ Path, Diff string }
		Changes []struct{ Effect string }
	}
	if e := json.Unmarshal([]byte(out), &got); e != nil || !got.Written || len(got.Files) != 2 || !strings.Contains(got.Files[0].Diff, "+    ports: [3306]") || got.Changes[0].Effect != "widened" {
		t.Errorf("TCP: %v\n%s", e, out)
	}
	wants(t, exitClean, "can", "bookstore/bookstore-v1", "bookwarehouse/mysql", dir)
}

// What is refused points at the argument, or at the case that says otherwise.
func TestAllowRefuses(t *testing.T) {
	dir := copied(t, bookstore)
	for says, args := range map[string][]string{
		"did you mean bookbuyer/bookbuyer?":            {"bookbuyer/bookbuyr", "bookstore/bookstore", "GET", "/x"},
		"command line:1:33":                            {"bookbuyer/bookbuyer", "bookstore/bookstore:99", "GET", "/x"},
		"nobody granted the buyer to change the count": {"bookbuyer/bookbuyer", "bookstore/bookstore", "POST", "/update-books-bought"},
		"egress": {"bookbuyer/bookbuyer", "external:books.example:80", "GET", "/x"},
		"leave METHOD and PATH out: a grant of its bytes is all": {"bookbuyer/bookbuyer", "bookwarehouse/mysql", "GET", "/x"},
		"port 14001 of bookstore/bookstore is http\n":            {"bookbuyer/bookbuyer", "bookstore/bookstore"},
	} {
		_, err := wants(t, exitFindings, append(append([]string{"allow"}, args...), dir)...)
		if !strings.Contains(err, says) {
			t.Errorf("%v: it does not say %q:\n%s", args, says, err)
		}
	}
	same, err := os.ReadFile(filepath.Join(dir, "verdicts.yaml"))
	was, err2 := os.ReadFile(filepath.Join(bookstore, "verdicts.yaml"))
	if err != nil || err2 != nil || string(same) != string(was) {
		t.Error("what is refused was written")
	}
	wants(t, exitUsage, "allow", "bookbuyer/bookbuyer")
	wants(t, exitUsage, "allow", "a/b", "c/d", "GET", "/", "--write")
}

// A log of audit mode is proposed, and written when that is asked for.
func TestAllowFromAudit(t *testing.T) {
	dir := copied(t, "../../examples/05-permissive-to-strict")
	log := filepath.Join(t.TempDir(), "access.log")
	line := `{"meshc":"http","side":"inbound","peer":"spiffe://cluster.local/ns/legacy/sa/api","port":"orders/api:80","method":"GET","path":"/orders/%","shadow_result":"denied","policy":"Mode/audit"}` + "\n"
	text := ""
	for _, n := range []string{"1", "2", "3"} {
		text += strings.Replace(line, "%", n, 1)
	}
	text += strings.Replace(line, "legacy", "lagacy", 1)
	if err := os.WriteFile(log, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := wants(t, exitClean, "allow", "--from-audit", log, dir)
	for _, says := range []string{"3x legacy/api sends GET /orders/[0-9]+$ to orders/api:80", "wider than the 3 paths seen", "+    pathRegex: /orders/[0-9]+$", "newly allowed\n  + legacy/api can now GET"} {
		if !strings.Contains(out, says) {
			t.Errorf("it does not say %q:\n%s", says, out)
		}
	}
	if !strings.Contains(err, "access.log:4:1") || !strings.Contains(err, "did you mean legacy/api?") {
		t.Errorf("the caller that is not known is not told:\n%s", err)
	}
	again, _ := wants(t, exitClean, "allow", "--from-audit", log, dir)
	if again != out {
		t.Error("a proposal was written without --write")
	}
	wants(t, exitClean, "allow", "--from-audit", log, "--write", dir)
	done, err := wants(t, exitClean, "allow", "--from-audit", log, dir)
	if done != "" || !strings.Contains(err, "nothing that audit mode let through") {
		t.Errorf("what was written is proposed again:\n%s", done)
	}
}

// Of a kustomization the resource is edited, under the names that it has there, and what
// that allows in other environments is told; a patch is left to who wrote it. With
// headers only requests that carry them get in.
func TestAllowInAKustomization(t *testing.T) {
	dir := copied(t, "../../examples/04-kustomize-overlays")
	_, err := wants(t, exitFindings, "allow", "shop/web", "shop/orders", "GET", "/x", dir)
	has(t, err, "MSH4654", "overlays/prod/web-only-reads.yaml:10:14", "- name: get-x")
	ask := []string{"allow", "shop/debug", "shop/orders", "GET", "/x", "-H", "x-team: blue", "--env", "staging", dir}
	before := read(t, filepath.Join(dir, "base/access.yaml"))
	out, _ := wants(t, exitClean, append(ask, "--dry-run")...)
	has(t, out, "+    - x-team: ^blue$", "newly allowed\n  + shop/debug can now GET /x with x-team", "newly allowed without an environment, too\n")
	if string(read(t, filepath.Join(dir, "base/access.yaml"))) != string(before) {
		t.Error("a dry run wrote")
	}
	wants(t, exitClean, ask...)
	after := string(read(t, filepath.Join(dir, "base/access.yaml")))
	if more, ok := strings.CutPrefix(after, string(before)); !ok || strings.Contains(more, "metadata:\n  name: debug-to-orders\n  namespace") {
		t.Errorf("the kustomization says the namespace, and the resource now says\n%s", after)
	}
	wants(t, exitClean, "can", "shop/debug", "shop/orders", "GET", "/x", "-H", "x-team: blue", "--env", "staging", dir)
	wants(t, exitFindings, "can", "shop/debug", "shop/orders", "GET", "/x", "--env", "staging", dir)
	wants(t, exitFindings, ask...) // it is there
	has(t, string(read(t, filepath.Join(dir, "verdicts.yaml"))), "http: {method: GET, path: /x, headers: {x-team: blue}}")
}

// What audit mode let through is granted to requests with a header alone, if that is
// asked for.
func TestProposalsMayRestOnHeaders(t *testing.T) {
	const example = "../../examples/05-permissive-to-strict"
	out, _ := wants(t, exitClean, "allow", "--from-audit", example+"/access.log", "-H", "x-team: blue", example)
	has(t, out, "+    - x-team: ^blue$", " with x-team: ^blue$")
	wants(t, exitUsage, "allow", "--from-audit", example+"/access.log", "-H", "x-team", example)
	wants(t, exitUsage, "allow", "--from-audit", example+"/access.log", "-H", "x-team: a\nb", example)
}

// An environment that takes the applications from a lock of its own is told of as well:
// what is written for the tree is allowed there, too.
func TestAGrantIsToldForEnvironmentsWithALockOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"policy/apps.yaml": `apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {selector: {app: api}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec: {serviceAccountName: api, containers: [{name: a, image: a}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {serviceAccountName: web, containers: [{name: a, image: a}]}
`,
		"policy/own.yaml": "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: r, namespace: shop}\nspec: {matches: [{name: m, pathRegex: /m$, methods: [GET]}]}\n",
		"policy/meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec:\n  sources: [./own.yaml, ./apps.yaml]\n" +
			"  environments:\n    prod: {sources: [./own.yaml], lock: {file: prod.lock}}\n",
		"policy/prod.lock": "# meshc.lock v1\n# from: a test\n# by: a test\n# at: 2026-01-01T00:00:00Z\naccount shop/api\naccount shop/web\nnamespace shop\n" +
			"role shop/api service=shop/api\nrole shop/web\nservice shop/api account=shop/api port=80,name=http,app=http\n",
	})
	out, _ := wants(t, exitClean, "allow", "shop/web", "shop/api", "GET", "/x", "--dry-run", filepath.Join(dir, "policy"))
	has(t, out, "newly allowed in environment prod, too\n  + shop/web can now GET /x on shop/api:80")
}
