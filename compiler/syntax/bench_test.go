package syntax_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// service is the shape of one service of the reference mesh (DESIGN 12).
const service = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
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
---
apiVersion: v1
kind: Service
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  selector:
    app: svc-%[1]d
  ports:
  - name: http
    appProtocol: http
    protocol: TCP
    port: 80
    targetPort: 8080
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
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
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata:
  name: svc-%[1]d
  namespace: ns-%[2]d
spec:
  destination:
    kind: ServiceAccount
    name: svc-%[1]d
    namespace: ns-%[2]d
  rules:
  - kind: HTTPRouteGroup
    name: svc-%[1]d
    matches: [read, write, hdr]
  sources:
  - {kind: ServiceAccount, name: svc-%[3]d, namespace: ns-%[2]d}
`

// referenceFolder writes n services into 64 files.
func referenceFolder(b *testing.B, n int) string {
	dir := b.TempDir()
	files := make([]bytes.Buffer, 64)
	for i := range n {
		f := &files[i*64/n]
		if f.Len() > 0 {
			f.WriteString("---\n")
		}
		fmt.Fprintf(f, service, i, i/100, (i+1)%n)
	}
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.yaml", i)), files[i].Bytes(), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkLoadAndParse is the reading of 1,000 services, from disk to objects.
func BenchmarkLoadAndParse(b *testing.B) {
	dir := referenceFolder(b, 1000)
	for b.Loop() {
		tree, found, err := source.Load(source.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		files, more := syntax.Parse(tree)
		if len(found)+len(more) > 0 || len(files.Objects) != 5000 {
			b.Fatalf("%d objects, findings %v", len(files.Objects), append(found, more...))
		}
	}
}

// BenchmarkYAMLOnly is the floor: the same files through the YAML parser alone,
// on one processor.
func BenchmarkYAMLOnly(b *testing.B) {
	dir := referenceFolder(b, 1000)
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				b.Fatal(err)
			}
			dec := yaml.NewDecoder(bytes.NewReader(data))
			for {
				var n yaml.Node
				if dec.Decode(&n) != nil {
					break
				}
			}
		}
	}
}
