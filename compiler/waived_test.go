package compiler

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

const waivedMesh = `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec:
  rules: {severity: {MSH1503: error}}
  waivers:
  - code: CODE
    target: {kind: KIND, namespace: shop, name: web}
    reason: the old client is gone next month
    owner: team-shop
    expires: 2026-07-31
`

const waivedPolicy = `apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: shop}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: web, namespace: shop}
spec:
  matches:
  - {name: read, pathRegex: /items, methods: [GET, TRACE]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules:
  - {kind: HTTPRouteGroup, name: ROUTE, matches: [read]}
  sources:
  - {kind: ServiceAccount, name: front, namespace: shop}
`

// A rule judges a mesh that is whole: its error can be accepted, and there is a
// plan. An error of the compiler cannot, and there is none.
func TestAWaivedErrorLowersNothingUndefined(t *testing.T) {
	for _, c := range []struct {
		name, code, kind, route, at string
		plan                        bool
	}{
		{"a rule's error", "MSH1503", "HTTPRouteGroup", "web", "2026-07-01", true},
		{"a rule's error, too late", "MSH1503", "HTTPRouteGroup", "web", "2026-08-01", false},
		{"another target", "MSH1503", "TrafficTarget", "web", "2026-07-01", false},
		{"a missing route", "MSH1004", "TrafficTarget", "gone", "2026-07-01", false},
	} {
		now, err := time.Parse(time.DateOnly, c.at)
		if err != nil {
			t.Fatal(err)
		}
		fill := func(s string) *fstest.MapFile {
			return &fstest.MapFile{Mode: 0o644, Data: []byte(strings.NewReplacer("CODE", c.code, "KIND", c.kind, "ROUTE", c.route).Replace(s))}
		}
		tree, _, err := source.LoadFS(fstest.MapFS{"meshc.yaml": fill(waivedMesh), "policy.yaml": fill(waivedPolicy)}, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		result, found := Compile(tree, ir.Known{}, Options{Now: now})
		if (result.Plan != nil) != c.plan || found.HasErrors() == c.plan {
			t.Errorf("%s: a plan: %v, want %v; found %v", c.name, result.Plan != nil, c.plan, found)
		}
	}
}

const plainMesh = "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec:\n  rules: {commentWaivers: true, severity: {MSH1503: error}}\n"

const waiversFile = `apiVersion: meshc.dev/v1alpha1
kind: Waivers
metadata: {name: town}
spec:
  waivers:
  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: web}, reason: r, owner: o, expires: 2026-07-31}
`

// A waiver in a file and one in a comment are those of meshc.yaml in all but their
// place, and a session takes them on and forgets them with the edit.
func TestWaiversInFilesAndCommentsFollowTheEdit(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	policy := strings.NewReplacer("ROUTE", "web").Replace(waivedPolicy)
	const comment = "  # meshc:waive MSH1503 until=2026-07-31 owner=o reason=r\n"
	commented := strings.Replace(policy, "  - {name: read,", comment+"  - {name: read,", 1)
	files := map[string][]byte{"meshc.yaml": []byte(plainMesh), "policy.yaml": []byte(policy)}
	s := NewSession(ir.Known{}, Options{Now: now})
	if result, _ := s.Load(source.FromMap(files), ir.Known{}); result.Plan != nil {
		t.Fatal("the rule finds nothing")
	}
	for _, c := range []struct {
		name, file, text string
		plan             bool
	}{
		{"a file comes", "waivers.yaml", waiversFile, true},
		{"it becomes another", "waivers.yaml", strings.Replace(waiversFile, "name: web", "name: cart", 1), false},
		{"it is gone", "waivers.yaml", "", false},
		{"a comment comes", "policy.yaml", commented, true},
		{"it moves", "policy.yaml", "# moved\n" + commented, true},
		{"it is above something else", "policy.yaml", strings.Replace(policy, "  rules:\n", comment+"  rules:\n", 1), false},
		{"comments count no more", "meshc.yaml", strings.Replace(plainMesh, "commentWaivers: true, ", "", 1), false},
	} {
		change := Change{Path: c.file, Data: []byte(c.text)}
		if c.text == "" {
			change.Data = nil
			delete(files, c.file)
		} else {
			files[c.file] = change.Data
		}
		result, found := s.Apply(change)
		if (result.Plan != nil) != c.plan {
			t.Errorf("%s: a plan: %v, want %v; found %v", c.name, result.Plan != nil, c.plan, found)
		}
		if _, cold := Compile(source.FromMap(files), ir.Known{}, Options{Now: now}); len(cold) != len(found) {
			t.Errorf("%s: the session found %v, a cold compilation %v", c.name, found, cold)
		}
	}
}
