package live_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// What somebody applies with kubectl is in force at once.
func TestAClusterIsCompiled(t *testing.T) {
	c := newCluster(t)
	c.apply(town)
	l := c.watch(live.Options{})
	b := until(t, l, "the grant is there", func(m *ir.Mesh) bool { return len(m.Grants) > 0 })
	t.Log(grants(b.Mesh), b.Mesh.Roles)
}
