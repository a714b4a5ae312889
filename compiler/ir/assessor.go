package ir

import (
	"regexp"
	"slices"
	"sync"
)

// Assessor decides many requests of one mesh: it keeps compiled expressions and
// finds what lies around a service port without walking the whole mesh. Its
// verdicts are Decide's without the sentences on near misses. It may be used
// from several goroutines.
type Assessor struct {
	mesh        *Mesh
	grants      map[PortID][]int
	splits      map[ServiceID][]int
	roles       map[ServiceID][]int
	expressions *expressions
}

// NewAssessor indexes a mesh.
func NewAssessor(m *Mesh) *Assessor {
	a := &Assessor{mesh: m, grants: map[PortID][]int{}, splits: map[ServiceID][]int{}, roles: map[ServiceID][]int{}, expressions: &expressions{}}
	for i := range m.Grants {
		for _, p := range m.Grants[i].Ports {
			a.grants[p] = append(a.grants[p], i)
		}
	}
	for i := range m.Splits {
		a.splits[m.Splits[i].Root] = append(a.splits[m.Splits[i].Root], i)
	}
	for i := range m.Roles {
		for _, s := range m.Roles[i].Services {
			a.roles[s] = append(a.roles[s], i)
		}
	}
	return a
}

// Around is the part of the mesh that a call to a service port can meet: the
// service and the leaves of its splits, their roles, and the grants that open
// the port on any of them. Which identities it is to know is for the caller to
// say: of others its verdicts are unknown.
func (a *Assessor) Around(id PortID) *Mesh {
	m := &Mesh{Settings: a.mesh.Settings, Namespaces: a.mesh.Namespaces}
	services := []ServiceID{id.Service}
	for _, i := range a.splits[id.Service] {
		m.Splits = append(m.Splits, a.mesh.Splits[i])
		for _, b := range a.mesh.Splits[i].Backends {
			services = append(services, b.Service)
		}
	}
	slices.SortFunc(services, ServiceID.Compare)
	var grants, roles []int
	for _, s := range slices.Compact(services) {
		if svc, ok := a.mesh.Service(s); ok {
			m.Services = append(m.Services, *svc)
		}
		grants = append(grants, a.grants[PortID{Service: s, Port: id.Port}]...)
		roles = append(roles, a.roles[s]...)
	}
	m.Grants = chosen(a.mesh.Grants, grants)
	m.Roles = chosen(a.mesh.Roles, roles)
	return m
}

func chosen[T any](from []T, at []int) []T {
	slices.Sort(at)
	var out []T
	for _, i := range slices.Compact(at) {
		out = append(out, from[i])
	}
	return out
}

// Decide is ir.Decide on the mesh or on a part of it that Around gave.
func (a *Assessor) Decide(part *Mesh, r Request) Verdict {
	d := decision{m: part, r: r, seen: r.HTTP, expressions: a.expressions}
	return d.decide()
}

// MayLeave tells whether egress is allowed to an identity's workloads.
func (m *Mesh) MayLeave(id Identity) bool { return m.mayLeave(id) }

// Open tells whether the mode in force for a service lets in identities that no
// grant names.
func (m *Mesh) Open(id ServiceID) bool { return m.open(id) }

// expressions are compiled ones by their text; nil keeps none. One that does
// not compile matches nothing.
type expressions struct{ searched, anchored sync.Map }

// found tells whether an expression matches anywhere in a text.
func (e *expressions) found(expr, s string) bool {
	if e == nil {
		return compiled(expr).matches(s)
	}
	return keptIn(&e.searched, expr, expr).matches(s)
}

// whole tells whether an expression matches all of a text.
func (e *expressions) whole(expr, s string) bool {
	if e == nil {
		return compiled(anchored(expr)).matches(s)
	}
	if re, ok := e.anchored.Load(expr); ok {
		return re.(expression).matches(s)
	}
	return keptIn(&e.anchored, expr, anchored(expr)).matches(s)
}

func anchored(expr string) string { return `\A(?:` + expr + `)\z` }

// expression is a compiled one; one without matches nothing.
type expression struct{ *regexp.Regexp }

func (e expression) matches(s string) bool { return e.Regexp != nil && e.MatchString(s) }

func compiled(expr string) expression {
	re, err := regexp.Compile(expr)
	if err != nil {
		return expression{}
	}
	return expression{re}
}

func keptIn(known *sync.Map, key, expr string) expression {
	if re, ok := known.Load(key); ok {
		return re.(expression)
	}
	re, _ := known.LoadOrStore(key, compiled(expr))
	return re.(expression)
}
