package envoy

import (
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Session lowers meshes that follow each other. A service port and a role are
// lowered again only when what their resources are made of became another; the
// bytes of all others are the same values as before. It is for one goroutine.
type Session struct {
	settings ir.Settings
	shared   *lowering
	ports    map[ir.PortID]*portUnit
	roles    map[string]*roleUnit
	missing  map[ir.PortID]*portUnit
	items    []*item // of all units, in order
	run      int     // number of the present run
	late     []ir.LateFact
	of       lateKey // what late was made of
}

// NewSession has lowered nothing yet.
func NewSession() *Session { return &Session{} }

// Lower makes the plan of a mesh: the one that Lower makes of it.
func (s *Session) Lower(mesh *ir.Mesh) (*ir.Plan, error) {
	l := s.begin(mesh)
	if l.err != nil {
		return nil, l.err
	}
	seen := l.see()
	ports, roles, missing := s.units(l, seen)
	s.run++
	if err := lower(l, ports, roles, missing); err != nil {
		s.shared = nil // what is left of it is not to be trusted
		return nil, err
	}
	a := &assembly{lowering: l, run: s.run, ports: ports, roles: roles, missing: missing}
	plan, err := a.plan(s, seen)
	if err != nil {
		s.shared = nil
		return nil, err
	}
	s.remember(ports, roles, missing)
	return plan, nil
}

// begin indexes the mesh, with the resources that all share.
func (s *Session) begin(mesh *ir.Mesh) *lowering {
	l := newLowering(mesh)
	leaves := slices.ContainsFunc(l.identities(), l.egress)
	if s.shared == nil || !reflect.DeepEqual(s.settings, mesh.Settings) || leaves != (s.shared.shared.ranged != ir.NoRef) {
		*s = Session{settings: mesh.Settings}
		l.share(leaves)
		s.shared = l
		return l
	}
	l.store, l.shared, l.sizes = s.shared.store, s.shared.shared, s.shared.sizes
	return l
}

// units are those of the mesh in order, old ones where nothing changed.
func (s *Session) units(l *lowering, seen sight) (ports []*portUnit, roles []*roleUnit, missing []*portUnit) {
	called := seen.called(len(l.ports))
	ports = make([]*portUnit, len(l.ports))
	for i := range l.ports {
		in := l.portInput(&l.ports[i], called[i])
		if u := s.ports[in.id]; u != nil && u.in.same(in) {
			ports[i] = u
		} else {
			ports[i] = &portUnit{in: in}
		}
	}
	for _, in := range l.missingInputs() {
		if u := s.missing[in.id]; u != nil && u.in.same(in) {
			missing = append(missing, u)
		} else {
			missing = append(missing, &portUnit{in: in})
		}
	}
	roles = make([]*roleUnit, len(l.mesh.Roles))
	for i := range l.mesh.Roles {
		in := l.roleInput(&l.mesh.Roles[i])
		if u := s.roles[in.name]; u != nil && u.in.same(in) {
			roles[i] = u
		} else {
			roles[i] = &roleUnit{in: in}
		}
	}
	return ports, roles, missing
}

// lower lowers the units that are not lowered yet, on all processors.
func lower(l *lowering, ports []*portUnit, roles []*roleUnit, missing []*portUnit) error {
	var todo []func() error
	for _, u := range slices.Concat(ports, missing) {
		if u.fresh = u.items == nil; u.fresh {
			todo = append(todo, func() error { return u.lower(l.unit()) })
		}
	}
	for _, u := range roles {
		if u.fresh = !u.done; u.fresh {
			todo = append(todo, func() error { return u.lower(l.unit()) })
		}
	}
	errs := make([]error, len(todo))
	each(len(todo), func(i int) { errs[i] = todo[i]() })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) remember(ports []*portUnit, roles []*roleUnit, missing []*portUnit) {
	s.ports, s.roles, s.missing = make(map[ir.PortID]*portUnit, len(ports)), make(map[string]*roleUnit, len(roles)), map[ir.PortID]*portUnit{}
	for _, u := range ports {
		s.ports[u.in.id] = u
	}
	for _, u := range missing {
		s.missing[u.in.id] = u
	}
	for _, u := range roles {
		s.roles[u.in.name] = u
	}
}
