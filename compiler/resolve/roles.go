package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// role is what some workloads are to the mesh: their identity and the services
// they back. Without workloads it is known from facts only.
type role struct {
	name      string
	identity  ir.Identity
	services  []ir.ServiceID
	posts     []*post
	workloads []*workload // on the posts; of a settled role only
}

// roleKey names a role, and the namespace of its identity.
type roleKey struct{ namespace, name string }

// settledRole is a role with its ports.
type settledRole struct {
	*part
	*role
	ports []ir.InboundPort
}

// roleSet collects roles by name.
type roleSet map[string]*role

func (s roleSet) add(id ir.Identity, services []ir.ServiceID, p *post) {
	name := ir.RoleName(id, services)
	ro, ok := s[name]
	if !ok {
		ro = &role{name: name, identity: id, services: services}
		s[name] = ro
	}
	if p != nil {
		ro.posts = append(ro.posts, p)
	}
}

// cast is the roles of the identities of a namespace, in order of name.
type cast struct {
	*part
	list   []*role
	roles  roleSet
	acting map[ir.Identity][]*role
}

// readRoles makes the roles of the tree's workloads and of known facts.
func (r *resolver) readRoles(ns string) *cast {
	out := &cast{}
	out.part = r.unit(func() { out.roles = r.rolesIn(ns) })
	out.list = make([]*role, 0, len(out.roles))
	for _, name := range slices.Sorted(maps.Keys(out.roles)) {
		out.list = append(out.list, out.roles[name])
	}
	out.acting = make(map[ir.Identity][]*role, len(out.roles))
	for _, ro := range out.list {
		out.acting[ro.identity] = append(out.acting[ro.identity], ro)
	}
	return out
}

// readActing are the roles of an identity.
func (r *resolver) readActing(id ir.Identity) []*role {
	home, _ := r.home(id)
	return r.cast.Get(home.namespace).acting[id]
}

func (r *resolver) rolesIn(ns string) roleSet {
	roles := roleSet{}
	b := r.backing.Get(ns)
	for _, p := range b.posts {
		if !p.meshed {
			continue
		}
		roles.add(p.identity, b.backed[p], p)
		for _, v := range b.variants[p] {
			roles.add(p.identity, v, p)
		}
	}
	for _, id := range r.unbackedIn(ns) {
		r.addKnownRoles(roles, b, id)
	}
	return roles
}

// unbackedIn are the identities of a namespace that facts place behind services.
func (r *resolver) unbackedIn(ns string) []ir.Identity {
	var out []ir.Identity
	for id := range r.known.behind {
		if home, _ := r.home(id); home.namespace == ns {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// addKnownRoles makes the roles of an account that backs services which no
// workload of the tree backs. Which of them one workload backs together is a fact
// too; without it every combination gets a role, so that whatever runs finds its own.
func (r *resolver) addKnownRoles(roles roleSet, b *backing, id ir.Identity) {
	var behind []ir.ServiceID
	for _, s := range r.known.behind[id] {
		if svc := r.ports.Get(s); svc != nil && len(svc.workloads) == 0 && slices.Contains(svc.out.Accounts, id) {
			behind = append(behind, s)
		}
	}
	if len(behind) == 0 {
		return
	}
	home, _ := r.home(id)
	if known := r.knownRoles(home); len(known) > 0 {
		for _, services := range known {
			roles.add(id, slices.DeleteFunc(services, func(s ir.ServiceID) bool { return r.service.Get(s) == nil }), nil)
		}
		return
	}
	for _, set := range combinations(behind) {
		roles.add(id, set, nil)
		for _, p := range b.accounts[home.name] {
			if p.meshed && len(b.backed[p]) > 0 {
				roles.add(id, union(b.backed[p], set), nil)
			}
		}
	}
}

func sameRoles(a, b []*role) bool { return slices.EqualFunc(a, b, sameRole) }

func sameRole(a, b *role) bool {
	return a == b || a != nil && b != nil && sameAct(a, b) && slices.Equal(a.posts, b.posts)
}

func sameActing(a, b []*role) bool { return slices.EqualFunc(a, b, sameAct) }

// sameAct tells that two roles are of one name, which has their identity and
// services in it, whoever plays them.
func sameAct(a, b *role) bool { return a.name == b.name && slices.Equal(a.services, b.services) }

// combinations are all non-empty subsets of up to four services; of more, each
// alone and all together.
func combinations(services []ir.ServiceID) [][]ir.ServiceID {
	var out [][]ir.ServiceID
	if len(services) > 4 {
		for _, s := range services {
			out = append(out, []ir.ServiceID{s})
		}
		return append(out, services)
	}
	for bits := 1; bits < 1<<len(services); bits++ {
		var set []ir.ServiceID
		for i, s := range services {
			if bits&(1<<i) != 0 {
				set = append(set, s)
			}
		}
		out = append(out, set)
	}
	return out
}

func union(a, b []ir.ServiceID) []ir.ServiceID {
	out := append(slices.Clone(a), b...)
	slices.SortFunc(out, ir.ServiceID.Compare)
	return slices.Compact(out)
}
