package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// settled is a service with its ports and the accounts behind it.
type settled struct {
	*part
	service *service // nil: the mesh has none of that name
}

// settleService gives a service its ports and the accounts behind it.
func (r *resolver) settleService(id ir.ServiceID) *settled {
	known := r.service.Get(id)
	if known == nil {
		return &settled{part: &part{}}
	}
	s := *known
	s.out = ir.Service{ID: s.id, Headless: s.headless, Accounts: []ir.Identity{}, Ports: []ir.Port{}}
	return &settled{service: &s, part: r.unit(func() {
		if s.obj == nil {
			r.ask(factService, id.Namespace, id.Name)
			r.factOrigin(rankTree, "Service/"+id.String(), "Service", s.fact)
		}
		r.settlePorts(&s)
		r.settleAccounts(&s)
		r.readPlaintext(&s)
	})}
}

// sameService tells that two services mean the same and lie at the same place.
func sameService(a, b *service) bool {
	if a == nil || b == nil {
		return a == b
	}
	return sameDeclaration(a, b) && slices.Equal(a.out.Accounts, b.out.Accounts) &&
		slices.Equal(a.out.Ports, b.out.Ports) && a.out.Outside == b.out.Outside && a.out.Headless == b.out.Headless
}

// readOffer is what a service means to the mesh; nil: the mesh has none of that name.
func (r *resolver) readOffer(id ir.ServiceID) *ir.Service {
	if s := r.ports.Get(id); s != nil {
		return &s.out
	}
	return nil
}

// offered are the ports of a service.
func (r *resolver) offered(id ir.ServiceID) []ir.Port {
	if s := r.offer.Get(id); s != nil {
		return s.Ports
	}
	return nil
}

func sameOffer(a, b *ir.Service) bool {
	if a == nil || b == nil {
		return a == b
	}
	return ir.SameService(a, b)
}

// settleAccounts finds the whole set of accounts behind a service: from the
// workloads of the tree that it selects, else from known facts (DESIGN 4).
func (r *resolver) settleAccounts(s *service) {
	if s.obj != nil {
		r.compareWithFact(s, r.known.peek(factService, s.id.Namespace, s.id.Name))
	}
	if len(s.workloads) > 0 {
		r.accountsOfWorkloads(s)
		return
	}
	if s.fact == nil {
		s.fact, _ = r.ask(factService, s.id.Namespace, s.id.Name)
	}
	if s.fact != nil && len(s.fact.Accounts) > 0 {
		r.accountsOfFact(s)
		return
	}
	r.reportUnbacked(s)
}

func (r *resolver) accountsOfWorkloads(s *service) {
	var outside []*workload
	for _, w := range s.workloads {
		if w.meshed {
			s.out.Accounts = append(s.out.Accounts, w.identity)
		} else {
			outside = append(outside, w)
		}
	}
	slices.Sort(s.out.Accounts)
	s.out.Accounts = slices.Compact(s.out.Accounts)
	switch {
	case len(s.out.Accounts) == 0:
		s.out.Outside = true
	case len(outside) > 0:
		f := diag.New("MSH4007", s.at(), "service %q has workloads inside and outside the mesh", s.id.Name).
			WithEffect("meshed clients use the meshed ones only")
		for _, w := range outside {
			f = f.WithRelated(namePosition(w.obj), "this one is outside the mesh")
		}
		r.report(f.WithHelp("put all of them in the mesh, or select those outside with a service of their own").About(serviceRef(s), "spec.selector"))
	}
}

func (r *resolver) accountsOfFact(s *service) {
	if !meshed(s.fact) {
		s.out.Outside = true
		return
	}
	for _, written := range s.fact.Accounts {
		id, ok := ir.ParseIdentity(r.settings.TrustDomain, written)
		if ok && strings.HasPrefix(written, "spiffe://") && (id.Check() != nil || id.TrustDomain() != r.settings.TrustDomain) {
			ok = false
		}
		if !ok {
			r.report(diag.New("MSH0201", s.fact.At, "%q is no account of this mesh", written).
				WithEffect("endpoints of it stay out of service %s", s.id).
				WithHelp("write NAMESPACE/SERVICEACCOUNT or spiffe://%s/ns/NAMESPACE/sa/SERVICEACCOUNT", r.settings.TrustDomain))
			continue
		}
		r.list(id)
		if home, ok := r.home(id); !ok || len(r.running.Get(home)) == 0 {
			r.factOrigin(rankServiceFact, "ServiceAccount/"+id.Short(), "ServiceAccount", s.fact)
		}
		s.out.Accounts = append(s.out.Accounts, id)
	}
	slices.Sort(s.out.Accounts)
	s.out.Accounts = slices.Compact(s.out.Accounts)
}

func (r *resolver) reportUnbacked(s *service) {
	if s.fact != nil && !meshed(s.fact) {
		s.out.Outside = true
		return
	}
	const effect = "no endpoint of it is believed: calls to it get 503"
	if len(s.selector) == 0 && s.obj != nil && !s.made {
		r.report(diag.New("MSH4005", s.at(), "service %q has no selector, and nothing else tells which accounts are behind it", s.id.Name).
			WithEffect(effect).WithHelp(howToKnow).About(serviceRef(s), "spec.selector"))
		return
	}
	if s.made || r.rooted.Get(s.id) {
		return // the missing target is a finding already; a split's leaves take the calls to its root
	}
	f := diag.New("MSH4004", s.at(), "nothing that is known backs service %q", s.id.Name).WithEffect(effect).
		WithHelp("add the manifests of its workloads to the sources, pin its accounts with `meshc lock --update --from EXPORT`, or declare them under `assume` in meshc.yaml")
	if s.obj != nil {
		f.Locations[0].Span = s.obj.At("spec", "selector")
	}
	r.report(f.About(serviceRef(s), "spec.selector"))
}

func serviceRef(s *service) diag.Object {
	if s.obj != nil {
		return s.obj.Ref()
	}
	return diag.Object{Kind: "Service", Namespace: s.id.Namespace, Name: s.id.Name}
}

// compareWithFact tells where the tree and a known fact contradict each other:
// the tree wins, but whoever reads the lock should know.
func (r *resolver) compareWithFact(s *service, fact *ir.Fact) {
	if fact == nil {
		return
	}
	say := func(format string, args ...any) {
		r.report(diag.New("MSH0203", fact.At, format, args...).
			WithEffect("the manifest counts").WithRelated(s.at(), "written here").
			WithHelp("bring the lock up to date with `meshc lock --update`, or mend the assumption"))
	}
	for _, p := range s.ports {
		known := slices.IndexFunc(fact.Ports, func(f ir.FactPort) bool {
			return f.Port == p.Port && or(f.Protocol, "TCP") == or(p.Protocol, "TCP")
		})
		if known < 0 {
			say("the known fact about service %q lacks port %d, which its manifest has", s.id, p.Port)
			continue
		}
		f := factPorts(fact)[known]
		if protocolOf(f) != protocolOf(p) || targetOf(f) != targetOf(p) {
			say("port %d of service %q differs between the known fact and its manifest", p.Port, s.id)
		}
	}
	if len(s.workloads) == 0 || len(fact.Accounts) == 0 {
		return
	}
	var tree []ir.Identity
	for _, w := range s.workloads {
		tree = append(tree, w.identity)
	}
	slices.Sort(tree)
	known := factAccounts(fact, r.settings.TrustDomain)
	slices.Sort(known)
	if !slices.Equal(slices.Compact(tree), slices.Compact(known)) {
		say("the accounts behind service %q differ between the known fact and the tree's workloads", s.id)
	}
}
