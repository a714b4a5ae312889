package resolve

import (
	"maps"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Flagger makes of a Canary the workload TARGET-primary and the services NAME,
// NAME-primary and NAME-canary. NAME and NAME-primary select the primary,
// NAME-canary the target itself.

// primaryOf is the name of the workload Flagger makes of a target.
func primaryOf(target string) string { return target + "-primary" }

// addPrimaries adds the workloads that Flagger will make.
func (r *resolver) addPrimaries(c *crew, ns string) {
	for _, o := range r.of("Canary", ns) {
		if o.Canary == nil {
			continue
		}
		target, ok := named(c.workloads, o.Canary.TargetKind, o.Canary.TargetName)
		if !ok {
			r.report(diag.New("MSH4017", o.At("spec", "targetRef", "name"), "%s %q, the target of %s, is not known", o.Canary.TargetKind, o.Canary.TargetName, nameOf(o)).
				WithEffect("the accounts behind its services are not known, so nobody reaches them").
				WithHelp("add the manifest of %s %s to the sources", o.Canary.TargetKind, o.Canary.TargetName).About(o.Ref(), "spec.targetRef.name"))
			continue
		}
		if _, written := named(c.workloads, target.kind, primaryOf(target.name)); written {
			continue
		}
		w := primary(target)
		c.workloads = append(c.workloads, w)
		r.originOf(rankTree+len(workloadKinds), "Workload/"+w.namespace+"/"+w.name, w.obj, namePosition(w.obj))
	}
}

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
		target, ok := named(b.workloads, o.Canary.TargetKind, o.Canary.TargetName)
		if !ok {
			continue
		}
		main, _ := named(b.workloads, target.kind, primaryOf(target.name))
		name := or(o.Canary.ServiceName, o.Canary.TargetName)
		apex := r.canaryService(b, o, name, main)
		r.canaryService(b, o, name+"-primary", main)
		canary := r.canaryService(b, o, name+"-canary", target)
		if apex.backedBy(target) {
			// Until Flagger has taken over, and from then on.
			b.variants[target] = append(b.variants[target], []ir.ServiceID{canary.id})
		}
	}
}

// canaryService is a service of a Canary; one that is in the tree keeps its ports.
func (r *resolver) canaryService(b *backing, o *syntax.Object, name string, backing *workload) *service {
	id := ir.ServiceID{Namespace: o.Namespace, Name: name}
	s, ok := b.services[id]
	if !ok {
		c := o.Canary
		s = &service{id: id, obj: o, ports: []syntax.ServicePort{{
			Name: or(c.PortName, "http"), Protocol: "TCP", AppProtocol: c.AppProtocol, Port: c.Port,
			TargetPort: c.TargetPort, TargetName: c.TargetPortName,
		}}, made: true}
		b.services[id], b.order = s, append(b.order, id)
		r.origin("Service/"+id.String(), o, namePosition(o))
	}
	if backing != nil && !s.backedBy(backing) {
		s.workloads = append(s.workloads, backing)
	}
	return s
}

// rolloutVariants are the sets of services that pods of an Argo Rollout back
// while it adds its hash to the selectors of the canary and the stable service.
func rolloutVariants(w *workload, services []ir.ServiceID) [][]ir.ServiceID {
	canary, stable := w.spec.CanaryService, w.spec.StableService
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
