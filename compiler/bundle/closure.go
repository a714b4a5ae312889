package bundle

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// checkPlan proves what readers of a plan rely on: sorted lists, references that
// lead to a resource of the right type, ports that have a cluster.
func checkPlan(p *ir.Plan) error {
	c := planChecker{plan: p}
	c.sorted("outbound ports", sortedBy(p.Outbound, func(a, b ir.OutboundPort) int { return a.Port.Compare(b.Port) }))
	c.sorted("clusters", sortedBy(p.Clusters, func(a, b ir.Cluster) int { return a.Port.Compare(b.Port) }))
	c.sorted("identities", sortedBy(p.Identities, func(a, b ir.IdentityPlan) int { return cmp.Compare(a.Identity, b.Identity) }))
	if c.err != nil {
		return c.err
	}
	for _, o := range p.Outbound {
		c.outbound(o)
	}
	for _, k := range p.Clusters {
		c.ref(k.Resource, ir.TypeCluster, true, "cluster "+k.Port.String())
	}
	for i, s := range p.Scopes {
		c.scope(i, s)
	}
	for _, i := range p.Identities {
		if i.Scope < 0 || i.Scope >= len(p.Scopes) {
			c.failf("identity %s has scope %d of %d", i.Identity, i.Scope, len(p.Scopes))
		}
	}
	for _, r := range p.Roles {
		c.role(r)
	}
	return c.err
}

// planChecker keeps the first fault.
type planChecker struct {
	plan *ir.Plan
	err  error
}

func (c *planChecker) failf(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

func (c *planChecker) sorted(what string, ok bool) {
	if !ok {
		c.failf("%s are not sorted, or one is there twice", what)
	}
}

func (c *planChecker) ref(r ir.Ref, want ir.ResourceType, needed bool, what string) {
	switch {
	case r == ir.NoRef && !needed:
	case r < 0 || int(r) >= len(c.plan.Resources):
		c.failf("%s leads to resource %d of %d", what, r, len(c.plan.Resources))
	case c.plan.Resources[r].Type != want:
		c.failf("%s leads to the %s %q and should to a %s", what, c.plan.Resources[r].Type, c.plan.Resources[r].Name, want)
	}
}

func (c *planChecker) outbound(o ir.OutboundPort) {
	what := "outbound port " + o.Port.String()
	c.ref(o.Listener, ir.TypeListener, true, what)
	c.ref(o.Route, ir.TypeRoute, false, what)
	c.ref(o.Extension, ir.TypeExtension, false, what)
	c.ref(o.Direct, ir.TypeCluster, false, what)
	for _, port := range o.Clusters {
		if _, ok := slices.BinarySearchFunc(c.plan.Clusters, port, func(k ir.Cluster, p ir.PortID) int { return k.Port.Compare(p) }); !ok {
			c.failf("%s names the cluster %s, which is not there", what, port)
		}
	}
}

func (c *planChecker) scope(i int, s ir.Scope) {
	what := fmt.Sprintf("scope %d", i)
	c.ref(s.Virtual, ir.TypeListener, true, what)
	c.ref(s.Ranged, ir.TypeChain, false, what)
	for _, r := range s.Extra {
		c.ref(r, ir.TypeCluster, true, what)
	}
	for _, port := range s.Outbound {
		if _, ok := slices.BinarySearchFunc(c.plan.Outbound, port, func(o ir.OutboundPort, p ir.PortID) int { return o.Port.Compare(p) }); !ok {
			c.failf("%s names the outbound port %s, which is not there", what, port)
		}
	}
}

func (c *planChecker) role(r ir.RolePlan) {
	what := "role " + ir.RoleName(r.Identity, r.Services)
	c.ref(r.Listener, ir.TypeListener, true, what)
	for _, p := range r.Ports {
		c.ref(p.Route, ir.TypeRoute, false, what)
		c.ref(p.Extension, ir.TypeExtension, false, what)
		for _, chain := range p.Chains {
			c.ref(chain, ir.TypeChain, true, what)
		}
	}
}

// checkMesh proves the order by which names are looked up in an IR.
func checkMesh(m *ir.Mesh) error {
	c := planChecker{}
	c.sorted("services", sortedBy(m.Services, func(a, b ir.Service) int { return a.ID.Compare(b.ID) }))
	c.sorted("namespaces", sortedBy(m.Namespaces, func(a, b ir.Namespace) int { return cmp.Compare(a.Name, b.Name) }))
	c.sorted("identities", sortedBy(m.Identities, cmp.Compare[ir.Identity]))
	return c.err
}

// sortedBy tells whether every element is less than the next.
func sortedBy[T any](s []T, compare func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if compare(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}
