package live_test

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// What admission is told is what the live state would be found with; of what belongs
// to everybody, only what is about the change.
func TestAdmissionAsksTheLiveState(t *testing.T) {
	c := newCluster(t)
	c.apply(town + `
---
apiVersion: v1
kind: Namespace
metadata: {name: other}`)
	l := c.watch(live.Options{})
	until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	try := func(manifest string) string { return tried(t, l, manifest) }
	mesh := town[:strings.Index(town, "\n---")]
	for _, x := range []struct{ what, manifest, want string }{
		{"a grant for another's namespace", faulty, "MSH1007:error"},
		{"a good one", wider, ""},
		{"the Mesh as it is", mesh, ""},
		{"a Mesh that is suspended and served from a bundle", strings.Replace(mesh, "strict}", "strict, suspend: true, bundle: {path: x}}", 1), ""},
		{"a Mesh with an unknown field", strings.Replace(mesh, "strict}", "strict, plain: yes}", 1), "MSH0101:error"},
		{"a namespace that gets a label of others", "{apiVersion: v1, kind: Namespace, metadata: {name: other, labels: {a: b}}}", ""},
		{"a service as kubectl applies it", "{apiVersion: v1, kind: Service, metadata: {name: cart, namespace: town}, spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: web}], sessionAffinity: None}}", ""},
		{"a match that may come later", strings.Replace(wider, "[read, write]", "[reed]", 1), "MSH1005:warning"},
	} {
		if got := try(x.manifest); got != x.want {
			t.Errorf("%s: %q, want %q", x.what, got, x.want)
		}
	}
}
