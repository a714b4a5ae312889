package resolve

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// mesh puts the parts together, each in order of name.
func (r *resolver) mesh() *ir.Mesh {
	m := &ir.Mesh{
		Settings: r.settings, Namespaces: []ir.Namespace{}, Identities: []ir.Identity{}, Services: []ir.Service{},
		Roles: []ir.Role{}, Grants: r.grants, Splits: r.splits, Origins: r.origins,
	}
	if m.Grants == nil {
		m.Grants = []ir.Grant{}
	}
	if m.Splits == nil {
		m.Splits = []ir.Split{}
	}
	for _, name := range slices.Sorted(maps.Keys(r.namespaces)) {
		// One that differs in nothing is left out: equal policies, equal bytes.
		n, s := r.namespaces[name].Namespace, r.settings
		if n.Mode != s.Mode || n.PlaintextAllowed != s.PlaintextAllowed || n.EgressAllowed != s.EgressAllowed {
			m.Namespaces = append(m.Namespaces, n)
		}
	}
	for _, a := range r.sortedAccounts() {
		if a.listed {
			m.Identities = append(m.Identities, a.id)
		}
	}
	for _, s := range r.sortedServices() {
		m.Services = append(m.Services, s.out)
	}
	for _, ro := range r.sortedRoles() {
		m.Roles = append(m.Roles, ir.Role{Identity: ro.identity, Services: notNil(ro.services), Ports: notNil(ro.ports)})
	}
	return m
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// sortedRoles are in order of name, which is their key.
func (r *resolver) sortedRoles() []*role {
	out := make([]*role, 0, len(r.roles))
	for _, name := range slices.Sorted(maps.Keys(r.roles)) {
		out = append(out, r.roles[name])
	}
	return out
}

// inventory is what the tree says of running things.
func (r *resolver) inventory() *ir.Inventory {
	inv := &ir.Inventory{}
	for _, name := range r.namespacesInTree() {
		n := ir.InventoryNamespace{Name: name}
		if o := r.namespaces[name].obj; o != nil {
			n.Labels = o.Labels
		}
		inv.Namespaces = append(inv.Namespaces, n)
	}
	for _, s := range r.sortedServices() {
		if s.obj == nil {
			continue
		}
		is := ir.InventoryService{ID: s.id, Headless: s.headless, Ports: s.out.Ports}
		if s.obj.Service != nil {
			for _, ip := range append([]string{s.obj.Service.ClusterIP}, s.obj.Service.ClusterIPs...) {
				if a, err := netip.ParseAddr(ip); err == nil && !slices.Contains(is.VIPs, a) {
					is.VIPs = append(is.VIPs, a)
				}
			}
		}
		inv.Services = append(inv.Services, is)
	}
	for _, w := range r.workloads {
		inv.Workloads = append(inv.Workloads, r.inventoryOf(w))
	}
	slices.SortStableFunc(inv.Workloads, func(a, b ir.InventoryWorkload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return inv
}

func (r *resolver) inventoryOf(w *workload) ir.InventoryWorkload {
	out := ir.InventoryWorkload{
		Kind: w.kind, Namespace: w.namespace, Name: w.name, Identity: w.identity, Replicas: w.replicas, Meshed: w.meshed,
		Services: w.services, Labels: w.spec.PodLabels, Annotations: w.spec.PodAnnotations,
		Command: w.spec.PodAnnotations[annotationCommand], TargetPorts: map[ir.PortID]uint16{},
	}
	if w.spec.ServiceName != "" {
		out.Governing = ir.ServiceID{Namespace: w.namespace, Name: w.spec.ServiceName}
	}
	for _, c := range w.containers() {
		for _, p := range c.Ports {
			if validPort(p.Port) {
				out.Ports = append(out.Ports, ir.ContainerPort{Name: p.Name, UDP: p.Protocol == "UDP", Port: uint16(p.Port)})
			}
		}
	}
	for _, id := range w.services {
		for _, p := range r.services[id].ports {
			if !validPort(p.Port) || p.Protocol == "UDP" && out.TargetPorts[ir.PortID{Service: id, Port: uint16(p.Port)}] != 0 {
				continue
			}
			n, ok := uint16(targetNumber(p)), p.TargetName == ""
			if !ok {
				n, ok = w.port(p.TargetName, p.Protocol == "UDP")
			}
			if ok {
				out.TargetPorts[ir.PortID{Service: id, Port: uint16(p.Port)}] = n
			}
		}
	}
	return out
}
