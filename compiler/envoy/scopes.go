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

// identities are all that the mesh names anywhere, sorted.
func (l *lowering) identities() []ir.Identity {
	out := slices.Clone(l.mesh.Identities)
	for i := range l.mesh.Roles {
		out = append(out, l.mesh.Roles[i].Identity)
	}
	for i := range l.mesh.Grants {
		out = append(append(out, l.mesh.Grants[i].Sources...), l.mesh.Grants[i].Destination)
	}
	for i := range l.mesh.Services {
		out = append(out, l.mesh.Services[i].Accounts...)
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

// scopes groups the identities that see the same. They are numbered in order
// of the first identity of each.
func (l *lowering) scopes(s sight, plan *ir.Plan) {
	numbers := map[string]int{}
	for _, id := range s.identities {
		leaves := l.egress(id)
		own := without(s.granted[id], s.everybody)
		if leaves {
			own = without(own, s.outside)
		}
		key := scopeKey(leaves, own)
		n, seen := numbers[key]
		if !seen {
			n = len(plan.Scopes)
			numbers[key] = n
			plan.Scopes = append(plan.Scopes, l.scope(s, own, leaves))
		}
		plan.Identities = append(plan.Identities, ir.IdentityPlan{Identity: id, Scope: n})
	}
}

func (l *lowering) scope(s sight, own []int32, leaves bool) ir.Scope {
	all := slices.Concat(own, s.everybody)
	sc := ir.Scope{Virtual: l.shared.virtual, Ranged: ir.NoRef, Extra: l.shared.extra}
	if leaves {
		all = append(all, s.outside...)
		sc.Virtual, sc.Ranged, sc.Extra = l.shared.open, l.shared.ranged, l.shared.extraOpen
	}
	for _, at := range distinct(all) {
		p := l.ports[at]
		sc.Outbound = append(sc.Outbound, p.id)
		if !leaves {
			sc.Without = append(sc.Without, l.outsideLeaves(p)...)
		}
	}
	slices.SortFunc(sc.Without, ir.PortID.Compare)
	sc.Without = slices.Compact(sc.Without)
	return sc
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
