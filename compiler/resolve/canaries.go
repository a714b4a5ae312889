package resolve

import (
	"maps"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Flagger makes of a Canary the workload TARGET-primary and the services NAME,
// NAME-primary and NAME-canary. NAME and NAME-primary select the primary,
// NAME-canary the target itself.

// primaryOf is the name of the workload Flagger makes of a target.
func primaryOf(target string) string { return target + "-primary" }

// primary is a copy whose pods carry Flagger's label instead of the target's.
func primary(target *workload) *workload {
	w, spec := *target, *target.spec
	w.part, w.name = nil, primaryOf(target.name)
	spec.PodLabels = maps.Clone(spec.PodLabels)
	for _, l := range []string{"app", "name", "app.kubernetes.io/name"} { // Flagger's -selector-labels
		if v, ok := spec.PodLabels[l]; ok {
			spec.PodLabels[l] = v + "-primary"
		}
	}
	w.spec = &spec
	return &w
}

// addCanaryServices adds the services that Flagger will make, and binds NAME to
// the primary, as Flagger does with a Service of that name that exists already.
func (r *resolver) addCanaryServices(b *backing, ns string) {
	for _, o := range r.of("Canary", ns) {
		if o.Canary == nil {
			continue
		}
		target := b.named(o.Canary.TargetKind, o.Canary.TargetName)
		if target == nil {
			continue
		}
		main := b.named(target.name.Kind, primaryOf(target.name.Name))
		name := or(o.Canary.ServiceName, o.Canary.TargetName)
		apex := r.canaryService(b, o, name, main)
		r.canaryService(b, o, name+"-primary", main)
		canary := r.canaryService(b, o, name+"-canary", target)
		if apex.has(target) {
			// Until Flagger has taken over, and from then on.
			b.variants[target] = append(b.variants[target], []ir.ServiceID{canary.id})
		}
	}
}

// named finds a post by the name of its workload; nil: there is none.
func (b *backing) named(kind, name string) *post {
	for _, p := range b.posts {
		if p.name.Kind == kind && p.name.Name == name {
			return p
		}
	}
	return nil
}

// canaryService is a service of a Canary; one that is in the tree keeps its ports.
func (r *resolver) canaryService(b *backing, o *syntax.Object, name string, behind *post) *seat {
	id := ir.ServiceID{Namespace: o.Namespace, Name: name}
	s, ok := b.services[id]
	if !ok {
		s = &seat{id: id, canary: o}
		b.services[id], b.order = s, append(b.order, id)
		r.origin("Service/"+id.String(), o, namePosition(o))
	}
	if behind != nil && !s.has(behind) {
		s.posts = append(s.posts, behind)
	}
	return s
}

// canaryPorts are those of the services of a Canary.
func canaryPorts(c *syntax.Canary) []syntax.ServicePort {
	return []syntax.ServicePort{{
		Name: or(c.PortName, "http"), Protocol: "TCP", AppProtocol: c.AppProtocol, Port: c.Port,
		TargetPort: c.TargetPort, TargetName: c.TargetPortName,
	}}
}

// rolloutVariants are the sets of services that pods of an Argo Rollout back
// while it adds its hash to the selectors of the canary and the stable service.
func rolloutVariants(p *post, services []ir.ServiceID) [][]ir.ServiceID {
	canary, stable := p.canary, p.stable
	if canary == "" || stable == "" || canary == stable {
		return nil
	}
	without := func(name string) []ir.ServiceID {
		var out []ir.ServiceID
		for _, s := range services {
			if s.Name != name {
				out = append(out, s)
			}
		}
		return out
	}
	return [][]ir.ServiceID{without(canary), without(stable)}
}
