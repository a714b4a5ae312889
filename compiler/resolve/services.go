package resolve

import (
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// service is a Service of the tree, one that Flagger will make, or a known fact.
type service struct {
	id        ir.ServiceID
	obj       *syntax.Object // nil: only a fact shows it
	fact      *ir.Fact       // its accounts, and without obj its ports
	made      bool           // Flagger will make it: obj is the Canary
	split     bool           // a split without matches sends every call to its leaves
	selector  map[string]string
	headless  bool
	ports     []syntax.ServicePort
	workloads []*workload // that it selects
	out       ir.Service
}

func (s *service) backedBy(w *workload) bool { return slices.Contains(s.workloads, w) }

// at is where the service says its name.
func (s *service) at() diag.Span {
	if s.obj == nil {
		return s.fact.At
	}
	return namePosition(s.obj)
}

// portAt is where the service says something of its i-th port as written.
func (s *service) portAt(i int, field string) diag.Span {
	switch {
	case s.obj == nil:
		return s.fact.At
	case s.made:
		return s.obj.At("spec", "service", "port")
	}
	return s.obj.At("spec", "ports", i, field)
}

// readServices reads the tree's services and finds the workloads they select.
func (r *resolver) readServices() {
	pods := indexPods(r.workloads)
	for _, o := range r.objects.byKind["Service"] {
		if o.Service == nil {
			continue
		}
		if o.Service.Type == "ExternalName" {
			r.reportExternalName(o)
			continue
		}
		s := &service{id: idOf(o), obj: o, selector: o.Service.Selector, headless: o.Service.ClusterIP == "None", ports: o.Service.Ports}
		s.workloads = pods.find(o.Namespace, s.selector)
		r.services[s.id] = s
		r.origin("Service/"+s.id.String(), o, namePosition(o))
	}
	r.addCanaryServices()
	r.bindWorkloads()
}

func (r *resolver) reportExternalName(o *syntax.Object) {
	r.report(diag.New("MSH4006", o.At("spec", "externalName"), "service %q is a name for %q outside the mesh", o.Name, o.Service.ExternalName).
		WithEffect("calls to it are egress: no mTLS, and no grant can name it").
		WithHelp("give the namespace `egress: allow` if its workloads need it").About(o.Ref(), "spec.externalName"))
}

// bindWorkloads tells the workloads which services select them.
func (r *resolver) bindWorkloads() {
	for _, s := range r.sortedServices() {
		for _, w := range s.workloads {
			w.services = append(w.services, s.id)
		}
	}
	for _, w := range r.workloads {
		w.variants = append(w.variants, rolloutVariants(w)...)
	}
}

func (r *resolver) sortedServices() []*service {
	out := slices.Collect(maps.Values(r.services))
	slices.SortFunc(out, func(a, b *service) int { return a.id.Compare(b.id) })
	return out
}

// podIndex finds pods by one label without looking at all of a namespace.
type podIndex map[string][]*workload

func podKey(namespace, label, value string) string {
	return namespace + "\x00" + label + "\x00" + value
}

func indexPods(workloads []*workload) podIndex {
	ix := podIndex{}
	for _, w := range workloads {
		for l, v := range w.spec.PodLabels {
			k := podKey(w.namespace, l, v)
			ix[k] = append(ix[k], w)
		}
	}
	return ix
}

// find lists the workloads a service's selector selects; an empty one selects none.
func (ix podIndex) find(namespace string, selector map[string]string) []*workload {
	var shortest []*workload
	first := true
	for l, v := range selector {
		if c := ix[podKey(namespace, l, v)]; first || len(c) < len(shortest) {
			shortest, first = c, false
		}
	}
	var out []*workload
	for _, w := range shortest {
		if selected(w.spec.PodLabels, selector) {
			out = append(out, w)
		}
	}
	return out
}

// parseServiceID reads NS/NAME.
func parseServiceID(s string) (ir.ServiceID, bool) {
	ns, name, ok := strings.Cut(s, "/")
	return ir.ServiceID{Namespace: ns, Name: name}, ok && ns != "" && name != "" && !strings.Contains(name, "/")
}

// admitServices takes into the mesh the services that only facts show and that
// this policy rests on: those an account of a destination backs, and all of a
// namespace in which calls need no grant. Splits ask for theirs by name.
func (r *resolver) admitServices(targets []*target) {
	wanted := map[ir.Identity]bool{}
	for _, t := range targets {
		for _, id := range t.destinations {
			wanted[id] = true
		}
	}
	for _, f := range r.known.list {
		open := r.namespace(f.Namespace).Mode != ir.Strict
		if open || slices.ContainsFunc(factAccounts(f, r.settings.TrustDomain), func(id ir.Identity) bool { return wanted[id] }) {
			r.knownService(ir.ServiceID{Namespace: f.Namespace, Name: f.Name})
		}
	}
}

// knownService finds a service: in the tree, then in known facts, from where it
// comes into the mesh.
func (r *resolver) knownService(id ir.ServiceID) (*service, bool) {
	if s, ok := r.services[id]; ok {
		return s, true
	}
	f, _ := r.known.ask(factService, id.Namespace, id.Name)
	if f == nil {
		return nil, false
	}
	s := &service{id: id, fact: f, headless: f.Headless, ports: factPorts(f)}
	r.services[id] = s
	r.factOrigin("Service/"+id.String(), "Service", f)
	return s, true
}

func factPorts(f *ir.Fact) []syntax.ServicePort {
	out := make([]syntax.ServicePort, len(f.Ports))
	for i, p := range f.Ports {
		out[i] = syntax.ServicePort{Name: p.Name, Protocol: or(p.Protocol, "TCP"), AppProtocol: p.AppProtocol, Port: p.Port, TargetPort: p.TargetPort, TargetName: p.TargetName}
	}
	return out
}

// serviceNames lists the services of a namespace, for suggestions.
func (r *resolver) serviceNames(namespace string) []string {
	var out []string
	for id := range r.services {
		if id.Namespace == namespace {
			out = append(out, id.Name)
		}
	}
	slices.Sort(out)
	return out
}
