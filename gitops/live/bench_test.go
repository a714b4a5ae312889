package live_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// BenchmarkPolicyChange is the time from a write to the API server to the bundle that
// holds it, in a mesh of two hundred services: three requests to the API server among it.
// 20 ms of it are spent gathering changes.
func BenchmarkPolicyChange(b *testing.B) {
	c := newCluster(b)
	c.apply(town)
	for i := range 200 {
		c.apply(strings.NewReplacer("name: cart", fmt.Sprintf("name: cart%d", i), "app: cart", fmt.Sprintf("app: cart%d", i), "shoppers", fmt.Sprintf("shoppers%d", i)).
			Replace(town[strings.Index(town, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: cart"):]))
	}
	l := c.watch(live.Options{})
	forms := []string{target, wider}
	for i := 0; b.Loop(); i++ {
		form := forms[(i+1)%2]
		c.apply(form)
		until(b, l, "the grant is there", func(m *ir.Mesh) bool {
			for _, g := range m.Grants {
				if g.Name == "TrafficTarget/town/shoppers#rule0" {
					return len(g.HTTP) == 1+(i+1)%2
				}
			}
			return false
		})
	}
}
