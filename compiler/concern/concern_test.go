package concern_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/concern"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
)

// town has two services that have nothing to do with each other, a caller of each,
// and a split.
var town = map[string]string{
	"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec: {mode: strict}\n",
	"web.yaml":   app("web", "shop") + route("web") + target("web"),
	"bank.yaml":  app("bank", "bank") + route("bank") + target("bank"),
	"split.yaml": "apiVersion: split.smi-spec.io/v1alpha4\nkind: TrafficSplit\nmetadata: {name: canary, namespace: shop}\nspec:\n  service: web\n  backends:\n  - {service: web, weight: 1}\n",
}

func app(name, namespace string) string {
	return strings.NewReplacer("NAME", name, "NS", namespace).Replace(`apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: NS}
spec: {selector: {app: NAME}, ports: [{name: http, port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: NS}
spec: {template: {metadata: {labels: {app: NAME}}, spec: {serviceAccountName: NAME, containers: [{name: a}]}}}
---
`)
}

func space(name string) string {
	if name == "web" {
		return "shop"
	}
	return name
}

func route(name string) string {
	return "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\nmetadata: {name: " + name + ", namespace: " + space(name) + "}\nspec:\n  matches:\n  - {name: read, pathRegex: /read, methods: [GET]}\n---\n"
}

func target(name string) string {
	return strings.NewReplacer("NAME", name, "NS", space(name)).Replace(`apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: NAME, namespace: NS}
spec:
  destination: {kind: ServiceAccount, name: NAME, namespace: NS}
  rules: [{kind: HTTPRouteGroup, name: NAME}]
  sources: [{kind: ServiceAccount, name: NAME, namespace: NS}]
`)
}

func state(t *testing.T, files map[string]string) concern.State {
	t.Helper()
	in := map[string][]byte{}
	for name, text := range files {
		in[name] = []byte(text)
	}
	tree := source.FromMap(in)
	parsed, _ := syntax.Parse(tree)
	mesh, inventory, _, _ := resolve.Mesh(parsed, ir.Known{}, resolve.Options{})
	return concern.State{Tree: tree, Files: parsed, Mesh: mesh, Inventory: inventory, World: policies.NewWorld(parsed, mesh, inventory, time.Time{})}
}

// Of a change exactly those are told who must look at it again.
func TestWhatAChangeConcerns(t *testing.T) {
	everything := []string{"Service/shop/web", "Deployment/shop/web", "HTTPRouteGroup/shop/web", "TrafficTarget/shop/web", "TrafficSplit/shop/canary",
		"Service/bank/bank", "Deployment/bank/bank", "HTTPRouteGroup/bank/bank", "TrafficTarget/bank/bank"}
	for _, c := range []struct {
		name, file, old, new string
		want                 string // of everything; "all" is all
	}{
		{name: "a comment", file: "web.yaml", old: "kind: Service\n", new: "kind: Service   # the shop's\n"},
		{name: "another layout", file: "web.yaml", old: "{name: read, pathRegex: /read, methods: [GET]}", new: "{methods: [\"GET\"], name: read, pathRegex: \"/read\"}"},
		{name: "a route", file: "web.yaml", old: "/read", new: "/write", want: "HTTPRouteGroup/shop/web TrafficTarget/shop/web"},
		{name: "a route with another name", file: "bank.yaml", old: "HTTPRouteGroup\nmetadata: {name: bank", new: "HTTPRouteGroup\nmetadata: {name: bonk", want: "HTTPRouteGroup/bank/bank TrafficTarget/bank/bank"},
		{name: "a weight", file: "split.yaml", old: "weight: 1", new: "weight: 2", want: "Service/shop/web TrafficSplit/shop/canary"},
		{name: "a source", file: "bank.yaml", old: "sources: [", new: "sources: [{kind: ServiceAccount, name: web, namespace: shop}, ", want: "HTTPRouteGroup/bank/bank TrafficTarget/bank/bank"},
		{name: "a port", file: "web.yaml", old: "port: 80", new: "port: 81", want: "Service/shop/web Deployment/shop/web TrafficTarget/shop/web TrafficSplit/shop/canary"},
		{name: "an account", file: "web.yaml", old: "serviceAccountName: web", new: "serviceAccountName: other", want: "Service/shop/web Deployment/shop/web TrafficTarget/shop/web TrafficSplit/shop/canary"},
		{name: "a namespace's mode", file: "meshc.yaml", old: "mode: strict", new: "mode: strict, namespaces: {bank: {mode: permissive}}", want: "Service/bank/bank Deployment/bank/bank HTTPRouteGroup/bank/bank TrafficTarget/bank/bank"},
		{name: "the mesh's mode", file: "meshc.yaml", old: "strict", new: "permissive", want: "all"},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := maps.Clone(town)
			if after[c.file] = strings.Replace(town[c.file], c.old, c.new, 1); after[c.file] == town[c.file] {
				t.Fatalf("%s does not say %q", c.file, c.old)
			}
			set := concern.Between(state(t, town), state(t, after))
			for _, name := range everything {
				kind, rest, _ := strings.Cut(name, "/")
				namespace, own, _ := strings.Cut(rest, "/")
				f := diag.Finding{Object: &diag.Object{Kind: kind, Namespace: namespace, Name: own}}
				want := c.want == "all" || strings.Contains(" "+c.want+" ", " "+name+" ")
				if got := set.Holds(f); got != want {
					t.Errorf("%s is concerned: %v", name, got)
				}
			}
		})
	}
}

// What stands in a file and is about no object is told when the file says something
// else, wherever it lay before.
func TestFilesThatChanged(t *testing.T) {
	after := maps.Clone(town)
	after["moved.yaml"], after["broken.yaml"] = after["bank.yaml"], "a: [\n"
	delete(after, "bank.yaml")
	set := concern.Between(state(t, town), state(t, after))
	set.Changed("meshc.lock")
	for file, want := range map[string]bool{"web.yaml": false, "moved.yaml": false, "broken.yaml": true, "meshc.lock": true, "other.lock": false} {
		f := diag.New("MSH0040", diag.Span{File: file, Line: 1, Col: 1}, "a value is missing")
		if got := set.Holds(f); got != want {
			t.Errorf("a finding in %s is told: %v", file, got)
		}
	}
}
