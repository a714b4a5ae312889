package lab

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/echo"
)

// Pod is one replica of a workload as the lab runs it.
type Pod struct {
	Namespace string
	Name      string // WORKLOAD-N
	Workload  string // name of the workload
	Kind      string
	Ordinal   int
	Identity  ir.Identity
	Meshed    bool
	Services  []ir.ServiceID
	Governing ir.ServiceID // of a StatefulSet: pod names are answered under it
	Addresses []netip.Addr // IPv4, then IPv6 where there is one
	Command   string       // empty: the echo workload
	Ports     []echo.Port
	Targets   map[ir.PortID]uint16 // service port to own port
	Outer     string               // the host outside the mesh that it stands for

	// Machine: a catalog's workload, or an endpoint of its without one.
	Machine  bool
	Explicit *catalog.Explicit // nothing intercepts its connections
}

// ID is NAMESPACE/NAME, unique in the lab and in its catalog.
func (p *Pod) ID() string { return p.Namespace + "/" + p.Name }

// Topology is everything a lab runs, with its addresses.
type Topology struct {
	Pods     []*Pod // in order of ID
	Services []Service
	catalog  *catalog.Snapshot // of the machines; nil: there are none
}

// Service is a service with its virtual addresses.
type Service struct {
	ir.InventoryService
	Addresses []netip.Addr     // empty for a headless one
	catalog   *catalog.Service // where a catalog says all of it
}

// topology lays an inventory out, and a catalog's machines beside it. Addresses
// come from the pools, which remember them by name: what stays in the manifests
// keeps its address.
func topology(inv *ir.Inventory, machines *catalog.Snapshot, pools *pools) (*Topology, error) {
	t := &Topology{}
	if machines != nil {
		pools.reserveAll(machines)
	}
	protocols := map[ir.PortID]ir.Protocol{}
	for _, s := range inv.Services {
		pools.reserve(s.VIPs)
	}
	for _, s := range inv.Services {
		for _, p := range s.Ports {
			protocols[ir.PortID{Service: s.ID, Port: p.Number}] = p.Protocol
		}
		service := Service{InventoryService: s}
		if !s.Headless {
			addresses, err := pools.virtual(s.ID.String(), s.VIPs)
			if err != nil {
				return nil, err
			}
			service.Addresses = addresses
		}
		t.Services = append(t.Services, service)
	}
	taken := map[string]bool{}
	for _, w := range inv.Workloads {
		for n := range w.Replicas {
			p := replica(w, n, taken)
			p.Ports = echoPorts(w, protocols)
			addresses, err := pools.pod(p.ID())
			if err != nil {
				return nil, err
			}
			p.Addresses = addresses
			t.Pods = append(t.Pods, p)
		}
	}
	if machines != nil {
		if err := t.addMachines(machines, pools); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(t.Pods, func(a, b *Pod) int { return cmp.Compare(a.ID(), b.ID()) })
	return t, nil
}

// replica is one pod; workloads of two kinds may share a name, pods may not.
func replica(w ir.InventoryWorkload, n int, taken map[string]bool) *Pod {
	p := &Pod{
		Namespace: w.Namespace, Name: w.Name + "-" + strconv.Itoa(n), Workload: w.Name, Kind: w.Kind, Ordinal: n,
		Identity: w.Identity, Meshed: w.Meshed, Services: w.Services, Governing: w.Governing,
		Command: w.Command, Targets: w.TargetPorts,
	}
	for taken[p.ID()] {
		p.Name += "-x"
	}
	taken[p.ID()] = true
	return p
}

// echoPorts are the ports the echo workload opens: what services lead to, in the
// services' protocol, and what the pod declares beside, as HTTP.
func echoPorts(w ir.InventoryWorkload, protocols map[ir.PortID]ir.Protocol) []echo.Port {
	type key struct {
		number uint16
		udp    bool
	}
	ports := map[key]ir.Protocol{}
	for _, c := range w.Ports {
		if c.UDP {
			ports[key{c.Port, true}] = ir.UDP
		} else {
			ports[key{c.Port, false}] = ir.HTTP
		}
	}
	ids := slices.SortedFunc(maps.Keys(w.TargetPorts), ir.PortID.Compare)
	for _, id := range ids {
		protocol := protocols[id]
		ports[key{w.TargetPorts[id], protocol == ir.UDP}] = protocol
	}
	out := make([]echo.Port, 0, len(ports))
	for k, protocol := range ports {
		out = append(out, echo.Port{Number: k.number, Protocol: protocol})
	}
	slices.SortFunc(out, func(a, b echo.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.Protocol, b.Protocol))
	})
	return out
}

// Find leads from WORKLOAD, NAMESPACE/WORKLOAD, either with /N or as a pod's own
// name, to a pod: the first replica unless N says which.
func (t *Topology) Find(name string) (*Pod, error) {
	var found []*Pod
	for _, p := range t.Pods {
		workload, ordinal := p.Namespace+"/"+p.Workload, "/"+strconv.Itoa(p.Ordinal)
		if name == p.ID() || name == workload+ordinal {
			return p, nil
		}
		short := name == p.Name || name == p.Workload+ordinal
		if short || (p.Ordinal == 0 && (name == workload || name == p.Workload)) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no workload %q in the lab: it runs %s", name, t.podNames())
	case 1:
		return found[0], nil
	}
	return nil, fmt.Errorf("%q is ambiguous: say %s or %s", name, found[0].ID(), found[1].ID())
}

func (t *Topology) podNames() string {
	names := make([]string, len(t.Pods))
	for i, p := range t.Pods {
		names[i] = p.ID()
	}
	return list(names)
}
