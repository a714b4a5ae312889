package link

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// What was composed is judged before it is served, against the mesh as compiled
// and the snapshot: which addresses, ports and accounts it should have is worked
// out here a second time, from these alone, and nothing of how link did it. It is
// judged once, when its bytes are made: what a change leaves alone costs nothing.

// proveAddresses judges where a service port is to be listened for: at each of its
// virtual addresses, or for a headless one at the address of one endpoint.
func (s *static) proveAddresses(p planPort, svc *catalog.Service, at []netip.AddrPort) error {
	if p.Headless {
		for _, a := range at {
			if !slices.Contains(s.eligible(p.Port, svc), a) {
				return fmt.Errorf("it takes %s, where no workload of its accounts takes this port", a)
			}
		}
		return nil
	}
	var want []netip.AddrPort
	for _, v := range svc.VIPs {
		want = append(want, netip.AddrPortFrom(v.Unmap().WithZone(""), p.Port.Port))
	}
	slices.SortFunc(want, netip.AddrPort.Compare)
	if want = slices.Compact(want); !slices.Equal(at, want) {
		return fmt.Errorf("it takes %v, and the service is called at %v", at, want)
	}
	return nil
}

// proveAssignment judges the endpoints of a service port's cluster.
func (s *static) proveAssignment(c *planCluster, svc *catalog.Service, r *Resource) error {
	return verify.Endpoints(r.Any.GetValue(), c.name, s.eligible(c.Port, svc))
}

// eligible are the sockets of a service port that clients may be sent to: of
// workloads of its accounts, or of none with a sidecar where it is outside.
func (s *static) eligible(id ir.PortID, svc *catalog.Service) []netip.AddrPort {
	compiled, ok := s.bundle.Mesh.Service(id.Service)
	if !ok || svc == nil {
		return nil
	}
	port, ok := compiled.Port(id.Port)
	if !ok {
		return nil
	}
	running := runningAs(svc, id.Port, port.Protocol)
	if running == nil {
		return nil
	}
	var out []netip.AddrPort
	for i := range svc.Endpoints {
		e := &svc.Endpoints[i]
		number := port.TargetPort
		if running.TargetPort != 0 {
			number = running.TargetPort
		}
		if n, ok := e.Ports[id.Port]; ok {
			number = n
		}
		may := !compiled.Outside && e.Meshed && slices.Contains(compiled.Accounts, e.Identity) || compiled.Outside && !e.Meshed
		if may && number != 0 && e.Address.IsValid() {
			out = append(out, netip.AddrPortFrom(e.Address.Unmap().WithZone(""), number))
		}
	}
	return out
}

// runningAs is a service's port if it runs as what it was compiled as: HTTP, or
// bytes; nil: it is closed.
func runningAs(svc *catalog.Service, number uint16, compiled ir.Protocol) *catalog.ServicePort {
	for i := range svc.Ports {
		p := &svc.Ports[i]
		if p.Port != number {
			continue
		}
		if p.Protocol == "" || compiled == "" || p.Protocol.IsHTTP() == compiled.IsHTTP() && (p.Protocol == ir.UDP) == (compiled == ir.UDP) {
			return p
		}
		return nil
	}
	return nil
}

// proveVirtual judges the listener of what a scope does not list.
func (w *World) proveVirtual(s *ir.Scope, r *Resource) error {
	settings, snap := &w.bundle.Mesh.Settings, w.snapshot
	var ranges []netip.Prefix
	for _, p := range slices.Concat(settings.ServiceRanges, settings.PodRanges, snap.ServiceRanges, snap.PodRanges) {
		if p.IsValid() {
			ranges = append(ranges, p.Masked())
		}
	}
	var own []netip.Addr
	for i := range snap.Services {
		own = append(own, snap.Services[i].VIPs...)
		for j := range snap.Services[i].Endpoints {
			own = append(own, snap.Services[i].Endpoints[j].Address)
		}
	}
	for i := range snap.Workloads {
		own = append(own, snap.Workloads[i].Addresses...)
	}
	for i, a := range own {
		own[i] = a.Unmap().WithZone("")
	}
	own = slices.DeleteFunc(own, func(a netip.Addr) bool { return !a.IsValid() })
	return verify.Ranged(r.Any.GetValue(), w.plan.Resources[s.Virtual].Body, w.plan.Resources[s.Ranged].Body, len(ranges) > 0, own, ranges)
}

// proveInbound judges the listener of a role's inbound ports, these being where
// they are placed.
func (w *World) proveInbound(role *ir.RolePlan, ports []uint16, r *Resource) error {
	var chains []verify.Placed
	for i, port := range ports {
		if port == 0 {
			continue
		}
		for _, c := range role.Ports[i].Chains {
			chains = append(chains, verify.Placed{Chain: w.plan.Resources[c].Body, Port: port})
		}
	}
	return verify.Inbound(r.Any.GetValue(), w.plan.Resources[role.Listener].Body, chains)
}

// placed are the target ports of a role on a workload; 0 is closed.
func (w *World) placed(role *ir.RolePlan, workload string) []uint16 {
	leads := make([]uint16, len(role.Ports))
	for i := range role.Ports {
		leads[i] = w.leadsTo(&role.Ports[i], workload)
	}
	out := slices.Clone(leads)
	for i := range out {
		if leads[i] == 0 || leads[i] == role.Ports[i].TargetPort {
			continue
		}
		for j := range out { // it has moved to where others were compiled, or run
			if role.Ports[j].TargetPort == leads[i] || j != i && leads[j] == leads[i] {
				out[i] = 0
			}
		}
	}
	return out
}

// leadsTo is the port of a workload that all services of an inbound port lead to;
// 0: they do not agree, or one is closed.
func (w *World) leadsTo(p *ir.InboundPlan, workload string) uint16 {
	number := uint16(0)
	for _, id := range p.Services {
		svc := find(w.snapshot, id.Service)
		if svc == nil {
			continue
		}
		running := runningAs(svc, id.Port, p.Protocol)
		if running == nil {
			return 0
		}
		n := running.TargetPort
		if own := ownPorts(svc, workload)[id.Port]; own != 0 {
			n = own
		}
		if n != 0 && number != 0 && n != number {
			return 0
		}
		number = max(number, n)
	}
	if number == 0 {
		return p.TargetPort
	}
	return number
}

// ownPorts are the target ports that a workload has to itself.
func ownPorts(svc *catalog.Service, workload string) map[uint16]uint16 {
	var out map[uint16]uint16
	for i := range svc.Endpoints {
		if e := &svc.Endpoints[i]; e.Workload == workload && len(e.Ports) > 0 {
			out = e.Ports
		}
	}
	return out
}
