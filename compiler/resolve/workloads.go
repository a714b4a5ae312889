package resolve

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// workload is a Pod, anything with a pod template, or a copy of one that a
// controller will make.
type workload struct {
	obj       *syntax.Object
	kind      string
	namespace string
	name      string
	spec      *syntax.Workload
	template  *syntax.Object // where the pod was written: obj, or what workloadRef names
	identity  ir.Identity
	meshed    bool
	replicas  int
	services  []ir.ServiceID // that select it, sorted
	// variants are further sets of services that its pods back while a controller
	// (Flagger, Argo Rollouts) moves selectors.
	variants [][]ir.ServiceID
}

// workloadKinds are all kinds with pods, in order of name.
var workloadKinds = []string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"}

// readWorkloads finds the workloads of the tree, each with its identity (row 6)
// and whether it is in the mesh, then those that controllers will make.
func (r *resolver) readWorkloads() {
	for _, kind := range workloadKinds {
		for _, o := range r.objects.byKind[kind] {
			if w, ok := r.readWorkload(o); ok {
				r.workloads = append(r.workloads, w)
			}
		}
	}
	r.addPrimaries()
	for _, w := range r.workloads {
		r.origin("Workload/"+w.namespace+"/"+w.name, w.obj, namePosition(w.obj))
	}
}

func (r *resolver) readWorkload(o *syntax.Object) (*workload, bool) {
	if o.Workload == nil {
		return nil, false // it could not be decoded at all
	}
	w := &workload{obj: o, kind: o.Kind, namespace: o.Namespace, name: o.Name, spec: o.Workload, template: o, replicas: 1}
	if o.Workload.Replicas != nil {
		w.replicas = int(*o.Workload.Replicas)
	}
	if ref := o.Workload.TemplateRef; ref != nil {
		target, ok := r.objects.find(ref.Kind, o.Namespace, ref.Name)
		if !ok || target.Workload == nil {
			r.report(diag.New("MSH4017", o.At("spec", "workloadRef", "name"), "%s %q, whose pods %s runs, is not known", ref.Kind, ref.Name, nameOf(o)).
				WithEffect("its service account and its services are not known, so nothing is granted to it").
				WithHelp("add the manifest of %s %s to the sources", ref.Kind, ref.Name).About(o.Ref(), "spec.workloadRef.name"))
			return nil, false
		}
		w.spec, w.template = withStrategy(target.Workload, o.Workload), target
	}
	w.identity = ir.NewIdentity(r.settings.TrustDomain, w.namespace, or(w.spec.ServiceAccount, "default"))
	w.meshed = r.isMeshed(w)
	return w, true
}

// withStrategy is the pod of a template with the canary strategy of its owner.
func withStrategy(template, owner *syntax.Workload) *syntax.Workload {
	spec := *template
	spec.CanaryService, spec.StableService = owner.CanaryService, owner.StableService
	return &spec
}

// isMeshed: unless it or its namespace says otherwise. Pods in the node's own
// network namespace cannot be intercepted without intercepting the node.
func (r *resolver) isMeshed(w *workload) bool {
	at := func(label string) diag.Span { return w.podAt("metadata", "labels", label) }
	disabled := r.injectDisabled(w.spec.PodLabels, at)
	if !r.namespaceMeshed(w.namespace) || disabled {
		return false
	}
	if w.spec.HostNetwork {
		r.report(diag.New("MSH4011", w.podAt("spec", "hostNetwork"), "%s uses the network of its node", nameOf(w.obj)).
			WithEffect("it has no sidecar: it counts as outside the mesh").
			WithHelp("label its pods `%s: disabled` to say that this is meant", labelInject).About(w.obj.Ref(), ""))
		return false
	}
	return true
}

// podAt is a position inside the pod or the pod template.
func (w *workload) podAt(path ...any) diag.Span {
	return w.template.At(append(slices.Clone(w.spec.TemplatePath), path...)...)
}

// containers are all that listen while the pod runs: sidecars among the init
// containers too.
func (w *workload) containers() []syntax.Container {
	out := slices.Clone(w.spec.Containers)
	for _, c := range w.spec.InitContainers {
		if c.RestartAlways {
			out = append(out, c)
		}
	}
	return out
}

// port finds a declared port by name.
func (w *workload) port(name string, udp bool) (uint16, bool) {
	for _, c := range w.containers() {
		for _, p := range c.Ports {
			if p.Name == name && (p.Protocol == "UDP") == udp && validPort(p.Port) {
				return uint16(p.Port), true
			}
		}
	}
	return 0, false
}

func validPort(n int64) bool { return n > 0 && n < 65536 }

// selected tells whether the pod's labels have all of the selector's.
func selected(labels, selector map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}
