package lab

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/dns"
	"github.com/meshc/meshc/lab/pod"
)

// snapshot is the topology as the control plane's catalog.
func (t *Topology) snapshot(ipv6 bool) *catalog.Snapshot {
	s := &catalog.Snapshot{ServiceRanges: []netip.Prefix{serviceRange4}, PodRanges: []netip.Prefix{podRange4}}
	if ipv6 {
		s.ServiceRanges = append(s.ServiceRanges, serviceRange6)
		s.PodRanges = append(s.PodRanges, podRange6)
	}
	if t.catalog != nil {
		s.ServiceRanges = append(s.ServiceRanges, t.catalog.ServiceRanges...)
		s.PodRanges = append(s.PodRanges, t.catalog.PodRanges...)
		s.Workloads = append(s.Workloads, t.catalog.Workloads...)
	}
	for _, p := range t.Pods {
		if p.Machine || p.Outer != "" {
			continue // the catalog has said more of a machine, and none knows the world outside
		}
		s.Workloads = append(s.Workloads, catalog.Workload{
			Name: p.ID(), Identity: p.Identity, Services: p.Services, Addresses: p.Addresses, Meshed: p.Meshed,
		})
	}
	for _, v := range t.Services {
		if v.catalog != nil {
			s.Services = append(s.Services, *v.catalog)
			continue
		}
		service := catalog.Service{ID: v.ID, VIPs: v.Addresses, Headless: v.Headless}
		for _, p := range v.Ports {
			service.Ports = append(service.Ports, catalog.ServicePort{Port: p.Number, Name: p.Name, Protocol: p.Protocol, TargetPort: p.TargetPort})
		}
		for _, p := range t.behind(v.ID) {
			service.Endpoints = append(service.Endpoints, p.endpoints(v)...)
		}
		slices.SortFunc(service.Endpoints, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
		s.Services = append(s.Services, service)
	}
	slices.SortFunc(s.Services, func(a, b catalog.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(s.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// behind are the pods of a service.
func (t *Topology) behind(id ir.ServiceID) []*Pod {
	var out []*Pod
	for _, p := range t.Pods {
		if slices.Contains(p.Services, id) {
			out = append(out, p)
		}
	}
	return out
}

// endpoints are one for each of the pod's addresses.
func (p *Pod) endpoints(v Service) []catalog.Endpoint {
	ports := map[uint16]uint16{}
	for _, port := range v.Ports {
		if target, ok := p.Targets[ir.PortID{Service: v.ID, Port: port.Number}]; ok {
			ports[port.Number] = target
		}
	}
	var out []catalog.Endpoint
	for _, a := range p.Addresses {
		e := catalog.Endpoint{Address: a, Ports: ports, Workload: p.ID(), Identity: p.Identity, Meshed: p.Meshed}
		if p.Governing == v.ID {
			e.Hostname = p.Name
		}
		out = append(out, e)
	}
	return out
}

// names is what DNS answers in the mesh.
func (t *Topology) names(clusterDomain string) dns.Table {
	table := dns.Table{}
	for _, v := range t.Services {
		name := v.ID.Name + "." + v.ID.Namespace + ".svc." + clusterDomain
		table[name] = v.Addresses
		if !v.Headless {
			continue
		}
		table[name] = []netip.Addr{}
		for _, p := range t.behind(v.ID) {
			table[name] = append(table[name], p.Addresses...)
			if p.Governing == v.ID {
				table[p.Name+"."+name] = p.Addresses
			}
		}
	}
	return table
}

// nat is what kube-proxy would do in every pod.
func (t *Topology) nat() pod.NAT {
	var out pod.NAT
	for _, v := range t.Services {
		for _, port := range v.Ports {
			for _, virtual := range v.Addresses {
				rule := pod.NATRule{UDP: port.Protocol == ir.UDP, Virtual: netip.AddrPortFrom(virtual, port.Number)}
				for _, p := range t.behind(v.ID) {
					rule.Targets = append(rule.Targets, p.targets(v.ID, port, virtual.Is6())...)
				}
				out.Rules = append(out.Rules, rule)
			}
		}
	}
	return out
}

// targets are where a pod takes connections to a service port, in one family.
func (p *Pod) targets(id ir.ServiceID, port ir.Port, six bool) []netip.AddrPort {
	target, ok := p.Targets[ir.PortID{Service: id, Port: port.Number}]
	if !ok {
		return nil
	}
	var out []netip.AddrPort
	for _, a := range p.Addresses {
		if a.Is6() == six {
			out = append(out, netip.AddrPortFrom(a, target))
		}
	}
	return out
}
