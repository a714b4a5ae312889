package envoy

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// lateFacts is the table of what link binds. Drift may close, never open.
func lateFacts(plan *ir.Plan, ranged ir.Ref) []ir.LateFact {
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
	if ranged != ir.NoRef {
		fact("ranges", virtualOutbound, "link: meshc.yaml, else the catalog; known VIPs and endpoint addresses always", "while none is known egress stays denied")
	}
	slices.SortFunc(out, func(a, b ir.LateFact) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About)) })
	return out
}

// lateKey is all that the table is made of.
type lateKey struct {
	outbound []ir.OutboundPort
	clusters []ir.Cluster
	roles    []ir.RolePlan
	ranged   bool
}

func keyOf(plan *ir.Plan, ranged ir.Ref) lateKey {
	return lateKey{plan.Outbound, plan.Clusters, plan.Roles, ranged != ir.NoRef}
}

func (a lateKey) same(b lateKey) bool {
	return a.ranged == b.ranged &&
		slices.EqualFunc(a.outbound, b.outbound, func(x, y ir.OutboundPort) bool { return x.Port == y.Port && x.Headless == y.Headless }) &&
		slices.EqualFunc(a.clusters, b.clusters, func(x, y ir.Cluster) bool { return x.Port == y.Port }) &&
		slices.EqualFunc(a.roles, b.roles, func(x, y ir.RolePlan) bool {
			return x.Identity == y.Identity && slices.Equal(x.Services, y.Services) &&
				slices.EqualFunc(x.Ports, y.Ports, func(p, q ir.InboundPlan) bool { return p.Services[0] == q.Services[0] })
		})
}
