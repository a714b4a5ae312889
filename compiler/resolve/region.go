package resolve

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// region is what the objects of a namespace, and the facts about it, come to. Each
// of its lists is a remembered function of its own: most edits leave most of them
// the very same, and what is made of all regions then is what it was.
type region struct {
	name   string
	chunks []*chunk
	listed []ir.Identity // sorted
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

// chunk is what the functions of some kinds of objects of a namespace add beside
// their values. Most edits concern one or two of a namespace's chunks.
type chunk struct {
	parts  []*part
	found  *diag.Section
	once   diag.List
	read   []*ir.Fact
	missed []question
}

type chunkKey struct {
	namespace string
	kind      int
}

// chunkKinds are the chunks of a region, in order.
var chunkKinds = []func(*resolver, *chunk, string){
	(*resolver).gatherWorkloads, (*resolver).gatherGroups, (*resolver).gatherServices, (*resolver).gatherRoles,
	(*resolver).gatherTargets, (*resolver).gatherGrants, (*resolver).gatherSplits, (*resolver).gatherOpenings,
}

// readSpaces are the names of all regions, in order.
func (r *resolver) readSpaces(struct{}) []string {
	names := slices.Concat(r.places.Get(struct{}{}), r.known.places)
	slices.Sort(names)
	return slices.Compact(names)
}

// readRegions are all of them in order of name.
func (r *resolver) readRegions(struct{}) []*region {
	var out []*region
	for _, ns := range r.spaces.Get(struct{}{}) {
		out = append(out, r.region.Get(ns))
	}
	return out
}

func (r *resolver) readRegion(ns string) *region {
	return &region{
		name: ns, chunks: r.chunks(ns), listed: r.members.Get(ns), stock: r.stock.Get(ns),
		services: r.offers.Get(ns), roles: r.played.Get(ns), grants: r.bestowed.Get(ns), splits: r.divided.Get(ns), staffed: r.staffed.Get(ns),
	}
}

// chunks are those of a region, in order.
func (r *resolver) chunks(ns string) []*chunk {
	out := make([]*chunk, len(chunkKinds))
	for kind := range out {
		out[kind] = r.chunk.Get(chunkKey{ns, kind})
	}
	return out
}

func (r *resolver) readChunk(k chunkKey) *chunk {
	c := &chunk{found: &diag.Section{}}
	chunkKinds[k.kind](r, c, k.namespace)
	for _, p := range c.parts {
		if len(p.findings) > 0 {
			c.found.Batches = append(c.found.Batches, &p.findings)
		}
		c.once.Add(p.once...)
		c.read = append(c.read, p.read...)
		c.missed = append(c.missed, p.missed...)
	}
	return c
}

func (c *chunk) add(parts ...*part) { c.parts = append(c.parts, parts...) }

// readListed are the identities that a chunk takes into the mesh, each once.
func (r *resolver) readListed(k chunkKey) []ir.Identity {
	var out []ir.Identity
	for _, p := range r.chunk.Get(k).parts {
		out = append(out, p.listed...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readMembers are the identities that a region takes into the mesh.
func (r *resolver) readMembers(ns string) []ir.Identity {
	var out []ir.Identity
	for kind := range chunkKinds {
		out = append(out, r.listed.Get(chunkKey{ns, kind})...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readOnce are the findings of a region that several functions may make.
func (r *resolver) readOnce(ns string) diag.List {
	var out diag.List
	for _, c := range r.chunks(ns) {
		out.Add(c.once...)
	}
	return out
}

func (r *resolver) gatherWorkloads(c *chunk, ns string) {
	c.parts = make([]*part, 0, len(r.roster.Get(ns).posts)+4)
	c.add(r.space.Get(ns).part, r.listing.Get(ns), r.primaries.Get(ns).part, r.backing.Get(ns).part)
	for _, kind := range workloadKinds {
		for _, name := range r.titles.Get(located{kind, ns}) {
			if w := r.workload.Get(syntax.Name{Kind: kind, Namespace: ns, Name: name}); w != nil {
				c.add(w.part)
			}
		}
	}
	for _, o := range r.of("IdentityBinding", ns) {
		c.add(r.binding.Get(idOf(o)).part)
	}
}

func (r *resolver) readStaffed(ns string) []ir.Identity {
	var out []ir.Identity
	for _, p := range r.roster.Get(ns).posts {
		out = append(out, p.identity)
	}
	slices.Sort(out)
	return out
}

func (r *resolver) gatherGroups(c *chunk, ns string) {
	groups := r.titles.Get(located{"HTTPRouteGroup", ns})
	c.parts = make([]*part, 0, len(groups))
	for _, name := range groups {
		c.add(r.group.Get(ir.ServiceID{Namespace: ns, Name: name}).part)
	}
}

func (r *resolver) gatherServices(c *chunk, ns string) {
	written, ids := r.titles.Get(located{"Service", ns}), r.servicesIn(ns)
	c.parts = make([]*part, 0, len(written)+len(ids))
	for _, name := range written {
		c.add(r.written.Get(ir.ServiceID{Namespace: ns, Name: name}).part)
	}
	for _, id := range ids {
		c.add(r.settled.Get(id).part)
	}
}

// readOffers are the services of a region.
func (r *resolver) readOffers(ns string) []ir.Service {
	ids := r.servicesIn(ns)
	out := make([]ir.Service, len(ids))
	for i, id := range ids {
		out[i] = *r.offer.Get(id)
	}
	return out
}

func (r *resolver) gatherRoles(c *chunk, ns string) {
	roles := r.roles.Get(ns)
	c.parts = make([]*part, 0, 1+len(roles))
	c.add(r.cast.Get(ns).part)
	for _, ro := range roles {
		c.add(r.role.Get(roleKey{ns, ro.name}).part)
	}
}

func sameNamedRole(a, b *namedRole) bool { return a.name == b.name && ir.SameRole(&a.Role, &b.Role) }

// readPlayed are the roles of a region.
func (r *resolver) readPlayed(ns string) []namedRole {
	roles := r.roles.Get(ns)
	out := make([]namedRole, len(roles))
	for i, ro := range roles {
		out[i] = namedRole{ro.name, ir.Role{Identity: ro.identity, Services: notNil(ro.services), Ports: notNil(r.inbound.Get(roleKey{ns, ro.name}))}}
	}
	return out
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (r *resolver) gatherTargets(c *chunk, ns string) {
	ids := r.targets.Get(ns)
	c.parts = make([]*part, 0, len(ids))
	for _, id := range ids {
		c.add(r.subject.Get(id).part)
	}
}

func (r *resolver) gatherGrants(c *chunk, ns string) {
	ids := r.targets.Get(ns)
	c.parts = make([]*part, 0, len(ids))
	for _, id := range ids {
		c.add(r.grants.Get(id).part)
	}
}

// readBestowed are the grants of a region.
func (r *resolver) readBestowed(ns string) []ir.Grant {
	ids := r.targets.Get(ns)
	out := make([]ir.Grant, 0, len(ids))
	for _, id := range ids {
		out = append(out, r.given.Get(id)...)
	}
	for _, o := range r.of("BreakGlass", ns) {
		out = append(out, r.lent.Get(idOf(o))...)
	}
	return out
}

func (r *resolver) gatherSplits(c *chunk, ns string) {
	c.add(r.splits.Get(ns).part, r.shares.Get(ns).part)
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
