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
func (r *resolver) addPrimaries() {
	for _, o := range r.objects.byKind["Canary"] {
		if o.Canary == nil {
			continue
		}
		target, ok := r.workload(o.Canary.TargetKind, o.Namespace, o.Canary.TargetName)
		if !ok {
			r.report(diag.New("MSH4017", o.At("spec", "targetRef", "name"), "%s %q, the target of %s, is not known", o.Canary.TargetKind, o.Canary.TargetName, nameOf(o)).
				WithEffect("the accounts behind its services are not known, so nobody reaches them").
				WithHelp("add the manifest of %s %s to the sources", o.Canary.TargetKind, o.Canary.TargetName).About(o.Ref(), "spec.targetRef.name"))
			continue
		}
		if _, written := r.workload(target.kind, o.Namespace, primaryOf(target.name)); written {
			continue
		}
		r.workloads = append(r.workloads, primary(target))
	}
}

// primary is a copy whose pods carry Flagger's label instead of the target's.
func primary(target *workload) *workload {
	w, spec := *target, *target.spec
	w.name = primaryOf(target.name)
	spec.PodLabels = maps.Clone(spec.PodLabels)
	for _, l := range []string{"app", "name", "app.kubernetes.io/name"} { // Flagger's -selector-labels
		if v, ok := spec.PodLabels[l]; ok {
			spec.PodLabels[l] = v + "-primary"
		}
	}
	w.spec = &spec
	return &w
}

func (r *resolver) workload(kind, namespace, name string) (*workload, bool) {
	for _, w := range r.workloads {
		if w.kind == kind && w.namespace == namespace && w.name == name {
			return w, true
		}
	}
	return nil, false
}

// addCanaryServices adds the services that Flagger will make, and binds NAME to
// the primary, as Flagger does with a Service of that name that exists already.
func (r *resolver) addCanaryServices() {
	for _, o := range r.objects.byKind["Canary"] {
		if o.Canary == nil {
			continue
		}
		target, ok := r.workload(o.Canary.TargetKind, o.Namespace, o.Canary.TargetName)
		if !ok {
			continue
		}
		main, _ := r.workload(target.kind, o.Namespace, primaryOf(target.name))
		name := or(o.Canary.ServiceName, o.Canary.TargetName)
		apex := r.canaryService(o, name, main)
		r.canaryService(o, name+"-primary", main)
		canary := r.canaryService(o, name+"-canary", target)
		if apex.backedBy(target) {
			// Until Flagger has taken over, and from then on.
			target.variants = append(target.variants, []ir.ServiceID{canary.id})
		}
	}
}

// canaryService is a service of a Canary; one that is in the tree keeps its ports.
func (r *resolver) canaryService(o *syntax.Object, name string, backing *workload) *service {
	id := ir.ServiceID{Namespace: o.Namespace, Name: name}
	s, ok := r.services[id]
	if !ok {
		c := o.Canary
		s = &service{id: id, obj: o, ports: []syntax.ServicePort{{
			Name: or(c.PortName, "http"), Protocol: "TCP", AppProtocol: c.AppProtocol, Port: c.Port,
			TargetPort: c.TargetPort, TargetName: c.TargetPortName,
		}}, made: true}
		r.services[id] = s
		r.origin("Service/"+id.String(), o, namePosition(o))
	}
	if backing != nil && !s.backedBy(backing) {
		s.workloads = append(s.workloads, backing)
	}
	return s
}

// rolloutVariants are the sets of services that pods of an Argo Rollout back
// while it adds its hash to the selectors of the canary and the stable service.
func rolloutVariants(w *workload) [][]ir.ServiceID {
	canary, stable := w.spec.CanaryService, w.spec.StableService
	if canary == "" || stable == "" || canary == stable {
		return nil
	}
	without := func(name string) []ir.ServiceID {
		var out []ir.ServiceID
		for _, s := range w.services {
			if s.Name != name {
				out = append(out, s)
			}
		}
		return out
	}
	return [][]ir.ServiceID{without(canary), without(stable)}
}
