package compiler

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
)

const shop = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: buyer, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: store, namespace: shop}
spec: {selector: {app: store}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: store, namespace: shop}
spec:
  selector: {matchLabels: {app: store}}
  template: {metadata: {labels: {app: store}}, spec: {serviceAccountName: store, containers: [{name: app, image: echo}]}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: store, namespace: shop}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: store, namespace: shop}
spec: {matches: [{name: books, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: buyers, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: store, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: store, matches: [books]}]
  sources: [{kind: ServiceAccount, name: buyer, namespace: shop}]
`

// A plan that does otherwise than its mesh is found with the request that shows
// it, at the object it is about.
func TestAnUnfaithfulPlanIsAFinding(t *testing.T) {
	result, findings := Compile(source.FromMap(map[string][]byte{"shop.yaml": []byte(shop)}), ir.Known{}, Options{})
	if result.Plan == nil {
		t.Fatalf("no plan: %v", findings)
	}
	for i := range result.Plan.Scopes {
		result.Plan.Scopes[i].Outbound = nil
	}
	found := verified(result.Mesh, result.Plan, nil)
	if len(found) != 1 {
		t.Fatalf("%d findings", len(found))
	}
	f := found[0]
	if f.Code != CodeUnfaithful || !strings.Contains(f.Message, " from shop/buyer to shop/store:80") {
		t.Errorf("%s: %s", f.Code, f.Message)
	}
	if len(f.Locations) == 0 || f.Locations[0].File != "shop.yaml" || f.Locations[0].Line == 0 {
		t.Errorf("it has no position: %+v", f.Locations)
	}
}
