package resolve

import (
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// workload is a Pod, anything with a pod template, or a copy of one that a
// controller will make. It is never changed: which services select it is said by
// the backing of its namespace.
type workload struct {
	*part
	obj       *syntax.Object
	kind      string
	namespace string
	name      string
	spec      *syntax.Workload
	template  *syntax.Object // where the pod was written: obj, or what workloadRef names
	account   string
	identity  ir.Identity
	meshed    bool
	replicas  int
}

// workloadKinds are all kinds with pods, in order of name.
var workloadKinds = []string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "ReplicationController", "Rollout", "StatefulSet"}

// readWorkload reads a workload of the tree with its identity (row 6) and whether
// it is in the mesh. One whose pods are not known has no spec.
func (r *resolver) readWorkload(name syntax.Name) *workload {
	o, ok := r.find(name.Kind, name.Namespace, name.Name)
	if !ok || o.Workload == nil {
		return nil // it could not be decoded at all
	}
	w := &workload{obj: o, kind: o.Kind, namespace: o.Namespace, name: o.Name, replicas: 1}
	if o.Workload.Replicas != nil {
		w.replicas = int(*o.Workload.Replicas)
	}
	w.part = r.unit(func() {
		if w.spec, w.template = r.template(o); w.spec == nil {
			return
		}
		w.account = or(w.spec.ServiceAccount, "default")
		w.identity = r.identity(accountName{w.namespace, w.account})
		if w.meshed = r.isMeshed(w); w.meshed {
			r.list(w.identity)
		}
		r.originOf(rankTree+slices.Index(workloadKinds, w.kind), "Workload/"+w.namespace+"/"+w.name, o, namePosition(o))
	})
	return w
}

// template is the pod of a workload and where it was written; nil when that is
// nowhere.
func (r *resolver) template(o *syntax.Object) (*syntax.Workload, *syntax.Object) {
	ref := o.Workload.TemplateRef
	if ref == nil {
		return o.Workload, o
	}
	target, ok := r.find(ref.Kind, o.Namespace, ref.Name)
	if !ok || target.Workload == nil {
		r.report(diag.New("MSH4017", o.At("spec", "workloadRef", "name"), "%s %q, whose pods %s runs, is not known", ref.Kind, ref.Name, nameOf(o)).
			WithEffect("its service account and its services are not known, so nothing is granted to it").
			WithHelp("add the manifest of %s %s to the sources", ref.Kind, ref.Name).About(o.Ref(), "spec.workloadRef.name"))
		return nil, nil
	}
	return withStrategy(target.Workload, o.Workload), target
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
	if !r.meshed.Get(w.namespace) || disabled {
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
