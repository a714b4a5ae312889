package envoy

import (
	"errors"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// amendment is where two meshes of one frame differ: in both the same things stand
// at the same places, everybody sees the same, and only what is made of single
// units is another. Most edits are no more than that.
type amendment struct{ services, roles, grants, splits []int }

// amendmentOf finds it; false: the meshes are not of one frame.
func amendmentOf(old, now *ir.Mesh) (amendment, bool) {
	var d amendment
	ok := sameSettings(old, now) && ir.Equal(old.Identities, now.Identities) &&
		differing(&d.services, old.Services, now.Services, ir.SameService, sameStand) &&
		differing(&d.roles, old.Roles, now.Roles, ir.SameRole, func(a, b *ir.Role) bool {
			return a.Identity == b.Identity && ir.Equal(a.Services, b.Services)
		}) &&
		differing(&d.grants, old.Grants, now.Grants, ir.SameGrant, func(a, b *ir.Grant) bool {
			return a.Name == b.Name && a.Destination == b.Destination && ir.Equal(a.Sources, b.Sources) && ir.Equal(a.Ports, b.Ports)
		}) &&
		differing(&d.splits, old.Splits, now.Splits, ir.SameSplit, sameLeaves)
	return d, ok
}

// differing notes where two lists differ; false: in more than what keeps the frame.
func differing[T any](at *[]int, old, now []T, same, framed func(a, b *T) bool) bool {
	if len(old) != len(now) {
		return false
	}
	if ir.OnePlace(old, now) {
		return true
	}
	for i := range now {
		if same(&old[i], &now[i]) {
			continue
		}
		if !framed(&old[i], &now[i]) {
			return false
		}
		*at = append(*at, i)
	}
	return true
}

// sameStand tells that of a service nothing is another but where its ports lead,
// which its role says to the proxies.
func sameStand(a, b *ir.Service) bool {
	return a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside && ir.Equal(a.Accounts, b.Accounts) &&
		ir.EqualBy(a.Ports, b.Ports, func(x, y *ir.Port) bool { return x.Number == y.Number && x.Protocol == y.Protocol })
}

// sameLeaves tells that the calls of a split go to the same services, in whatever
// shares.
func sameLeaves(a, b *ir.Split) bool {
	return a.Name == b.Name && a.Root == b.Root && (len(a.Matches) == 0) == (len(b.Matches) == 0) &&
		ir.EqualBy(a.Backends, b.Backends, func(x, y *ir.Backend) bool {
			return x.Service == y.Service && (x.Weight == 0) == (y.Weight == 0) && x.Missing == y.Missing && ir.Equal(x.Ports, y.Ports)
		})
}

// renewed is a unit that takes the place of another.
type renewed[U any] struct {
	at       int // in the session's list
	old, now *U
}

// amend makes the plan of a mesh of the last one's frame out of the last plan: the
// units that differ are lowered again, and their resources take the places of those
// before. False: that cannot be done, and the session is as it was.
func (s *Session) amend(mesh *ir.Mesh) (*ir.Plan, bool, error) {
	if s.plan == nil {
		return nil, false, nil
	}
	d, ok := amendmentOf(s.mesh, mesh)
	if !ok {
		return nil, false, nil
	}
	l := s.amending(mesh, d)
	ports, roles := s.stalePorts(l, d), s.staleRoles(l, d)
	if len(ports)+len(roles) == 0 {
		s.mesh = mesh
		return s.plan, true, nil
	}
	s.run++
	a := &assembly{lowering: l, run: s.run, items: s.places}
	if err := errors.Join(l.err, lower(a, units(ports), units(roles))); err != nil {
		return nil, true, err
	}
	var swaps []swap
	for _, u := range ports {
		swaps, ok = s.swap(swaps, u.old.items, u.now.items, ok)
	}
	for _, u := range roles {
		swaps, ok = s.swap(swaps, u.old.items, u.now.items, ok)
	}
	if !ok {
		return nil, false, nil
	}
	plan := *s.plan
	plan.Resources = s.settled(swaps)
	a.renewPorts(&plan, s, ports)
	a.renewRoles(&plan, s, roles)
	s.mesh, s.plan = mesh, &plan
	return &plan, true, a.closedOnly(&plan, ports, roles)
}

func units[U any](list []renewed[U]) []*U {
	out := make([]*U, len(list))
	for i := range list {
		out[i] = list[i].now
	}
	return out
}

// amending indexes of a mesh what its changed units are made of.
func (s *Session) amending(mesh *ir.Mesh, d amendment) *lowering {
	l := &lowering{store: s.shared.store, shared: s.shared.shared, sizes: s.shared.sizes, mesh: mesh, splits: map[ir.ServiceID][]*ir.Split{}, grants: map[ir.Identity][]*ir.Grant{}}
	if len(d.services)+len(d.splits) > 0 {
		for i := range mesh.Splits {
			l.splits[mesh.Splits[i].Root] = append(l.splits[mesh.Splits[i].Root], &mesh.Splits[i])
		}
	}
	wanted := map[ir.Identity]bool{}
	for _, i := range d.grants {
		wanted[mesh.Grants[i].Destination] = true
	}
	for _, i := range d.roles {
		wanted[mesh.Roles[i].Identity] = true
	}
	if len(wanted) > 0 {
		for i := range mesh.Grants {
			if g := &mesh.Grants[i]; wanted[g.Destination] {
				l.grants[g.Destination] = append(l.grants[g.Destination], g)
			}
		}
	}
	return l
}

// stalePorts are the units of service ports that are made of something else now.
func (s *Session) stalePorts(l *lowering, d amendment) []renewed[portUnit] {
	var out []renewed[portUnit]
	seen := map[ir.ServiceID]bool{}
	see := func(id ir.ServiceID) {
		svc, ok := l.mesh.Service(id)
		if !ok || seen[id] {
			return
		}
		seen[id] = true
		for i := range svc.Ports {
			p := servicePort{ir.PortID{Service: id, Port: svc.Ports[i].Number}, svc, &svc.Ports[i]}
			at, found := slices.BinarySearchFunc(s.ports, p.id, func(u *portUnit, id ir.PortID) int { return u.in.id.Compare(id) })
			if p.port.Protocol == ir.UDP || !found {
				continue
			}
			old := s.ports[at]
			if in := l.portInput(&p, old.in.called); !old.in.same(&in) {
				out = append(out, renewed[portUnit]{at, old, &portUnit{in: in.kept()}})
			}
		}
	}
	for _, i := range d.services {
		see(l.mesh.Services[i].ID)
	}
	for _, i := range d.splits {
		see(l.mesh.Splits[i].Root)
	}
	return out
}

// staleRoles are the units of roles that are made of something else now.
func (s *Session) staleRoles(l *lowering, d amendment) []renewed[roleUnit] {
	at := slices.Clone(d.roles)
	if len(d.grants) > 0 && s.rolesOf == nil {
		s.rolesOf = map[ir.Identity][]int{}
		for i := range l.mesh.Roles {
			s.rolesOf[l.mesh.Roles[i].Identity] = append(s.rolesOf[l.mesh.Roles[i].Identity], i)
		}
	}
	for _, i := range d.grants {
		at = append(at, s.rolesOf[l.mesh.Grants[i].Destination]...)
	}
	slices.Sort(at)
	var out []renewed[roleUnit]
	for _, i := range slices.Compact(at) {
		if role := &l.mesh.Roles[i]; !l.sameRole(s.roles[i], role) {
			out = append(out, renewed[roleUnit]{i, s.roles[i], l.roleUnit(role)})
		}
	}
	return out
}

// sameSettings tells whether what everything is made of is the same.
func sameSettings(a, b *ir.Mesh) bool {
	return reflect.DeepEqual(a.Settings, b.Settings) && slices.Equal(a.Namespaces, b.Namespaces)
}
