package envoy

import (
	"errors"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Session lowers meshes that follow each other. A service port and a role are
// lowered again only when what their resources are made of became another; the
// bytes of all others are the same values as before. It is for one goroutine.
type Session struct {
	mesh   *ir.Mesh // lowered last
	plan   *ir.Plan // of it
	shared *lowering
	seen   sight
	scopes scopes
	still  bool // the present mesh differs from the last in nothing that scopes are made of

	ports, missing []*portUnit
	roles          []*roleUnit
	items          []*item               // of all units, in order
	places         []*item               // by place in the plan; of equal ones the first
	run            int                   // number of the present run
	rolesOf        map[ir.Identity][]int // indices of roles; nil: nobody has asked
	late           []ir.LateFact
	of             lateKey // what late was made of
}

// NewSession has lowered nothing yet.
func NewSession() *Session { return &Session{} }

// Lower makes the plan of a mesh: the one that Lower makes of it.
func (s *Session) Lower(mesh *ir.Mesh) (*ir.Plan, error) {
	plan, ok, err := s.amend(mesh)
	if !ok {
		plan, err = s.whole(mesh)
	}
	if err != nil {
		*s = Session{} // what is left of it is not to be trusted
		return nil, err
	}
	return plan, nil
}

// whole makes the plan of any mesh, of units that are there and of new ones.
func (s *Session) whole(mesh *ir.Mesh) (*ir.Plan, error) {
	l := s.begin(mesh)
	a := &assembly{lowering: l}
	a.ports, a.roles, a.missing = s.units(l)
	s.run++
	a.run = s.run
	if err := errors.Join(l.err, lower(a, slices.Concat(a.ports, a.missing), a.roles)); err != nil {
		return nil, err
	}
	plan := s.plan
	if !(s.still && slices.Equal(a.ports, s.ports) && slices.Equal(a.missing, s.missing) && slices.Equal(a.roles, s.roles)) {
		var err error
		if plan, err = a.plan(s); err != nil {
			return nil, err
		}
	}
	s.mesh, s.plan, s.ports, s.roles, s.missing = mesh, plan, a.ports, a.roles, a.missing
	s.rolesOf = nil
	return plan, nil
}

// begin indexes the mesh, with what each identity sees and what all share.
func (s *Session) begin(mesh *ir.Mesh) *lowering {
	l := newLowering(mesh)
	s.still = s.mesh != nil && sameSight(s.mesh, mesh)
	if !s.still {
		s.seen = l.see()
		s.scopes = l.scopesOf(s.seen)
	}
	if s.mesh == nil || !reflect.DeepEqual(s.mesh.Settings, mesh.Settings) || s.scopes.leave != (s.shared.shared.ranged != ir.NoRef) {
		*s = Session{seen: s.seen, scopes: s.scopes, shared: l}
		l.share(s.scopes.leave)
		return l
	}
	l.store, l.shared, l.sizes = s.shared.store, s.shared.shared, s.shared.sizes
	return l
}

// units are those of the mesh in order, old ones where nothing changed.
func (s *Session) units(l *lowering) (ports []*portUnit, roles []*roleUnit, missing []*portUnit) {
	old := &earlier[ir.PortID, *portUnit]{list: s.ports, key: func(u *portUnit) ir.PortID { return u.in.id }}
	called := s.seen.called(len(l.ports))
	ports = make([]*portUnit, len(l.ports))
	for i := range l.ports {
		in := l.portInput(&l.ports[i], called[i])
		if u, ok := old.at(i, in.id); ok && u.in.same(&in) {
			ports[i] = u
		} else {
			ports[i] = &portUnit{in: in.kept()}
		}
	}
	old = &earlier[ir.PortID, *portUnit]{list: s.missing, key: old.key}
	for i, in := range l.missingInputs() {
		if u, ok := old.at(i, in.id); ok && u.in.same(&in) {
			missing = append(missing, u)
		} else {
			missing = append(missing, &portUnit{in: in.kept()})
		}
	}
	return ports, s.roleUnits(l), missing
}

func (s *Session) roleUnits(l *lowering) []*roleUnit {
	old := &earlier[string, *roleUnit]{list: s.roles, key: func(u *roleUnit) string { return u.name }}
	roles := make([]*roleUnit, len(l.mesh.Roles))
	for i := range l.mesh.Roles {
		role := &l.mesh.Roles[i]
		if i < len(s.roles) && s.roles[i].is(role) {
			roles[i] = s.roles[i]
		} else if u, ok := old.at(i, role.Name()); ok {
			roles[i] = u
		}
		if roles[i] == nil || !l.sameRole(roles[i], role) {
			roles[i] = l.roleUnit(role)
		}
	}
	return roles
}

// earlier finds the units of the last run: mostly at the same place.
type earlier[K comparable, U any] struct {
	list  []U
	key   func(U) K
	byKey map[K]U
}

func (e *earlier[K, U]) at(i int, k K) (U, bool) {
	if i < len(e.list) && e.key(e.list[i]) == k {
		return e.list[i], true
	}
	if e.byKey == nil {
		e.byKey = make(map[K]U, len(e.list))
		for _, u := range e.list {
			e.byKey[e.key(u)] = u
		}
	}
	u, ok := e.byKey[k]
	return u, ok
}

// lower lowers the units that are not lowered yet, on all processors.
func lower(a *assembly, ports []*portUnit, roles []*roleUnit) error {
	var todo []func() error
	for _, u := range ports {
		if u.made == 0 {
			u.made = a.run
			todo = append(todo, func() error { return u.lower(a.unit()) })
		}
	}
	for _, u := range roles {
		if u.made == 0 {
			u.made = a.run
			todo = append(todo, func() error { return u.lower(a.unit()) })
		}
	}
	errs := make([]error, len(todo))
	each(len(todo), func(i int) { errs[i] = todo[i]() })
	return errors.Join(errs...)
}
