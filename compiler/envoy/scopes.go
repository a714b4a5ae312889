package envoy

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// sight is what each identity may be given of the service ports: those that
// only some may call, and, apart, those that everybody or every identity with
// egress may call. Ports are indices into lowering.ports.
type sight struct {
	identities []ir.Identity
	granted    map[ir.Identity][]int32 // sorted
	everybody  []int32                 // destinations in permissive or audit mode
	outside    []int32                 // for sources that may leave the mesh
}

// see works out who may be given what: services with a grant from the
// identity, and the roots of splits one of whose leaves it may call.
func (l *lowering) see() sight {
	s := sight{identities: l.identities(), granted: map[ir.Identity][]int32{}}
	roots := l.rootsOf()
	var everybody, outside []int32
	for i, p := range l.ports {
		switch {
		case p.service.Outside:
			outside = append(append(outside, int32(i)), roots[int32(i)]...)
		case open(l.mesh.Namespace(p.id.Service.Namespace).Mode):
			everybody = append(append(everybody, int32(i)), roots[int32(i)]...)
		}
	}
	s.everybody, s.outside = distinct(everybody), distinct(outside)
	var reach []int32
	for i := range l.mesh.Grants {
		g := &l.mesh.Grants[i]
		reach = reach[:0]
		for _, p := range g.Ports {
			if at, ok := l.portAt(p); ok {
				reach = append(append(reach, at), roots[at]...)
			}
		}
		for _, src := range g.Sources {
			s.granted[src] = append(s.granted[src], reach...)
		}
	}
	for _, id := range s.identities {
		s.granted[id] = distinct(s.granted[id])
	}
	return s
}

// rootsOf leads from a leaf's port to the ports of the roots that send it calls.
func (l *lowering) rootsOf() map[int32][]int32 {
	out := map[int32][]int32{}
	for _, r := range l.roots {
		for _, b := range r.branches {
			for _, sh := range b.shares {
				if leaf, ok := l.portAt(sh.port); ok && leaf != r.at {
					out[leaf] = append(out[leaf], r.at)
				}
			}
		}
	}
	return out
}

// root is a service port whose calls are split.
type root struct {
	at       int32
	branches []branch
}

// readRoots are all of them, in order.
func (l *lowering) readRoots() {
	for i, p := range l.ports {
		if len(l.splits) > 0 && len(l.splits[p.id.Service]) > 0 {
			l.roots = append(l.roots, root{int32(i), l.branches(p.service, p.port)})
		}
	}
}

// identities are all that the mesh names anywhere, sorted. Nearly all of them it
// lists.
func (l *lowering) identities() []ir.Identity {
	have := make(map[ir.Identity]bool, len(l.mesh.Identities))
	out := slices.Clone(l.mesh.Identities)
	for _, id := range out {
		have[id] = true
	}
	see := func(ids ...ir.Identity) {
		for _, id := range ids {
			if !have[id] {
				have[id] = true
				out = append(out, id)
			}
		}
	}
	for i := range l.mesh.Roles {
		see(l.mesh.Roles[i].Identity)
	}
	for i := range l.mesh.Grants {
		see(l.mesh.Grants[i].Sources...)
		see(l.mesh.Grants[i].Destination)
	}
	for i := range l.mesh.Services {
		see(l.mesh.Services[i].Accounts...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// egress tells whether an identity's workloads may leave the mesh.
func (l *lowering) egress(id ir.Identity) bool {
	if _, ns, _, ok := id.Split(); ok {
		return l.mesh.Namespace(ns).EgressAllowed
	}
	return l.mesh.Settings.EgressAllowed
}

// scopes is what identities are given outbound: those that see the same share one.
type scopes struct {
	list       []given // in order of the first identity of each
	identities []ir.IdentityPlan
	leave      bool // some identity may leave the mesh
}

// given is a scope without references.
type given struct {
	leaves            bool // for the outside
	outbound, without []ir.PortID
}

// scopesOf groups the identities that see the same.
func (l *lowering) scopesOf(s sight) scopes {
	var out scopes
	numbers := make(map[string]int, len(s.identities))
	out.identities = slices.Grow(out.identities, len(s.identities))
	some := slices.ContainsFunc(l.mesh.Services, func(svc ir.Service) bool { return svc.Outside })
	for _, id := range s.identities {
		leaves := l.egress(id)
		out.leave = out.leave || leaves
		own := without(s.granted[id], s.everybody)
		if leaves {
			own = without(own, s.outside)
		}
		key := scopeKey(leaves, own)
		n, seen := numbers[key]
		if !seen {
			n = len(out.list)
			numbers[key] = n
			out.list = append(out.list, l.given(s, own, leaves, some))
		}
		out.identities = append(out.identities, ir.IdentityPlan{Identity: id, Scope: n})
	}
	return out
}

// given is the scope of those who see ports of their own, beside what all see; some
// tells that the mesh has services outside of it.
func (l *lowering) given(s sight, own []int32, leaves, some bool) given {
	all := slices.Concat(own, s.everybody)
	if leaves {
		all = append(all, s.outside...)
	}
	all = distinct(all)
	out := given{leaves: leaves, outbound: make([]ir.PortID, 0, len(all))}
	for _, at := range all {
		out.outbound = append(out.outbound, l.ports[at].id)
		if some && !leaves {
			out.without = append(out.without, l.outsideLeaves(at)...)
		}
	}
	if len(all) == 0 {
		out.outbound = nil
	}
	slices.SortFunc(out.without, ir.PortID.Compare)
	out.without = slices.Compact(out.without)
	return out
}

// outsideLeaves are the clusters of a port's routes that lead out of the mesh.
func (l *lowering) outsideLeaves(at int32) []ir.PortID {
	r, ok := slices.BinarySearchFunc(l.roots, at, func(r root, at int32) int { return cmp.Compare(r.at, at) })
	if !ok {
		return nil
	}
	var out []ir.PortID
	for _, id := range clustersOf(l.roots[r].branches, l.ports[at].service.Headless) {
		if svc, ok := l.mesh.Service(id.Service); ok && svc.Outside {
			out = append(out, id)
		}
	}
	return out
}

func scopeKey(leaves bool, own []int32) string {
	key := []byte{0}
	if leaves {
		key[0] = 1
	}
	for _, at := range own {
		key = binary.BigEndian.AppendUint32(key, uint32(at))
	}
	return string(key)
}

func distinct(in []int32) []int32 {
	slices.Sort(in)
	return slices.Compact(in)
}

// without is a less b, both sorted.
func without(a, b []int32) []int32 {
	if len(b) == 0 {
		return a
	}
	out := a[:0:0]
	for _, x := range a {
		if _, found := slices.BinarySearch(b, x); !found {
			out = append(out, x)
		}
	}
	return out
}

// called marks the ports that somebody may call.
func (s sight) called(ports int) []bool {
	out := make([]bool, ports)
	mark := func(at []int32) {
		for _, i := range at {
			out[i] = true
		}
	}
	mark(s.everybody)
	mark(s.outside)
	for _, id := range s.identities {
		mark(s.granted[id])
	}
	return out
}
