package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// account is a service account of the mesh's trust domain.
type account struct {
	id        ir.Identity
	at        diag.Span
	workloads []*workload
	fact      *ir.Fact // that shows it, where the tree does not
}

// accountName names an account of the mesh's trust domain.
type accountName struct{ namespace, name string }

func (r *resolver) identity(a accountName) ir.Identity {
	return ir.NewIdentity(r.settings.TrustDomain, a.namespace, a.name)
}

// home takes an identity of the mesh's own form apart.
func (r *resolver) home(id ir.Identity) (accountName, bool) {
	rest, ok := strings.CutPrefix(string(id), "spiffe://"+r.settings.TrustDomain+"/ns/")
	ns, name, form := strings.Cut(rest, "/sa/")
	return accountName{ns, name}, ok && form
}

// readAccount finds an account that the tree shows, by pods or a ServiceAccount
// object; nil: it does not.
func (r *resolver) readAccount(name accountName) *account {
	a := &account{id: r.identity(name), workloads: r.running.Get(name)}
	o, written := r.find("ServiceAccount", name.namespace, name.name)
	switch {
	case written && r.ours.Get(name.namespace):
		a.at = namePosition(o)
	case len(a.workloads) > 0:
		a.at = a.workloads[0].podAt("spec", "serviceAccountName")
	default:
		return nil
	}
	return a
}

func sameAccount(a, b *account) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.at == b.at && slices.Equal(a.workloads, b.workloads)
}

// readListing takes into the mesh the accounts that ServiceAccount objects of a
// namespace show, and those of which only facts know, that back no service and of
// which no policy may speak: they run in a namespace of this tree, and without a
// place in the bundle their proxies would be refused.
func (r *resolver) readListing(ns string) *part {
	return r.unit(func() {
		if !r.ours.Get(ns) {
			return
		}
		for _, o := range r.of("ServiceAccount", ns) {
			r.list(r.identity(accountName{ns, o.Name}))
			r.origin("ServiceAccount/"+ns+"/"+o.Name, o, namePosition(o))
		}
		if !r.present.Get(ns) {
			return
		}
		for _, f := range r.known.clients[ns] {
			r.out.read = append(r.out.read, f)
			if a, ok := r.knownAccount(f.Namespace, f.Name); ok && !a.outside() {
				r.list(a.id)
			}
		}
	})
}

// readPeople lists the accounts of a namespace that the tree shows, sorted.
func (r *resolver) readPeople(ns string) []string {
	var out []string
	if r.ours.Get(ns) {
		out = r.names("ServiceAccount", ns)
	}
	for _, p := range r.roster.Get(ns).posts {
		out = append(out, p.account)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// knownAccount finds an account by name: in the tree, then in known facts.
func (r *resolver) knownAccount(ns, name string) (*account, bool) {
	if a := r.account.Get(accountName{ns, name}); a != nil {
		return a, true
	}
	id := r.identity(accountName{ns, name})
	if name == "default" && r.present.Get(ns) {
		return &account{id: id}, true // Kubernetes makes one in every namespace
	}
	f, _ := r.ask(factAccount, ns, name)
	if f == nil {
		if f = r.known.backers[id]; f == nil {
			return nil, false
		}
		r.out.read = append(r.out.read, f)
	}
	r.factOrigin(rankAccountFact, "ServiceAccount/"+id.Short(), "ServiceAccount", f)
	return &account{id: id, at: f.At, fact: f}, true
}

// factAccounts are the accounts behind the service of a fact.
func factAccounts(f *ir.Fact, trustDomain string) []ir.Identity {
	var out []ir.Identity
	for _, s := range f.Accounts {
		if id, ok := ir.ParseIdentity(trustDomain, s); ok {
			out = append(out, id)
		}
	}
	return out
}

// accountNames lists the accounts of a namespace, for suggestions.
func (r *resolver) accountNames(ns string) []string { return r.people.Get(ns) }

// accountNamespaces lists the namespaces that have an account of the name.
func (r *resolver) accountNamespaces(name string) []string {
	var out []string
	for _, ns := range r.places.Get(struct{}{}) {
		if r.account.Get(accountName{ns, name}) != nil {
			out = append(out, ns)
		}
	}
	return out
}

// outside tells that every known workload of the account is outside the mesh.
func (a *account) outside() bool {
	if len(a.workloads) == 0 {
		return a.fact != nil && a.fact.Kind == factAccount && !meshed(a.fact)
	}
	return !slices.ContainsFunc(a.workloads, func(w *workload) bool { return w.meshed })
}
