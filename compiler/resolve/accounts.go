package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// account is a service account of the mesh's trust domain.
type account struct {
	id        ir.Identity
	at        diag.Span
	workloads []*workload
	fact      *ir.Fact // that shows it, where the tree does not
	listed    bool     // belongs to Mesh.Identities
}

// readAccounts finds the accounts that the tree shows: of pods, and ServiceAccount objects.
func (r *resolver) readAccounts() {
	for _, o := range r.objects.byKind["ServiceAccount"] {
		if r.namespaceOurs(o.Namespace) {
			a := r.account(ir.NewIdentity(r.settings.TrustDomain, o.Namespace, o.Name))
			a.at, a.listed = namePosition(o), true
			r.origin("ServiceAccount/"+o.Namespace+"/"+o.Name, o, a.at)
		}
	}
	for _, w := range r.workloads {
		a := r.account(w.identity)
		a.workloads = append(a.workloads, w)
		a.listed = a.listed || w.meshed
		if a.at.File == "" {
			a.at = w.podAt("spec", "serviceAccountName")
		}
	}
}

func (r *resolver) namespaceOurs(name string) bool {
	r.namespaceMeshed(name)
	return r.namespaces[name].ours
}

func (r *resolver) account(id ir.Identity) *account {
	a, ok := r.accounts[id]
	if !ok {
		a = &account{id: id}
		r.accounts[id] = a
	}
	return a
}

// knownAccount finds an account by name: in the tree, then in known facts.
func (r *resolver) knownAccount(ns, name string) (*account, bool) {
	id := ir.NewIdentity(r.settings.TrustDomain, ns, name)
	if a, ok := r.accounts[id]; ok {
		return a, true
	}
	if name == "default" && r.namespaces[ns] != nil && r.namespaces[ns].inTree {
		return r.account(id), true // Kubernetes makes one in every namespace
	}
	f, _ := r.known.ask(factAccount, ns, name)
	if f == nil {
		f = r.known.backing(id, r.settings.TrustDomain)
	}
	if f == nil {
		return nil, false
	}
	a := r.account(id)
	a.at, a.fact = f.At, f
	r.factOrigin("ServiceAccount/"+id.Short(), "ServiceAccount", f)
	return a, true
}

// backing finds a service fact that names the account, which is then known too.
func (k *knowledge) backing(id ir.Identity, trustDomain string) *ir.Fact {
	if k.backers == nil {
		k.backers = map[ir.Identity]*ir.Fact{}
		for _, f := range k.list {
			for _, account := range factAccounts(f, trustDomain) {
				if k.backers[account] == nil {
					k.backers[account] = f
				}
			}
		}
	}
	f := k.backers[id]
	if f != nil {
		k.read[f] = true
	}
	return f
}

// admitClients takes into the mesh the accounts of which only facts know, that
// back no service and of which no policy may speak: they run in a namespace of
// this tree, and without a place in the bundle their proxies would be refused.
func (r *resolver) admitClients() {
	for _, f := range r.known.clients() {
		if n := r.namespaces[f.Namespace]; n != nil && n.inTree && n.ours {
			r.known.read[f] = true
			if a, ok := r.knownAccount(f.Namespace, f.Name); ok {
				a.listed = a.listed || !a.outside()
			}
		}
	}
}

// clients are the roles of facts that back no service, in order.
func (k *knowledge) clients() []*ir.Fact {
	var out []*ir.Fact
	for _, facts := range k.roles {
		for _, f := range facts {
			if len(f.Services) == 0 {
				out = append(out, f)
			}
		}
	}
	slices.SortFunc(out, func(a, b *ir.Fact) int { return compareFacts(*a, *b) })
	return out
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
func (r *resolver) accountNames(ns string) []string {
	var out []string
	for id := range r.accounts {
		if _, n, name, ok := id.Split(); ok && n == ns {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// accountNamespaces lists the namespaces that have an account of the name.
func (r *resolver) accountNamespaces(account string) []string {
	var out []string
	for id := range r.accounts {
		if _, ns, name, ok := id.Split(); ok && name == account {
			out = append(out, ns)
		}
	}
	slices.Sort(out)
	return out
}

// outside tells that every known workload of the account is outside the mesh.
func (a *account) outside() bool {
	if len(a.workloads) == 0 {
		return a.fact != nil && a.fact.Kind == factAccount && !meshed(a.fact)
	}
	return !slices.ContainsFunc(a.workloads, func(w *workload) bool { return w.meshed })
}

func (r *resolver) sortedAccounts() []*account {
	ids := slices.Sorted(maps.Keys(r.accounts))
	out := make([]*account, len(ids))
	for i, id := range ids {
		out[i] = r.accounts[id]
	}
	return out
}
