package resolve

import (
	"maps"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// reach is what granting access to an identity can open: the service ports that
// lead to its workloads, and which of them open each other.
type reach struct {
	ports []reachPort // sorted by id; UDP ports last
	// together leads from a port to all that share a target port with it in some role.
	together map[ir.PortID][]ir.PortID
}

// reachPort is a service port of an identity.
type reachPort struct {
	id       ir.PortID
	protocol ir.Protocol
	targets  []uint16 // its numbers in the roles of the identity
}

// readReach is the reach of an identity; empty when it backs nothing.
func (r *resolver) readReach(id ir.Identity) *reach {
	rc := &reach{together: map[ir.PortID][]ir.PortID{}}
	home, _ := r.home(id)
	for _, ro := range r.acting.Get(id) {
		for _, p := range r.inbound.Get(roleKey{home.namespace, ro.name}) {
			for _, id := range p.Services {
				rc.add(id, r.protocolOfPort(id), p.TargetPort)
				rc.together[id] = append(rc.together[id], p.Services...)
			}
		}
		for _, s := range ro.services {
			for _, p := range r.offered(s) {
				if p.Protocol == ir.UDP {
					rc.add(ir.PortID{Service: s, Port: p.Number}, ir.UDP, p.TargetPort)
				}
			}
		}
	}
	slices.SortFunc(rc.ports, func(a, b reachPort) int {
		if c := boolInt(a.protocol == ir.UDP) - boolInt(b.protocol == ir.UDP); c != 0 {
			return c
		}
		return a.id.Compare(b.id)
	})
	return rc
}

func sameReach(a, b *reach) bool { return reflect.DeepEqual(a, b) }

func (rc *reach) add(id ir.PortID, protocol ir.Protocol, target uint16) {
	for i := range rc.ports {
		p := &rc.ports[i]
		if p.id == id && (p.protocol == ir.UDP) == (protocol == ir.UDP) {
			if !slices.Contains(p.targets, target) {
				p.targets = append(p.targets, target)
			}
			return
		}
	}
	rc.ports = append(rc.ports, reachPort{id: id, protocol: protocol, targets: []uint16{target}})
}

func (r *resolver) protocolOfPort(id ir.PortID) ir.Protocol {
	for _, p := range r.offered(id.Service) {
		if p.Number == id.Port && p.Protocol != ir.UDP {
			return p.Protocol
		}
	}
	return ir.TCP
}

// closure is the ports and every port that opening them opens too: proxies judge
// by target port (row 18).
func (rc *reach) closure(ids []ir.PortID) []ir.PortID {
	seen := map[ir.PortID]bool{}
	queue := slices.Clone(ids)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		if !seen[id] {
			seen[id] = true
			queue = append(queue, rc.together[id]...)
		}
	}
	out := slices.Collect(maps.Keys(seen))
	slices.SortFunc(out, ir.PortID.Compare)
	return out
}

// both tells whether the number is a TCP and a UDP port of the service: a PortID
// cannot tell them apart, so no UDP grant is made for it.
func (rc *reach) both(id ir.PortID) bool {
	n := 0
	for _, p := range rc.ports {
		if p.id == id {
			n++
		}
	}
	return n > 1
}
