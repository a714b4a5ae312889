package link

import (
	"maps"
	"net/netip"
	"slices"
	"sort"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
)

// find looks a service up in a snapshot.
func find(snap *catalog.Snapshot, id ir.ServiceID) *catalog.Service {
	i, ok := sort.Find(len(snap.Services), func(i int) int { return id.Compare(snap.Services[i].ID) })
	if !ok {
		return nil
	}
	return &snap.Services[i]
}

// sameService tells whether nothing that link reads differs. Providers share
// the slices of what did not change, which makes it cheap.
func sameService(a, b *catalog.Service) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Headless == b.Headless && a.Spread == b.Spread && slices.Equal(a.VIPs, b.VIPs) && slices.Equal(a.Ports, b.Ports) &&
		(sameSlice(a.Endpoints, b.Endpoints) || slices.EqualFunc(a.Endpoints, b.Endpoints, sameEndpoint))
}

func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameEndpoint(a, b catalog.Endpoint) bool {
	return a.Address == b.Address && a.Workload == b.Workload && a.Identity == b.Identity && a.Meshed == b.Meshed &&
		a.Locality == b.Locality && a.Weight == b.Weight && a.Health == b.Health && maps.Equal(a.Ports, b.Ports)
}

// sameWorkload tells whether nothing differs that its proxy's view depends on.
func sameWorkload(a, b *catalog.Workload) bool {
	if a.Identity != b.Identity || a.Meshed != b.Meshed || a.Locality != b.Locality || !slices.Equal(a.Services, b.Services) {
		return false
	}
	if a.Explicit == nil || b.Explicit == nil {
		return a.Explicit == b.Explicit
	}
	return slices.Equal(a.Addresses, b.Addresses) && slices.Equal(a.Explicit.Upstreams, b.Explicit.Upstreams) &&
		maps.Equal(a.Explicit.LocalPorts, b.Explicit.LocalPorts)
}

// sameShape tells whether two states of a service differ in endpoints at most.
func sameShape(a, b *service) bool {
	if (a.catalog == nil) != (b.catalog == nil) || len(a.listeners) != len(b.listeners) {
		return false
	}
	for i := range a.listeners {
		if !slices.EqualFunc(a.listeners[i], b.listeners[i], func(x, y at) bool { return x.Version == y.Version }) {
			return false
		}
	}
	if a.catalog == nil {
		return true
	}
	return slices.Equal(a.catalog.Ports, b.catalog.Ports) && maps.EqualFunc(a.targets, b.targets, func(x, y map[uint16]uint16) bool { return maps.Equal(x, y) })
}

// covered tells whether an address lies in one of the ranges.
func covered(ranges []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(a) })
}
