package envoy

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// settle sorts the resources and points every reference at its final place.
func settle(plan *ir.Plan, s *store) {
	resources, at := s.seal()
	plan.Resources = resources
	move := func(refs ...*ir.Ref) {
		for _, r := range refs {
			*r = at(*r)
		}
	}
	moveAll := func(refs []ir.Ref) []ir.Ref {
		out := slices.Clone(refs)
		for i := range out {
			out[i] = at(out[i])
		}
		return out
	}
	for i := range plan.Outbound {
		o := &plan.Outbound[i]
		move(&o.Listener, &o.Route, &o.Extension, &o.Direct)
	}
	for i := range plan.Clusters {
		move(&plan.Clusters[i].Resource)
	}
	for i := range plan.Scopes {
		sc := &plan.Scopes[i]
		move(&sc.Virtual, &sc.Ranged)
		sc.Extra = moveAll(sc.Extra)
	}
	for i := range plan.Roles {
		r := &plan.Roles[i]
		move(&r.Listener)
		for j := range r.Ports {
			p := &r.Ports[j]
			move(&p.Route, &p.Extension)
			p.Chains = moveAll(p.Chains)
		}
	}
}
