package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// role is what some workloads are to the mesh: their identity and the services
// they back. Without workloads it is known from facts only.
type role struct {
	identity  ir.Identity
	services  []ir.ServiceID
	workloads []*workload
	ports     []ir.InboundPort
}

// settleRoles makes the roles of the workloads and of known facts, and their ports.
func (r *resolver) settleRoles() {
	for _, w := range r.workloads {
		if !w.meshed {
			continue
		}
		r.addRole(w.identity, w.services, w)
		for _, v := range w.variants {
			r.addRole(w.identity, v, w)
		}
	}
	r.addKnownRoles()
	r.addClientRoles()
	for _, ro := range r.sortedRoles() {
		r.settleRole(ro)
	}
	r.indexReach()
}

func (r *resolver) addRole(id ir.Identity, services []ir.ServiceID, w *workload) {
	name := ir.RoleName(id, services)
	ro, ok := r.roles[name]
	if !ok {
		ro = &role{identity: id, services: services}
		r.roles[name] = ro
	}
	if w != nil {
		ro.workloads = append(ro.workloads, w)
	}
}

// addKnownRoles makes the roles of accounts that back services which only facts
// show. Which of them one workload backs together is a fact too; without it
// every combination gets a role, so that whatever runs finds its own.
func (r *resolver) addKnownRoles() {
	behind := map[ir.Identity][]ir.ServiceID{}
	for _, s := range r.sortedServices() {
		if len(s.workloads) > 0 {
			continue
		}
		for _, id := range s.out.Accounts {
			behind[id] = append(behind[id], s.id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(behind)) {
		_, ns, name, _ := id.Split()
		if known := r.known.rolesOf(ns, name); len(known) > 0 {
			for _, services := range known {
				r.addRole(id, r.present(services), nil)
			}
			continue
		}
		for _, set := range combinations(behind[id]) {
			for _, base := range r.servicesInTree(id) {
				r.addRole(id, union(base, set), nil)
			}
		}
	}
}

// addClientRoles gives identities that no workload of the tree has a role without
// services: whatever runs as them elsewhere is at least a client.
func (r *resolver) addClientRoles() {
	for _, a := range r.sortedAccounts() {
		if a.listed && len(a.workloads) == 0 {
			r.addRole(a.id, nil, nil)
		}
	}
}

// present leaves out the services of a known role that are not in the mesh.
func (r *resolver) present(services []ir.ServiceID) []ir.ServiceID {
	return slices.DeleteFunc(services, func(id ir.ServiceID) bool { return r.services[id] == nil })
}

// servicesInTree are the sets of services that the tree's workloads of the account back.
func (r *resolver) servicesInTree(id ir.Identity) [][]ir.ServiceID {
	out := [][]ir.ServiceID{nil}
	for _, w := range r.account(id).workloads {
		if w.meshed && len(w.services) > 0 {
			out = append(out, w.services)
		}
	}
	return out
}

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
