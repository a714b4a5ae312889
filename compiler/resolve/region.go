package resolve

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// region is what the objects of a namespace, and the facts about it, come to.
type region struct {
	name     string
	parts    []*part
	found    *diag.Section
	once     diag.List
	services []ir.Service
	roles    []namedRole
	grants   []ir.Grant
	splits   []ir.Split

	listed  []ir.Identity // sorted
	staffed []ir.Identity // those with workloads, sorted
	read    []*ir.Fact
	missed  []question
	stock   *stock
}

type namedRole struct {
	name string
	ir.Role
}

// readRegions are all of them in order of name.
func (r *resolver) readRegions(struct{}) []*region {
	names := slices.Concat(r.places.Get(struct{}{}), r.known.places)
	slices.Sort(names)
	var out []*region
	for _, ns := range slices.Compact(names) {
		out = append(out, r.region.Get(ns))
	}
	return out
}

func (r *resolver) readRegion(ns string) *region {
	g := &region{name: ns, parts: make([]*part, 0, 8*len(r.of("Service", ns))+16)}
	g.add(r.space.Get(ns).part, r.listing.Get(ns), r.backing.Get(ns).part)
	for _, kind := range workloadKinds {
		for _, o := range r.of(kind, ns) {
			if w := r.workload.Get(syntax.NameOf(o)); w != nil {
				g.add(w.part)
			}
		}
	}
	for _, o := range r.of("IdentityBinding", ns) {
		g.add(r.binding.Get(idOf(o)).part)
	}
	for _, o := range r.of("HTTPRouteGroup", ns) {
		g.add(r.group.Get(idOf(o)).part)
	}
	r.addServicesTo(g)
	r.addRolesTo(g)
	for _, o := range r.of("TrafficTarget", ns) {
		granted := r.grants.Get(idOf(o))
		g.add(r.subject.Get(idOf(o)).part, granted.part)
		g.grants = append(g.grants, granted.list...)
	}
	shares := r.shares.Get(ns)
	g.add(r.splits.Get(ns).part, shares.part)
	g.splits = shares.list
	g.stock = r.stock.Get(ns)
	for _, w := range r.backing.Get(ns).workloads {
		g.staffed = append(g.staffed, w.identity)
	}
	g.finish()
	return g
}

func (g *region) add(parts ...*part) { g.parts = append(g.parts, parts...) }

func (r *resolver) addServicesTo(g *region) {
	ids := r.servicesIn(g.name)
	g.services = make([]ir.Service, 0, len(ids))
	for _, id := range ids {
		g.add(r.settled.Get(id).part)
		g.services = append(g.services, r.ports.Get(id).out)
	}
}

func (r *resolver) addRolesTo(g *region) {
	g.add(r.cast.Get(g.name).part)
	for _, ro := range r.roles.Get(g.name) {
		k := roleKey{g.name, ro.name}
		g.add(r.role.Get(k).part)
		g.roles = append(g.roles, namedRole{ro.name, ir.Role{Identity: ro.identity, Services: notNil(ro.services), Ports: notNil(r.inbound.Get(k))}})
	}
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// finish puts together what the parts add.
func (g *region) finish() {
	g.found = &diag.Section{Batches: make([]*diag.List, 0, len(g.parts))}
	for _, p := range g.parts {
		g.found.Batches = append(g.found.Batches, &p.findings)
		g.once.Add(p.once...)
		g.listed = append(g.listed, p.listed...)
		g.read = append(g.read, p.read...)
		g.missed = append(g.missed, p.missed...)
	}
	slices.Sort(g.staffed)
	slices.Sort(g.listed)
	g.listed = slices.Compact(g.listed)
}

// sameOrigins tells that nothing was written elsewhere.
func (g *region) sameOrigins(old *region) bool {
	return g == old || g.name == old.name && slices.EqualFunc(g.parts, old.parts, func(a, b *part) bool {
		return a == b || slices.Equal(a.origins, b.origins)
	})
}

// compareOrigins tells which of two origins of one name counts: the greater one.
func compareOrigins(a, b namedOrigin) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), -cmp.Compare(a.File, b.File), -cmp.Compare(a.Line, b.Line), -cmp.Compare(a.Col, b.Col))
}
