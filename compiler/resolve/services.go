package resolve

import (
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
	selector  map[string]string
	headless  bool
	ports     []syntax.ServicePort
	workloads []*workload // that it selects
	out       ir.Service  // once it is settled
}

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

func (r *resolver) reportExternalName(o *syntax.Object) {
	r.report(diag.New("MSH4006", o.At("spec", "externalName"), "service %q is a name for %q outside the mesh", o.Name, o.Service.ExternalName).
		WithEffect("calls to it are egress: no mTLS, and no grant can name it").
		WithHelp("give the namespace `egress: allow` if its workloads need it").About(o.Ref(), "spec.externalName"))
}

// parseServiceID reads NS/NAME.
func parseServiceID(s string) (ir.ServiceID, bool) {
	ns, name, ok := strings.Cut(s, "/")
	return ir.ServiceID{Namespace: ns, Name: name}, ok && ns != "" && name != "" && !strings.Contains(name, "/")
}

// readService finds a service: in the tree, else in a known fact that this policy
// rests on. nil: the mesh has no such service.
func (r *resolver) readService(id ir.ServiceID) *service {
	if s := r.declared.Get(id); s != nil {
		return s
	}
	f := r.known.peek(factService, id.Namespace, id.Name)
	if f == nil || !r.admitted(id, f) {
		return nil
	}
	return &service{id: id, fact: f, headless: f.Headless, ports: factPorts(f)}
}

// admitted tells whether a service that only a fact shows comes into the mesh:
// where calls need no grant, if a split names it, and if an account behind it is
// the destination of a target.
func (r *resolver) admitted(id ir.ServiceID, f *ir.Fact) bool {
	if r.policy(id.Namespace).Mode != ir.Strict || slices.Contains(r.asked.Get(id.Namespace), id) {
		return true
	}
	return slices.ContainsFunc(r.known.accounts[f], func(account ir.Identity) bool {
		home, ok := r.home(account)
		return ok && slices.Contains(r.wanted.Get(home.namespace), account)
	})
}

// knownService is a service that a split names. What it rests on a fact, or on
// the lack of one, is remembered.
func (r *resolver) knownService(id ir.ServiceID) (*service, bool) {
	s := r.service.Get(id)
	if s == nil || s.obj == nil {
		r.ask(factService, id.Namespace, id.Name)
	}
	return s, s != nil
}

func sameDeclaration(a, b *service) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.obj == b.obj && a.fact == b.fact && a.made == b.made && slices.Equal(a.workloads, b.workloads)
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
	for _, id := range r.servicesIn(namespace) {
		out = append(out, id.Name)
	}
	return out
}

// servicesIn are the services of a namespace that the mesh has, sorted.
func (r *resolver) servicesIn(ns string) []ir.ServiceID { return r.within.Get(ns) }

func (r *resolver) readWithin(ns string) []ir.ServiceID {
	out := r.backing.Get(ns).order
	if len(r.known.inPlace[ns]) == 0 {
		return out
	}
	out = slices.Clone(out)
	for _, f := range r.known.inPlace[ns] {
		if id := (ir.ServiceID{Namespace: ns, Name: f.Name}); r.service.Get(id) != nil {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, ir.ServiceID.Compare)
	return slices.Compact(out)
}
