package verdict

import (
	"fmt"

	"github.com/meshc/meshc/compiler/ir"
)

// Late is a verdict with what only running tells taken for unknown: what leaves the
// mesh waits for the mesh's own address ranges. Where meshc.yaml leaves them out the
// lab or the catalog of a cluster supplies them, and until then every proxy denies.
func Late(mesh *ir.Mesh, r ir.Request, v ir.Verdict) ir.Verdict {
	s := mesh.Settings
	if r.External == "" || v.Outcome != ir.Allow || len(s.ServiceRanges)+len(s.PodRanges) > 0 {
		return v
	}
	v.Outcome = ir.Unknown
	v.Reason = fmt.Sprintf("egress is allowed to %s, and `ranges` of meshc.yaml does not say which addresses are the mesh's own: "+
		"Envoy denies until the lab or the catalog supplies them, and allows what lies outside of them then", r.From.Short())
	return v
}
