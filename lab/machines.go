package lab

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/echo"
)

// follow applies each state of a catalog until the lab ends, as a control plane
// does. What cannot be applied is told and changes nothing.
func (l *Lab) follow(machines catalog.Provider) {
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-machines.Changed():
		}
		err := machines.Err()
		if err == nil {
			err = l.SetCatalog(machines.Snapshot())
		}
		if err != nil && l.ctx.Err() == nil {
			l.opts.Progress("the catalog was not applied: " + err.Error())
		}
	}
}

// SetCatalog makes another catalog's machines run: it returns when those that are
// new answer and every proxy has acknowledged.
func (l *Lab) SetCatalog(machines *catalog.Snapshot) error {
	l.editing.Lock()
	defer l.editing.Unlock()
	l.mu.Lock()
	next := l.state
	l.mu.Unlock()
	next.catalog = machines
	return l.change(&next)
}

// addMachines adds a pod for each workload of a catalog, and one for each address
// behind a service that no workload has.
func (t *Topology) addMachines(machines *catalog.Snapshot, pools *pools) error {
	t.catalog = machines
	pods := map[string]*Pod{}
	for _, p := range t.Pods {
		pods[p.ID()] = p
	}
	for _, w := range machines.Workloads {
		if pods[w.Name] != nil {
			return fmt.Errorf("%s is a workload of the manifests and of the catalog: give one of them another name", w.Name)
		}
		p, err := machine(w, pools)
		if err != nil {
			return err
		}
		pods[w.Name] = p
		t.Pods = append(t.Pods, p)
	}
	for i := range machines.Services {
		s := &machines.Services[i]
		if slices.ContainsFunc(t.Services, func(had Service) bool { return had.ID == s.ID }) {
			return fmt.Errorf("%s is a service of the manifests and of the catalog: say in one of them what it is", s.ID)
		}
		service := Service{InventoryService: ir.InventoryService{ID: s.ID, Headless: s.Headless, VIPs: s.VIPs}, Addresses: s.VIPs, catalog: s}
		for _, p := range s.Ports {
			service.Ports = append(service.Ports, ir.Port{Number: p.Port, Name: p.Name, Protocol: p.Protocol, TargetPort: p.TargetPort})
		}
		t.Services = append(t.Services, service)
		for _, e := range s.Endpoints {
			p := pods[e.Workload]
			if e.Workload == "" {
				p = outsider(s.ID, e.Address)
				if had := pods[p.ID()]; had != nil {
					p = had
				} else {
					pods[p.ID()] = p
					t.Pods = append(t.Pods, p)
				}
			}
			p.back(s, e)
		}
	}
	return nil
}

// machine is a workload of a catalog, before it is known what it backs. One
// without an address, which only calls, gets one of the lab's.
func machine(w catalog.Workload, pools *pools) (*Pod, error) {
	namespace, name, _ := strings.Cut(w.Name, "/")
	p := &Pod{
		Namespace: namespace, Name: name, Workload: name, Kind: "Machine", Machine: true, Identity: w.Identity, Meshed: w.Meshed,
		Addresses: w.Addresses, Explicit: w.Explicit, Targets: map[ir.PortID]uint16{},
	}
	if len(p.Addresses) > 0 {
		return p, nil
	}
	addresses, err := pools.pod(p.ID())
	p.Addresses = addresses
	return p, err
}

// outsider stands for a machine that the catalog knows by its address alone.
func outsider(id ir.ServiceID, address netip.Addr) *Pod {
	name := "host-" + strings.NewReplacer(".", "-", ":", "-").Replace(address.String())
	return &Pod{
		Namespace: id.Namespace, Name: name, Workload: name, Kind: "Machine", Machine: true,
		Addresses: []netip.Addr{address}, Targets: map[ir.PortID]uint16{},
	}
}

// back makes a machine an endpoint of a service: its echo workload answers there.
func (p *Pod) back(s *catalog.Service, e catalog.Endpoint) {
	if !slices.Contains(p.Services, s.ID) {
		p.Services = append(p.Services, s.ID)
		slices.SortFunc(p.Services, ir.ServiceID.Compare)
	}
	for _, port := range s.Ports {
		target := port.TargetPort
		if own, ok := e.Ports[port.Port]; ok {
			target = own
		}
		p.Targets[ir.PortID{Service: s.ID, Port: port.Port}] = target
		listens := echo.Port{Number: target, Protocol: port.Protocol}
		if p.Explicit != nil {
			listens.Loopback = true
			if local, ok := p.Explicit.LocalPorts[target]; ok {
				listens.Number = local
			}
		}
		if !slices.Contains(p.Ports, listens) {
			p.Ports = append(p.Ports, listens)
		}
	}
	slices.SortFunc(p.Ports, func(a, b echo.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
}

// reserveAll keeps a catalog's addresses from being handed out.
func (p *pools) reserveAll(machines *catalog.Snapshot) {
	take := func(all []netip.Addr) {
		p.reserve(all)
		for _, a := range all {
			p.pod4.taken[a], p.pod6.taken[a], p.outer4.taken[a], p.outer6.taken[a] = true, true, true, true
		}
	}
	for _, w := range machines.Workloads {
		take(w.Addresses)
	}
	for _, s := range machines.Services {
		take(s.VIPs)
		for _, e := range s.Endpoints {
			take([]netip.Addr{e.Address})
		}
	}
}

// refusedAt is where the proxy of a machine without interception answers what it
// has no port for.
const refusedAt = "127.0.0.1:15001"

// dials is where a program on a machine without interception calls a service port.
func (p *Pod) dials(id ir.PortID) string {
	for _, u := range p.Explicit.Upstreams {
		if u.Service == id.Service && u.Port == id.Port {
			return u.Bind.String()
		}
	}
	return refusedAt
}
