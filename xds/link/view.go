package link

import (
	"fmt"
	"slices"
	"sort"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// View is all that one proxy is sent but for its secrets and endpoints. Views of
// equal parts are equal values.
type View struct {
	Identity ir.Identity
	Role     string
	// Locality is where the workload is, as the catalog says.
	Locality catalog.Locality
	outbound *part
	inbound  *part
}

// Refusal is the reason why a proxy cannot be served, for its owner to read.
type Refusal struct{ Reason string }

// Error is the reason.
func (r *Refusal) Error() string { return r.Reason }

func refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

// Get finds a resource by type and name, nil when the proxy is not to have it.
func (v View) Get(t Type, name string) *Resource {
	for _, p := range []*part{v.outbound, v.inbound} {
		if p != nil {
			if r := p.sets[t].Get(name); r != nil {
				return r
			}
		}
	}
	return nil
}

// All yields the resources of a type: the outbound ones by name, then the inbound.
func (v View) All(t Type) func(yield func(*Resource) bool) {
	return func(yield func(*Resource) bool) {
		for _, p := range []*part{v.outbound, v.inbound} {
			if p == nil {
				continue
			}
			for _, r := range p.sets[t] {
				if !yield(r) {
					return
				}
			}
		}
	}
}

// Same tells whether two views have the very same resources of a type.
func (v View) Same(o View, t Type) bool {
	return sameSet(v.outbound, o.outbound, t) && sameSet(v.inbound, o.inbound, t)
}

func sameSet(a, b *part, t Type) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || slices.Equal(a.sets[t], b.sets[t])
}

// Findings are the differences that concern this proxy's role alone.
func (v View) Findings() diag.List {
	var out diag.List
	for _, p := range []*part{v.outbound, v.inbound} {
		if p != nil {
			out.Add(p.findings...)
		}
	}
	return out
}

// For is the view of an identity that backs services. Services that the bundle
// does not know are left out: they carry no policy. A role that was not compiled
// has no inbound side.
func (w *World) For(id ir.Identity, services []ir.ServiceID) (View, error) {
	return w.view(id, services, "")
}

// ForWorkload is the view of a workload of an identity. The workload may be
// unnamed, or unknown to the catalog, only if the identity has no more than one role.
func (w *World) ForWorkload(id ir.Identity, workload string) (View, error) {
	if found := w.workload(workload); found != nil {
		if found.Identity != id {
			return View{}, refuse("workload %q is of identity %s in the catalog, not of %s", workload, found.Identity, id)
		}
		v, err := w.view(id, found.Services, workload)
		v.Locality = found.Locality
		if found.Explicit != nil && err == nil {
			v = v.explicitly(found)
		}
		return v, err
	}
	roles := w.rolesOf[id]
	switch {
	case len(roles) == 1:
		return w.view(id, roles[0].Services, "")
	case len(roles) == 0:
		return w.view(id, nil, "")
	case workload == "":
		return View{}, refuse("identity %s has %d roles and the credential names no workload", id.Short(), len(roles))
	}
	return View{}, refuse("identity %s has %d roles and the catalog does not know its workload %q", id.Short(), len(roles), workload)
}

func (w *World) workload(name string) *catalog.Workload {
	if name == "" {
		return nil
	}
	all := w.snapshot.Workloads
	i := sort.Search(len(all), func(i int) bool { return all[i].Name >= name })
	if i < len(all) && all[i].Name == name {
		return &all[i]
	}
	return nil
}

func (w *World) view(id ir.Identity, services []ir.ServiceID, workload string) (View, error) {
	scope, ok := w.scopeOf[id]
	if !ok {
		return View{}, refuse("identity %s is not in the bundle", id)
	}
	services = slices.DeleteFunc(slices.Clone(services), func(s ir.ServiceID) bool { return !w.known[s] })
	slices.SortFunc(services, ir.ServiceID.Compare)
	v := View{Identity: id, Role: ir.RoleName(id, services), outbound: w.bound.scope(scope)}
	if role := w.roleOf[v.Role]; role != nil {
		v.inbound = w.inbound(role, workload)
	} else if len(services) > 0 {
		v.inbound = &part{findings: diag.List{unknownRole(v.Role)}}
	}
	return v, nil
}
