package envoy

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// lateFacts is the table of what link binds. Drift may close, never open.
func (l *lowering) lateFacts(plan *ir.Plan) []ir.LateFact {
	var out []ir.LateFact
	fact := func(kind, about, by, drift string) {
		out = append(out, ir.LateFact{Kind: kind, About: about, By: by, Drift: drift})
	}
	for _, o := range plan.Outbound {
		if o.Headless {
			fact("address", o.Port.String(), "link: the catalog's endpoint addresses of the service", "an address without a listener is refused by the client's proxy")
		} else {
			fact("address", o.Port.String(), "link: the catalog's VIPs of the service", "an address without a listener is refused by the client's proxy")
		}
	}
	for _, c := range plan.Clusters {
		fact("endpoints", c.Port.String(), "link: the catalog's endpoints of the service", "an endpoint of an account outside the known set, or without the mesh where it is expected, stays out")
		fact("protocol", c.Port.String(), "link: compared with the catalog's port", "a port whose protocol changed is closed")
	}
	for _, r := range plan.Roles {
		role := ir.RoleName(r.Identity, r.Services)
		fact("role", role, "link: the catalog's workloads", "a workload of no compiled role takes nothing in")
		for _, p := range r.Ports {
			fact("targetPort", role+" "+p.Services[0].String(), "link: the catalog's endpoint, else the compiled number", "a target port that already carries other grants is closed")
		}
	}
	if l.shared.ranged != ir.NoRef {
		fact("ranges", virtualOutbound, "link: meshc.yaml, else the catalog; known VIPs and endpoint addresses always", "while none is known egress stays denied")
	}
	slices.SortFunc(out, func(a, b ir.LateFact) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About)) })
	return out
}
