package envoy

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// lateFacts is the table of what link binds. Drift may close, never open.
func lateFacts(plan *ir.Plan, ranged ir.Ref) []ir.LateFact {
	ports := 0
	for i := range plan.Roles {
		ports += len(plan.Roles[i].Ports)
	}
	out := make([]ir.LateFact, 0, len(plan.Outbound)+2*len(plan.Clusters)+len(plan.Roles)+ports+1)
	fact := func(kind, about, by, drift string) {
		out = append(out, ir.LateFact{Kind: kind, About: about, By: by, Drift: drift})
	}
	// The kinds come in order; within a kind most names do.
	for i := range plan.Outbound {
		if o := &plan.Outbound[i]; o.Headless {
			fact("address", o.Port.String(), "link: the catalog's endpoint addresses of the service", "an address without a listener is refused by the client's proxy")
		} else {
			fact("address", o.Port.String(), "link: the catalog's VIPs of the service", "an address without a listener is refused by the client's proxy")
		}
	}
	for i := range plan.Clusters {
		fact("endpoints", plan.Clusters[i].Port.String(), "link: the catalog's endpoints of the service", "an endpoint of an account outside the known set, or without the mesh where it is expected, stays out")
	}
	for _, endpoints := range out[len(plan.Outbound):] {
		fact("protocol", endpoints.About, "link: compared with the catalog's port", "a port whose protocol changed is closed")
	}
	if ranged != ir.NoRef {
		fact("ranges", virtualOutbound, "link: meshc.yaml, else the catalog; known VIPs and endpoint addresses always", "while none is known egress stays denied")
	}
	roles := len(out)
	for i := range plan.Roles {
		fact("role", ir.RoleName(plan.Roles[i].Identity, plan.Roles[i].Services), "link: the catalog's workloads", "a workload of no compiled role takes nothing in")
	}
	for i := range plan.Roles {
		for _, p := range plan.Roles[i].Ports {
			fact("targetPort", out[roles+i].About+" "+p.Services[0].String(), "link: the catalog's endpoint, else the compiled number", "a target port that already carries other grants is closed")
		}
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
		ir.EqualBy(a.outbound, b.outbound, func(x, y *ir.OutboundPort) bool { return x.Port == y.Port && x.Headless == y.Headless }) &&
		ir.EqualBy(a.clusters, b.clusters, func(x, y *ir.Cluster) bool { return x.Port == y.Port }) &&
		ir.EqualBy(a.roles, b.roles, func(x, y *ir.RolePlan) bool {
			return x.Identity == y.Identity && ir.Equal(x.Services, y.Services) &&
				ir.EqualBy(x.Ports, y.Ports, func(p, q *ir.InboundPlan) bool { return p.Services[0] == q.Services[0] })
		})
}
