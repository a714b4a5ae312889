package resolve

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// addInventoryTo adds what the tree says of running things in the namespace.
func (r *resolver) addInventoryTo(g *region) {
	if r.present.Get(g.name) {
		n := ir.InventoryNamespace{Name: g.name}
		if o, ok := r.find("Namespace", "", g.name); ok {
			n.Labels = o.Labels
		}
		g.namespaces = []ir.InventoryNamespace{n}
	}
	for _, s := range g.services {
		if svc := r.ports.Get(s.ID); svc.obj != nil {
			g.exposed = append(g.exposed, inventoryService(svc))
		}
	}
	for _, w := range r.backing.Get(g.name).workloads {
		g.workloads = append(g.workloads, *r.pods.Get(w))
		g.staffed = append(g.staffed, w.identity)
	}
	slices.SortStableFunc(g.workloads, func(a, b ir.InventoryWorkload) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
}

func inventoryService(s *service) ir.InventoryService {
	is := ir.InventoryService{ID: s.id, Headless: s.headless, Ports: s.out.Ports}
	if s.obj.Service != nil {
		for _, ip := range append([]string{s.obj.Service.ClusterIP}, s.obj.Service.ClusterIPs...) {
			if a, err := netip.ParseAddr(ip); err == nil && !slices.Contains(is.VIPs, a) {
				is.VIPs = append(is.VIPs, a)
			}
		}
	}
	return is
}

func (r *resolver) inventoryOf(w *workload) *ir.InventoryWorkload {
	out := &ir.InventoryWorkload{
		Kind: w.kind, Namespace: w.namespace, Name: w.name, Identity: w.identity, Replicas: w.replicas, Meshed: w.meshed,
		Services: r.backed.Get(w), Labels: w.spec.PodLabels, Annotations: w.spec.PodAnnotations,
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
	for _, id := range out.Services {
		for _, p := range r.declared.Get(id).ports {
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
