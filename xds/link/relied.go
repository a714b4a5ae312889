package link

import (
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// relied is what a mesh relies on beside its services: accounts that its grants name,
// and services that were not there when it was compiled. All sorted.
type relied struct {
	accounts []ir.Identity
	absent   []ir.ServiceID
}

func reliedOn(m *ir.Mesh) relied {
	var r relied
	for i := range m.Grants {
		g := &m.Grants[i]
		r.accounts = append(append(r.accounts, g.Destination), g.Sources...)
	}
	r.accounts = slices.DeleteFunc(r.accounts, func(id ir.Identity) bool { return id.TrustDomain() != m.Settings.TrustDomain })
	slices.Sort(r.accounts)
	r.accounts = slices.Compact(r.accounts)
	for i := range m.Splits {
		for _, leaf := range m.Splits[i].Backends {
			if leaf.Missing {
				r.absent = append(r.absent, leaf.Service)
			}
		}
	}
	slices.SortFunc(r.absent, ir.ServiceID.Compare)
	r.absent = slices.Compact(r.absent)
	return r
}

// strays are the accounts that a catalog does not list. One that lists none says nothing
// of accounts.
func (r relied) strays(snap *catalog.Snapshot) []ir.Identity {
	if len(snap.Accounts) == 0 {
		return nil
	}
	there := make(map[ir.Identity]bool, len(snap.Accounts))
	for _, id := range snap.Accounts {
		there[id] = true
	}
	var out []ir.Identity
	for _, id := range r.accounts {
		_, ns, name, _ := id.Split()
		made := name == "default" && slices.ContainsFunc(snap.Namespaces, func(n catalog.Namespace) bool { return n.Name == ns })
		if !there[id] && !made { // Kubernetes makes one of that name in every namespace
			out = append(out, id)
		}
	}
	return out
}

// unlike are the differences between what the mesh relies on and what there is.
func (w *World) unlike() diag.List {
	var out diag.List
	if len(w.strays) > 0 {
		run := map[ir.Identity]bool{}
		for i := range w.snapshot.Workloads {
			run[w.snapshot.Workloads[i].Identity] = true
		}
		for _, id := range w.strays {
			if !run[id] {
				out.Add(strayAccount(id))
			}
		}
	}
	for _, id := range w.relied.absent {
		if find(w.snapshot, id) != nil {
			out.Add(diag.New("MSH4613", source, "service %q runs, and was not there when the bundle was compiled", id).
				WithEffect("calls that a split sends to it get 503").
				WithHelp("compile again (`meshc lock --update`)").About(object(id), ""))
		}
	}
	return out
}

func strayAccount(id ir.Identity) diag.Finding {
	_, ns, name, _ := id.Split()
	return diag.New("MSH4612", source, "the policy names account %q, and there is none", id.Short()).
		WithEffect("nobody gets access by it, until somebody makes an account of that name").
		WithHelp("take it out of the policy, or mend its name; then compile again (`meshc lock --update`)").
		About(diag.Object{Kind: "ServiceAccount", Namespace: ns, Name: name}, "")
}

// pinned adds where a finding's object is written: in a manifest or in the lock. Objects
// of a cluster are written there, and nowhere else.
func (w *World) pinned(f diag.Finding) diag.Finding {
	if f.Object == nil {
		return f
	}
	name := f.Object.String()
	o, ok := w.bundle.Mesh.Origins[name]
	if !ok || o.File == "" || o.File == name || o.Line == 0 {
		return f
	}
	return f.WithRelated(diag.Span{File: o.File, Line: o.Line, Col: o.Col}, "what the bundle was compiled with")
}
