package resolve

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// stock is the inventory of a namespace.
type stock struct {
	namespaces []ir.InventoryNamespace // itself, if something lies in it
	services   []ir.InventoryService
	workloads  []ir.InventoryWorkload
}

// readStock is what the tree says of running things in a namespace.
func (r *resolver) readStock(ns string) *stock {
	out := &stock{}
	if r.present.Get(ns) {
		n := ir.InventoryNamespace{Name: ns}
		if o, ok := r.find("Namespace", "", ns); ok {
			n.Labels = o.Labels
		}
		out.namespaces = []ir.InventoryNamespace{n}
	}
	for _, id := range r.servicesIn(ns) {
		if svc := r.ports.Get(id); svc.obj != nil {
			out.services = append(out.services, inventoryService(svc))
		}
	}
	for _, w := range r.crew.Get(ns) {
		out.workloads = append(out.workloads, *r.pods.Get(w))
	}
	slices.SortStableFunc(out.workloads, func(a, b ir.InventoryWorkload) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// inventory puts the stock of all regions together; that of the last assembly, if
// it is the same.
func (a *assembly) inventory(last *assembly) *ir.Inventory {
	if last.result.Inventory != nil && slices.EqualFunc(a.regions, last.regions, func(x, y *region) bool { return x.stock == y.stock }) {
		return last.result.Inventory
	}
	services, workloads := 0, 0
	for _, g := range a.regions {
		services, workloads = services+len(g.stock.services), workloads+len(g.stock.workloads)
	}
	inv := &ir.Inventory{Services: make([]ir.InventoryService, 0, services), Workloads: make([]ir.InventoryWorkload, 0, workloads)}
	for _, g := range a.regions {
		inv.Namespaces = append(inv.Namespaces, g.stock.namespaces...)
		inv.Services = append(inv.Services, g.stock.services...)
		inv.Workloads = append(inv.Workloads, g.stock.workloads...)
	}
	return inv
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
		Services: r.backed.Get(syntax.Name{Kind: w.kind, Namespace: w.namespace, Name: w.name}), Labels: w.spec.PodLabels, Annotations: w.spec.PodAnnotations,
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
