// Package bench holds the meshes that budgets are measured on, and the
// benchmarks of the whole compiler; the table of all budgets is in its folder
// budget. ref-mesh(N) is N services in namespaces of a
// hundred, each with an account, a Deployment, a Service, a route group of three
// matches and a target with five callers; every tenth has a 90/10 split. It has
// no randomness: equal N are equal bytes.
package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const (
	perNamespace = 100
	callers      = 5
)

// RefMesh is ref-mesh(n) as YAML files by name, in the given number of files.
func RefMesh(n, files int) map[string][]byte {
	docs := namespaces(n)
	for i := range n {
		docs = append(docs, account(i), deployment(i), service(i), routeGroup(i), target(i, n))
		if i%10 == 0 && i+1 < n && namespaceOf(i) == namespaceOf(i+1) {
			docs = append(docs, split(i))
		}
	}
	return spread(fmt.Sprintf("smi-%d", n), docs, files)
}

// spread puts documents into files of about equal length.
func spread(name string, docs []string, files int) map[string][]byte {
	per := (len(docs) + files - 1) / files
	out := map[string][]byte{}
	for f := 0; f*per < len(docs); f++ {
		part := docs[f*per : min((f+1)*per, len(docs))]
		out[fmt.Sprintf("%s-%04d.yaml", name, f)] = []byte(strings.Join(part, "---\n"))
	}
	return out
}

// WriteTo writes generated files into a folder.
func WriteTo(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func namespaces(n int) []string {
	var docs []string
	for j := range (n + perNamespace - 1) / perNamespace {
		docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns-%d\n", j))
	}
	return docs
}

func namespaceOf(i int) string { return fmt.Sprintf("ns-%d", i/perNamespace) }

func metadata(i int) string {
	return fmt.Sprintf("metadata:\n  name: svc-%d\n  namespace: %s\n", i, namespaceOf(i))
}

func account(i int) string { return "apiVersion: v1\nkind: ServiceAccount\n" + metadata(i) }

func deployment(i int) string {
	return "apiVersion: apps/v1\nkind: Deployment\n" + metadata(i) + fmt.Sprintf(`spec:
  replicas: 2
  selector:
    matchLabels:
      app: svc-%[1]d
  template:
    metadata:
      labels:
        app: svc-%[1]d
    spec:
      serviceAccountName: svc-%[1]d
      containers:
      - name: app
        image: echo
        ports:
        - containerPort: 8080
`, i)
}

func service(i int) string {
	return "apiVersion: v1\nkind: Service\n" + metadata(i) + fmt.Sprintf(`spec:
  clusterIP: 10.%d.%d.%d
  selector:
    app: svc-%d
  ports:
  - name: http
    appProtocol: http
    protocol: TCP
    port: 80
    targetPort: 8080
`, 96+i/65536, i/256%256, i%256, i)
}

func routeGroup(i int) string {
	return "apiVersion: specs.smi-spec.io/v1alpha4\nkind: HTTPRouteGroup\n" + metadata(i) + `spec:
  matches:
  - name: read
    pathRegex: /api/v1/.*
    methods: [GET, HEAD]
  - name: write
    pathRegex: /api/v1/items
    methods: [POST, PUT]
  - name: hdr
    pathRegex: /admin
    methods: [GET]
    headers:
    - x-tenant: t.*
`
}

func target(i, n int) string {
	var from []int
	for c := 1; c <= callers && c < n; c++ {
		from = append(from, (i+c)%n)
	}
	return targetFor(i, from)
}

func split(i int) string {
	return "apiVersion: split.smi-spec.io/v1alpha2\nkind: TrafficSplit\n" + metadata(i) + fmt.Sprintf(`  annotations:
    meshc.dev/allow-self: 'true'
spec:
  service: svc-%[1]d
  backends:
  - service: svc-%[1]d
    weight: 90
  - service: svc-%[2]d
    weight: 10
`, i, i+1)
}
