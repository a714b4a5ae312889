package live_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// A plan sees the cluster under the Mesh that would be, while the cluster's own holds.
func TestAPlanIsUnderTheMeshThatWouldBe(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	c.apply("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: town}\nspec: {mode: strict}\n")
	planned := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "meshc.dev/v1alpha1", "kind": "Mesh", "metadata": map[string]any{"name": "town"}, "spec": map[string]any{"mode": "permissive"},
	}}
	now, then := c.watch(live.Options{}), c.watch(live.Options{Instead: planned})
	until(t, now, "the cluster is strict", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Strict })
	until(t, then, "the plan is permissive", func(m *ir.Mesh) bool { return m.Settings.Mode == ir.Permissive })
}
