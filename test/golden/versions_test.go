package golden

import "strings"

// versionsApps is what the policy of every version is about.
var versionsApps = strings.Join([]string{app("web", "{name: http, port: 80}"), app("web-next", "{name: http, port: 80}"), app("web-2", "{name: http, port: 80}"), app("web-3", "{name: http, port: 80}"), app("db", "{name: tcp, port: 5432}"), app("front", "{name: http, port: 80}")}, "---\n")

func app(name, port string) string {
	return strings.NewReplacer("NAME", name, "PORT", port).Replace(`apiVersion: v1
kind: ServiceAccount
metadata: {name: NAME, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: NAME, namespace: shop}
spec: {selector: {app: NAME}, ports: [PORT]}
---
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: shop, labels: {app: NAME}}
spec: {serviceAccountName: NAME, containers: [{name: app, image: app}]}
`)
}

// versions is one policy in every version of the API groups: two HTTP matches,
// one of them with a header, a TCP port, and a split of 3 to 1.
var versions = map[string]string{
	"v1alpha1": `apiVersion: specs.smi-spec.io/v1alpha1
kind: HTTPRouteGroup
metadata: {name: routes, namespace: shop}
matches:
- {name: read, pathRegex: /items$, methods: [GET]}
- {name: write, pathRegex: /items$, methods: [POST]}
---
apiVersion: specs.smi-spec.io/v1alpha1
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
---
apiVersion: access.smi-spec.io/v1alpha1
kind: TrafficTarget
metadata: {name: web, namespace: shop}
destination: {kind: ServiceAccount, name: web, namespace: shop}
specs:
- {kind: HTTPRouteGroup, name: routes, matches: [read, write]}
sources:
- {kind: ServiceAccount, name: front, namespace: shop}
---
apiVersion: access.smi-spec.io/v1alpha1
kind: TrafficTarget
metadata: {name: db, namespace: shop}
destination: {kind: ServiceAccount, name: db, namespace: shop, port: 5432}
specs:
- {kind: TCPRoute, name: tcp}
sources:
- {kind: ServiceAccount, name: front, namespace: shop}
---
apiVersion: split.smi-spec.io/v1alpha1
kind: TrafficSplit
metadata: {name: web, namespace: shop}
spec:
  service: web
  backends: [{service: web-next, weight: 500m}, {service: web-2, weight: 0}, {service: web-3, weight: 1500m}]
`,
	"v1alpha2": `apiVersion: specs.smi-spec.io/v1alpha2
kind: HTTPRouteGroup
metadata: {name: routes, namespace: shop}
matches:
- {name: write, pathRegex: /items$, methods: [POST], headers: {X-Role: ^admin$}}
- {name: read, pathRegex: /items$, methods: [GET]}
---
apiVersion: specs.smi-spec.io/v1alpha2
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
---
apiVersion: access.smi-spec.io/v1alpha2
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: routes, matches: [write, read]}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: access.smi-spec.io/v1alpha2
kind: TrafficTarget
metadata: {name: db, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: db, namespace: shop, port: 5432}
  rules: [{kind: TCPRoute, name: tcp}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: web, namespace: shop}
spec:
  service: web.shop
  backends: [{service: web-3, weight: 75}, {service: web-next, weight: 25}, {service: web-2, weight: 0}]
`,
	"v1alpha3": `apiVersion: specs.smi-spec.io/v1alpha3
kind: HTTPRouteGroup
metadata: {name: routes, namespace: shop}
spec:
  matches:
  - {name: read, pathRegex: /items$, methods: [GET]}
  - {name: write, pathRegex: /items$, methods: [POST], headers: [{x-role: ^admin$}]}
---
apiVersion: specs.smi-spec.io/v1alpha3
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
spec: {}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web}
  rules: [{kind: HTTPRouteGroup, name: routes}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: db, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: db, namespace: shop}
  rules: [{kind: TCPRoute, name: tcp}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: split.smi-spec.io/v1alpha3
kind: TrafficSplit
metadata: {name: web, namespace: shop}
spec:
  service: web.shop.svc.cluster.local
  backends: [{service: web-next, weight: 1}, {service: web-2, weight: 0}, {service: web-3, weight: 3}]
`,
	"v1alpha4": `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: routes, namespace: shop}
spec:
  matches:
  - {name: read, pathRegex: /items$, methods: [GET]}
  - {name: write, pathRegex: /items$, methods: [POST], headers: [{x-role: ^admin$}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
spec: {matches: {ports: [5432]}}
---
apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: routes, matches: [read, write]}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: db, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: db, namespace: shop}
  rules: [{kind: TCPRoute, name: tcp}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: shop}
spec:
  service: web
  backends: [{service: web-next, weight: 1}, {service: web-2, weight: 0}, {service: web-3, weight: 3}]
`,
}
