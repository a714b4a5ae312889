package link

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// ranges are the mesh's own addresses: the configured and the catalog's ranges
// (bounds), and with them every known address that lies outside of these.
func (w *World) ranges() (bounds, all []netip.Prefix) {
	settings := w.bundle.Mesh.Settings
	for _, list := range [][]netip.Prefix{settings.ServiceRanges, settings.PodRanges, w.snapshot.ServiceRanges, w.snapshot.PodRanges} {
		for _, p := range list {
			if p.IsValid() {
				bounds = append(bounds, p.Masked())
			}
		}
	}
	all = slices.Clone(bounds)
	add := func(a netip.Addr) {
		a = a.Unmap().WithZone("")
		if a.IsValid() && !covered(bounds, a) {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for i := range w.snapshot.Services {
		for _, v := range w.snapshot.Services[i].VIPs {
			add(v)
		}
		for _, e := range w.snapshot.Services[i].Endpoints {
			add(e.Address)
		}
	}
	for i := range w.snapshot.Workloads {
		for _, a := range w.snapshot.Workloads[i].Addresses {
			add(a)
		}
	}
	return sortedPrefixes(bounds), sortedPrefixes(all)
}

// endsElsewhere tells that the mesh's own addresses are others than before, where
// egress is allowed: an endpoint outside of the ranges that came is closed to it.
func (w *World) endsElsewhere(before *bound) bool {
	if before == nil || !w.leaving() {
		return before == nil
	}
	bounds, all := w.ranges()
	return len(bounds) > 0 && !slices.Equal(all, before.ranges)
}

// leaving tells whether somebody's calls may leave the mesh.
func (w *World) leaving() bool {
	return slices.ContainsFunc(w.plan.Scopes, func(s ir.Scope) bool { return s.Ranged >= 0 })
}

func sortedPrefixes(p []netip.Prefix) []netip.Prefix {
	slices.SortFunc(p, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(p)
}

// unboundedEgress says that egress stays denied for lack of ranges.
func (w *World) unboundedEgress(b *bound) diag.List {
	if len(b.bounds) > 0 || !w.leaving() {
		return nil
	}
	return diag.List{egressWithoutRanges()}
}

// doubleAddresses finds service ports that claim one address and port. The first
// by name keeps it for clients that see both.
func (w *World) doubleAddresses() diag.List {
	var out diag.List
	owner := map[netip.AddrPort]ir.PortID{}
	for _, s := range w.services {
		for i, listeners := range s.listeners {
			id := s.plan.ports[i].Port
			for _, l := range listeners {
				for _, a := range l.addresses {
					if first, taken := owner[a]; taken {
						out.Add(doubleAddress(a, first, id))
						continue
					}
					owner[a] = id
				}
			}
		}
	}
	return out
}
