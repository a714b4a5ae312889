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
	name   string
	chunks []*chunk
	once   diag.List
	listed []ir.Identity // sorted
	read   []*ir.Fact
	missed []question
	stock  *stock

	services []ir.Service
	roles    []namedRole
	grants   []ir.Grant
	splits   []ir.Split
	staffed  []ir.Identity // those with workloads, sorted
}

type namedRole struct {
	name string
	ir.Role
}

// chunk is what objects of some kinds of a namespace come to. Most edits concern
// one of a namespace's chunks, and what it holds of services, roles and so on no
// other holds.
type chunk struct {
	parts []*part
	found *diag.Section

	services []ir.Service
	roles    []namedRole
	grants   []ir.Grant
	splits   []ir.Split
	staffed  []ir.Identity
}

type chunkKey struct {
	namespace string
	kind      int
}

// chunkKinds are the chunks of a region, in order.
var chunkKinds = []func(*resolver, *chunk, string){
	(*resolver).gatherWorkloads, (*resolver).gatherGroups, (*resolver).gatherServices, (*resolver).gatherRoles, (*resolver).gatherGrants, (*resolver).gatherSplits,
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
	g := &region{name: ns, stock: r.stock.Get(ns)}
	for kind := range chunkKinds {
		c := r.chunk.Get(chunkKey{ns, kind})
		g.chunks = append(g.chunks, c)
		for _, p := range c.parts {
			g.once.Add(p.once...)
			g.listed = append(g.listed, p.listed...)
			g.read = append(g.read, p.read...)
			g.missed = append(g.missed, p.missed...)
		}
		g.services = own(g.services, c.services)
		g.roles = own(g.roles, c.roles)
		g.grants = own(g.grants, c.grants)
		g.splits = own(g.splits, c.splits)
		g.staffed = own(g.staffed, c.staffed)
	}
	slices.Sort(g.listed)
	g.listed = slices.Compact(g.listed)
	return g
}

// own is what the one chunk has that has any.
func own[T any](had, has []T) []T {
	if len(has) > 0 {
		return has
	}
	return had
}

func (r *resolver) readChunk(k chunkKey) *chunk {
	c := &chunk{found: &diag.Section{}}
	chunkKinds[k.kind](r, c, k.namespace)
	for _, p := range c.parts {
		if len(p.findings) > 0 {
			c.found.Batches = append(c.found.Batches, &p.findings)
		}
	}
	return c
}

func (c *chunk) add(parts ...*part) { c.parts = append(c.parts, parts...) }

func (r *resolver) gatherWorkloads(c *chunk, ns string) {
	backing := r.backing.Get(ns)
	c.add(r.space.Get(ns).part, r.listing.Get(ns), backing.part)
	for _, kind := range workloadKinds {
		for _, o := range r.of(kind, ns) {
			if w := r.workload.Get(syntax.NameOf(o)); w != nil {
				c.add(w.part)
			}
		}
	}
	for _, o := range r.of("IdentityBinding", ns) {
		c.add(r.binding.Get(idOf(o)).part)
	}
	for _, w := range backing.workloads {
		c.staffed = append(c.staffed, w.identity)
	}
	slices.Sort(c.staffed)
}

func (r *resolver) gatherGroups(c *chunk, ns string) {
	for _, o := range r.of("HTTPRouteGroup", ns) {
		c.add(r.group.Get(idOf(o)).part)
	}
}

func (r *resolver) gatherServices(c *chunk, ns string) {
	ids := r.servicesIn(ns)
	c.services = make([]ir.Service, 0, len(ids))
	for _, id := range ids {
		c.add(r.settled.Get(id).part)
		c.services = append(c.services, r.ports.Get(id).out)
	}
}

func (r *resolver) gatherRoles(c *chunk, ns string) {
	c.add(r.cast.Get(ns).part)
	for _, ro := range r.roles.Get(ns) {
		k := roleKey{ns, ro.name}
		c.add(r.role.Get(k).part)
		c.roles = append(c.roles, namedRole{ro.name, ir.Role{Identity: ro.identity, Services: notNil(ro.services), Ports: notNil(r.inbound.Get(k))}})
	}
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (r *resolver) gatherGrants(c *chunk, ns string) {
	for _, o := range r.of("TrafficTarget", ns) {
		granted := r.grants.Get(idOf(o))
		c.add(r.subject.Get(idOf(o)).part, granted.part)
		c.grants = append(c.grants, granted.list...)
	}
}

func (r *resolver) gatherSplits(c *chunk, ns string) {
	shares := r.shares.Get(ns)
	c.add(r.splits.Get(ns).part, shares.part)
	c.splits = shares.list
}

// sameOrigins tells that nothing was written elsewhere.
func (g *region) sameOrigins(old *region) bool {
	return g == old || g.name == old.name && slices.EqualFunc(g.chunks, old.chunks, func(a, b *chunk) bool {
		return a == b || slices.EqualFunc(a.parts, b.parts, func(x, y *part) bool { return x == y || slices.Equal(x.origins, y.origins) })
	})
}

// compareOrigins tells which of two origins of one name counts: the greater one.
func compareOrigins(a, b namedOrigin) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), -cmp.Compare(a.File, b.File), -cmp.Compare(a.Line, b.Line), -cmp.Compare(a.Col, b.Col))
}
