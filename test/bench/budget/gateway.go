package main

import (
	"fmt"
	"strings"
)

// gatewayMesh is the nearest that Envoy Gateway has to ref-mesh(n): n services,
// an HTTPRoute of three rules for each, and a SecurityPolicy that lets five
// clients through to it (by address: it has no other name for a client that is
// not a person). Every tenth route is split 90 to 10. It has no workloads and no
// accounts; EndpointSlices are left out, egctl drops them when it reads files.
func gatewayMesh(n int) string {
	docs := []string{`apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: eg}
spec: {controllerName: gateway.envoyproxy.io/gatewayclass-controller}
`, `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: eg, namespace: default}
spec:
  gatewayClassName: eg
  listeners:
  - {name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}
`}
	for j := range (n + 99) / 100 {
		docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata: {name: ns-%d}\n", j))
	}
	for i := range n {
		docs = append(docs, gatewayService(i), gatewayRoute(i, n), gatewayPolicy(i, n))
	}
	return strings.Join(docs, "---\n")
}

func gatewayMetadata(i int) string {
	return fmt.Sprintf("metadata: {name: svc-%d, namespace: ns-%d}\n", i, i/100)
}

func gatewayService(i int) string {
	return "apiVersion: v1\nkind: Service\n" + gatewayMetadata(i) + fmt.Sprintf(`spec:
  clusterIP: 10.96.%d.%d
  selector: {app: svc-%d}
  ports:
  - {name: http, protocol: TCP, port: 80, targetPort: 8080}
`, i/256%256, i%256, i)
}

func gatewayRoute(i, n int) string {
	backends := fmt.Sprintf("    backendRefs:\n    - {name: svc-%d, port: 80, weight: 100}\n", i)
	if i%10 == 0 && i+1 < n && i/100 == (i+1)/100 {
		backends = fmt.Sprintf("    backendRefs:\n    - {name: svc-%d, port: 80, weight: 90}\n    - {name: svc-%d, port: 80, weight: 10}\n", i, i+1)
	}
	rule := func(match string) string { return "  - matches:\n    - " + match + "\n" + backends }
	return "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n" + gatewayMetadata(i) + fmt.Sprintf(`spec:
  parentRefs:
  - {name: eg, namespace: default}
  hostnames: [svc-%d.example.com]
  rules:
`, i) +
		rule("{method: GET, path: {type: PathPrefix, value: /api/v1}}") +
		rule("{method: POST, path: {type: Exact, value: /api/v1/items}}") +
		rule("{path: {type: Exact, value: /admin}, headers: [{type: RegularExpression, name: x-tenant, value: 't.*'}]}")
}

func gatewayPolicy(i, n int) string {
	var from []string
	for c := 1; c <= 5; c++ {
		from = append(from, fmt.Sprintf("10.128.%d.%d/32", (i+c)%n/256, (i+c)%n%256))
	}
	return "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: SecurityPolicy\n" + gatewayMetadata(i) + fmt.Sprintf(`spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: HTTPRoute, name: svc-%d}
  authorization:
    defaultAction: Deny
    rules:
    - {name: callers, action: Allow, principal: {clientCIDRs: [%s]}}
`, i, strings.Join(from, ", "))
}
