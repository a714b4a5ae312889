package kube

import (
	"cmp"
	"net/netip"
	"slices"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"

	"github.com/meshc/meshc/catalog"
)

// endpoints joins the slices of a service, each address once.
func (t *translation) endpoints(of []int) {
	found := map[netip.Addr]catalog.Endpoint{}
	for _, i := range of {
		s := t.objects.Slices[i]
		ports := t.slicePorts(s)
		if len(ports) == 0 || s.AddressType == discovery.AddressTypeFQDN {
			continue
		}
		for j := range s.Endpoints {
			for _, e := range t.endpoint(&s.Endpoints[j], ports) {
				// One that moves between slices stands in two for a moment.
				if had, ok := found[e.Address]; ok && rank(had.Health) <= rank(e.Health) {
					continue
				}
				found[e.Address] = e
			}
		}
	}
	for _, e := range found {
		t.out.Endpoints = append(t.out.Endpoints, e)
	}
	slices.SortFunc(t.out.Endpoints, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
}

func rank(h catalog.Health) int {
	return slices.Index([]catalog.Health{catalog.Healthy, catalog.Draining, catalog.Unhealthy}, h)
}

// slicePorts leads from service ports to the ports of a slice, which names them alike.
func (t *translation) slicePorts(s *discovery.EndpointSlice) map[uint16]uint16 {
	out := map[uint16]uint16{}
	for _, p := range carried(t.source) {
		for _, sp := range s.Ports {
			transport := core.ProtocolTCP
			if sp.Protocol != nil {
				transport = *sp.Protocol
			}
			if sp.Port != nil && *sp.Port > 0 && *sp.Port < 65536 && value(sp.Name) == p.Name && transport == p.Protocol {
				out[uint16(p.Port)] = uint16(*sp.Port)
			}
		}
	}
	return out
}

// endpoint is one for each address. The address of a pod must be the pod's: whoever
// may write slices could else send calls that are meant for it to another place.
func (t *translation) endpoint(e *discovery.Endpoint, ports map[uint16]uint16) []catalog.Endpoint {
	health, counts := healthOf(e.Conditions)
	if !counts {
		return nil
	}
	base := catalog.Endpoint{Ports: ports, Health: health, Locality: t.locality(e)}
	if t.out.Headless {
		base.Hostname = value(e.Hostname)
	}
	var p *pod
	if ref := e.TargetRef; ref != nil && ref.Kind == "Pod" {
		if p = t.pods[ref.Name]; p == nil || cmp.Or(ref.Namespace, t.objects.Name) != t.objects.Name {
			return nil // it has ended, or is not known yet
		}
		if !p.Spec.HostNetwork {
			base.Workload, base.Identity, base.Meshed, base.Locality = p.workload.Name, p.workload.Identity, p.workload.Meshed, p.workload.Locality
			p.workload.Services = append(p.workload.Services, t.out.ID)
		}
	}
	var out []catalog.Endpoint
	for _, text := range e.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || p != nil && !slices.Contains(p.addresses, a.Unmap()) {
			continue
		}
		base.Address = a.Unmap()
		out = append(out, base)
	}
	return out
}

// healthOf tells an endpoint's health; false for one that takes no calls any more.
// Conditions that nobody set mean ready.
func healthOf(c discovery.EndpointConditions) (catalog.Health, bool) {
	ready := c.Ready == nil || *c.Ready
	serving := ready
	if c.Serving != nil {
		serving = *c.Serving
	}
	terminating := c.Terminating != nil && *c.Terminating
	switch {
	case terminating && serving:
		return catalog.Draining, true
	case terminating:
		return "", false
	case ready:
		return catalog.Healthy, true
	}
	return catalog.Unhealthy, true
}

func (t *translation) locality(e *discovery.Endpoint) catalog.Locality {
	if l, ok := t.objects.Localities[value(e.NodeName)]; ok {
		return l
	}
	return catalog.Locality{Zone: value(e.Zone)}
}
