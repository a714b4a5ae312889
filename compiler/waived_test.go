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
