package envoy

import (
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
			outside = append(outside, l.withRoots(int32(i), roots)...)
		case open(l.mesh.Namespace(p.id.Service.Namespace).Mode):
			everybody = append(everybody, l.withRoots(int32(i), roots)...)
		}
	}
	s.everybody, s.outside = distinct(everybody), distinct(outside)
	for i := range l.mesh.Grants {
		g := &l.mesh.Grants[i]
		var reach []int32
		for _, p := range g.Ports {
			if at, ok := l.portAt(p); ok {
				reach = append(reach, l.withRoots(at, roots)...)
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

func (l *lowering) withRoots(leaf int32, roots map[int32][]int32) []int32 {
	return append([]int32{leaf}, roots[leaf]...)
}

// rootsOf leads from a leaf's port to the ports of the roots that send it calls.
func (l *lowering) rootsOf() map[int32][]int32 {
	out := map[int32][]int32{}
	for i, p := range l.ports {
		for _, b := range l.branches(p.service, p.port) {
			for _, sh := range b.shares {
				if leaf, ok := l.portAt(sh.port); ok && leaf != int32(i) {
					out[leaf] = append(out[leaf], int32(i))
				}
			}
		}
	}
	return out
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
	numbers := map[string]int{}
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
			out.list = append(out.list, l.given(s, own, leaves))
		}
		out.identities = append(out.identities, ir.IdentityPlan{Identity: id, Scope: n})
	}
	return out
}

func (l *lowering) given(s sight, own []int32, leaves bool) given {
	all := slices.Concat(own, s.everybody)
	if leaves {
		all = append(all, s.outside...)
	}
	all = distinct(all)
	out := given{leaves: leaves, outbound: make([]ir.PortID, 0, len(all))}
	for _, at := range all {
		p := l.ports[at]
		out.outbound = append(out.outbound, p.id)
		if !leaves {
			out.without = append(out.without, l.outsideLeaves(p)...)
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
func (l *lowering) outsideLeaves(p servicePort) []ir.PortID {
	var out []ir.PortID
	if len(l.splits[p.id.Service]) == 0 {
		return nil
	}
	for _, id := range clustersOf(l.branches(p.service, p.port), p.service.Headless) {
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
