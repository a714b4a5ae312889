package verify

import (
	"cmp"
	"fmt"

	"github.com/meshc/meshc/compiler/ir"
)

// checkRefs makes sure that every reference leads to a resource of its type.
func checkRefs(plan *ir.Plan) error { return checkRefsSince(&ir.Plan{}, plan) }

// checkRefsSince leaves out lists that a plan whose references were checked has too,
// if its resources are of the same types and names at the same places.
func checkRefsSince(before, plan *ir.Plan) error {
	c := refCheck{plan: plan}
	framed := sameFrame(before.Resources, plan.Resources)
	again := false
	for _, list := range []struct {
		same  bool
		check func()
	}{
		{onePlace(before.Outbound, plan.Outbound), c.outbound},
		{onePlace(before.Clusters, plan.Clusters), c.clusters},
		{onePlace(before.Scopes, plan.Scopes) && onePlace(before.Identities, plan.Identities), c.scopes},
		{onePlace(before.Roles, plan.Roles), c.roles},
	} {
		if !framed || !list.same {
			list.check()
			again = true
		}
	}
	if !framed {
		c.order()
	}
	if again {
		c.names()
	}
	return c.err
}

// sameFrame tells that resources of the same types and names are at the same places.
func sameFrame(a, b []ir.Resource) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].Type != b[i].Type {
			return false
		}
	}
	return true
}

func (c *refCheck) outbound() {
	for i := range c.plan.Outbound {
		o := &c.plan.Outbound[i]
		c.must(ir.TypeListener, o.Listener)
		c.may(ir.TypeRoute, o.Route)
		c.may(ir.TypeExtension, o.Extension)
		c.may(ir.TypeCluster, o.Direct)
	}
}

func (c *refCheck) clusters() {
	for i := range c.plan.Clusters {
		c.must(ir.TypeCluster, c.plan.Clusters[i].Resource)
	}
}

func (c *refCheck) scopes() {
	plan := c.plan
	for i := range plan.Scopes {
		s := &plan.Scopes[i]
		c.must(ir.TypeListener, s.Virtual)
		c.may(ir.TypeChain, s.Ranged)
		for _, r := range s.Extra {
			c.must(ir.TypeCluster, r)
		}
	}
	for i := range plan.Identities {
		if p := &plan.Identities[i]; c.err == nil && (p.Scope < 0 || p.Scope >= len(plan.Scopes)) {
			c.err = fmt.Errorf("the plan gives %s scope %d, which it does not hold", p.Identity, p.Scope)
		}
	}
}

func (c *refCheck) roles() {
	for i := range c.plan.Roles {
		c.role(&c.plan.Roles[i])
	}
}

// order makes sure that resources are in order of type and name, so that namesakes
// are neighbours.
func (c *refCheck) order() {
	for i := 1; i < len(c.plan.Resources) && c.err == nil; i++ {
		a, b := &c.plan.Resources[i-1], &c.plan.Resources[i]
		if cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)) > 0 {
			c.err = fmt.Errorf("%s %s stands before %s %s in the plan, which has them in order", a.Type, a.Name, b.Type, b.Name)
		}
	}
}

// names makes sure that no proxy is sent two resources of one type and name, of
// which it would take either.
func (c *refCheck) names() {
	alike := false
	for i := 1; i < len(c.plan.Resources) && c.err == nil && !alike; i++ {
		a, b := &c.plan.Resources[i-1], &c.plan.Resources[i]
		alike = a.Name == b.Name && a.Type == b.Type
	}
	if !alike || c.err != nil {
		return
	}
	clients := map[[2]string]ir.Ref{}
	for i := range c.plan.Outbound {
		o := &c.plan.Outbound[i]
		c.one(clients, o.Listener, o.Route, o.Extension, o.Direct)
	}
	for i := range c.plan.Clusters {
		c.one(clients, c.plan.Clusters[i].Resource)
	}
	for i := range c.plan.Roles {
		server := map[[2]string]ir.Ref{}
		for _, p := range c.plan.Roles[i].Ports {
			c.one(server, p.Route, p.Extension)
		}
	}
}

func (c *refCheck) one(known map[[2]string]ir.Ref, refs ...ir.Ref) {
	for _, ref := range refs {
		if ref == ir.NoRef {
			continue
		}
		r := &c.plan.Resources[ref]
		key := [2]string{string(r.Type), r.Name}
		if other, ok := known[key]; ok && other != ref && c.err == nil {
			c.err = fmt.Errorf("there are two of %s %s, and a proxy may be sent both", r.Type, r.Name)
		}
		known[key] = ref
	}
}

// refCheck keeps the first reference that leads astray.
type refCheck struct {
	plan *ir.Plan
	err  error
}

func (c *refCheck) role(r *ir.RolePlan) {
	c.must(ir.TypeListener, r.Listener)
	for i := range r.Ports {
		p := &r.Ports[i]
		for _, ref := range p.Chains {
			c.must(ir.TypeChain, ref)
		}
		c.may(ir.TypeRoute, p.Route)
		c.may(ir.TypeExtension, p.Extension)
	}
}

func (c *refCheck) may(of ir.ResourceType, r ir.Ref) {
	if r != ir.NoRef {
		c.must(of, r)
	}
}

func (c *refCheck) must(of ir.ResourceType, r ir.Ref) {
	switch {
	case c.err != nil:
	case r < 0 || int(r) >= len(c.plan.Resources):
		c.err = fmt.Errorf("the plan refers to %s %d, which it does not hold", of, r)
	case c.plan.Resources[r].Type != of:
		c.err = fmt.Errorf("the plan refers to %s %s as a %s", c.plan.Resources[r].Type, c.plan.Resources[r].Name, of)
	}
}
