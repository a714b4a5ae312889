package syntax_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

const lettingComments = "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec: {rules: {commentWaivers: true}}\n"

func commented(t *testing.T, files map[string]string) (*syntax.Files, diag.List) {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, _, err := source.LoadFS(fsys, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return syntax.Parse(tree)
}

// A comment is for what it stands beside or above, no more: a finding that comes up
// in the next field counts.
func TestACommentIsForWhatItStandsAbove(t *testing.T) {
	const w = `# meshc:waive MSH1503 until=2027-01-31 owner=team-shop reason="the old client, SEC-1"`
	text := strings.ReplaceAll(`apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata:
  name: web
  namespace: shop
  annotations:
    note: |
      W
    quoted: "no comment: W"
spec:
  W
  # and why
  matches:
  - name: read       W
    methods: [TRACE]
    W
    pathRegex: /a
  - name: write
    methods:         W
    - TRACE
    - GET

    pathRegex: /b
  W
---
W
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: other}
`, "W", w)
	text = strings.Replace(text, `"no comment: `+w, `"no comment: `+strings.ReplaceAll(w, `"`, `'`), 1)
	files, found := commented(t, map[string]string{"meshc.yaml": lettingComments, "a.yaml": text})
	if len(found) > 0 {
		t.Fatalf("found %v", found)
	}
	var got []string
	for _, w := range files.Waivers {
		if w.Code != "MSH1503" || w.Owner != "team-shop" || w.Reason != "the old client, SEC-1" || w.Expires.Format("2006-01-02") != "2027-01-31" {
			t.Errorf("read %+v", w)
		}
		got = append(got, fmt.Sprintf("%d: %d-%d", w.At.Line, w.Within.Line, w.Within.EndLine))
	}
	want := "11: 13-23, 14: 14-17, 16: 17-17, 19: 19-21, 24: 24-24, 26: 25-30"
	if strings.Join(got, ", ") != want {
		t.Errorf("comments are for\n%s, want\n%s", strings.Join(got, ", "), want)
	}
}

// Malformed comments waive nothing and say so at their place; where the setting is
// absent each comment does.
func TestCommentsAreReadStrictly(t *testing.T) {
	for _, c := range []struct {
		comment string
		code    diag.Code
		col     int
	}{
		{"# meshc:waive", "MSH0104", 1},
		{"# meshc:waive until=2027-01-31 owner=a reason=b", "MSH0104", 1},
		{"# meshc:waive MSH1503 until=2027-01-31 owner=a", "MSH0104", 1},
		{"# meshc:waive MSH1503 until=soon owner=a reason=b", "MSH0118", 23},
		{"# meshc:waive MSH1503 expires=2027-01-31 until=2027-01-31 owner=a reason=b", "MSH0101", 23},
		{"# meshc:waive MSH1503 until=2027-01-31 owner=a reason=' '", "MSH0118", 48},
		{"# meshc:waive MSH1503 until=2027-01-31 owner=a reason=b owner=c", "MSH0101", 57},
		{"# meshc:waive MSH1004 until=2027-01-31 owner=a reason=b", "MSH0904", 15},
	} {
		doc := c.comment + "\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
		files, found := commented(t, map[string]string{"meshc.yaml": lettingComments, "a.yaml": doc})
		if len(found) != 1 || found[0].Code != c.code || found[0].At().Line != 1 || found[0].At().Col != c.col || len(files.Waivers) > 0 {
			t.Errorf("%s: found %v, %d waivers", c.comment, found, len(files.Waivers))
		}
		files, found = commented(t, map[string]string{"a.yaml": doc})
		if len(found) != 1 || found[0].Code != "MSH0908" || len(files.Waivers) > 0 {
			t.Errorf("%s without the setting: found %v, %d waivers", c.comment, found, len(files.Waivers))
		}
	}
}

// Findings about a kustomization point into its bases and patches; so do comments.
func TestCommentsCountInTheFilesOfAKustomization(t *testing.T) {
	files, _ := commented(t, map[string]string{
		"meshc.yaml":              strings.Replace(lettingComments, "rules:", "sources: [{kustomize: prod}], rules:", 1),
		"prod/kustomization.yaml": "resources: [ns.yaml]\n",
		"prod/ns.yaml":            "# meshc:waive MSH1503 until=2027-01-31 owner=a reason=b\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n",
	})
	if len(files.Waivers) != 1 || files.Waivers[0].Within.File != "prod/ns.yaml" {
		t.Errorf("read %+v", files.Waivers)
	}
}

// Waivers in files are decoded like those of meshc.yaml, wherever they lie: beside
// a meshc.yaml whose sources are elsewhere too.
func TestWaiversInFiles(t *testing.T) {
	const waivers = `apiVersion: meshc.dev/v1alpha1
kind: Waivers
metadata: {name: shop}
spec:
  waivers:
  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: web}, reason: r, owner: o, expires: 2027-01-31}
  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: web}, reason: r, owner: o}
  - {code: MSH1004, target: {kind: TrafficTarget, namespace: shop, name: web}, reason: r, owner: o, expires: 2027-01-31}
`
	mesh := strings.Replace(lettingComments, "rules:", "sources: [./apps], rules:", 1)
	for _, place := range []string{"waivers.yaml", "apps/waivers.yaml"} {
		files, found := commented(t, map[string]string{"meshc.yaml": mesh, "apps/ns.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n", place: waivers})
		if len(files.Waivers) != 1 || files.Waivers[0].At.File != place || files.Waivers[0].At.Line != 6 {
			t.Errorf("%s: read %+v", place, files.Waivers)
		}
		if len(found) != 2 || found[0].Code != "MSH0104" || found[0].At().Line != 7 || found[1].Code != "MSH0904" || found[1].At().Line != 8 {
			t.Errorf("%s: found %v", place, found)
		}
	}
}

// A comment above the first marker of a file is for the document below it; one that
// stands above none says so.
func TestCommentsBetweenDocuments(t *testing.T) {
	const w = `# meshc:waive MSH1503 until=2027-01-31 owner=team-shop reason=r`
	const object = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAME}\n"
	text := "# ours\n" + w + "\n\n---\n" + strings.Replace(object, "NAME", "shop", 1) + "...\n" + w + "\n---\n" + w + "\n---\n" + strings.Replace(object, "NAME", "other", 1)
	files, found := commented(t, map[string]string{"meshc.yaml": lettingComments, "a.yaml": text, "b.yaml": w + "\n", "c.yaml": "# nothing to meshc\n---\n" + w + "\n"})
	if len(files.Waivers) != 1 || files.Waivers[0].At.Line != 2 || files.Waivers[0].Within.Line > 5 || files.Waivers[0].Within.EndLine < 7 {
		t.Errorf("read %+v", files.Waivers)
	}
	var got []string
	for _, f := range found {
		got = append(got, fmt.Sprintf("%s %s:%d", f.Code, f.At().File, f.At().Line))
	}
	if want := "MSH0902 a.yaml:9, MSH0902 a.yaml:11, MSH0902 b.yaml:1, MSH0902 c.yaml:3"; strings.Join(got, ", ") != want {
		t.Errorf("found %s, want %s", strings.Join(got, ", "), want)
	}
	if len(files.Objects) != 2 || files.Objects[1].At().Line > 7 {
		t.Errorf("the objects are %v", files.Objects)
	}
}
