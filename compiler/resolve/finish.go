package resolve

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// assembly is the regions of a session put together.
type assembly struct {
	regions []*region
	result  Result
}

// assemble puts the regions together; what did not change is shared with the last.
func (r *resolver) assemble(last *assembly) *assembly {
	a := &assembly{regions: r.regions.Get(struct{}{})}
	if len(last.regions) > 0 && slices.Equal(a.regions, last.regions) {
		return last
	}
	a.result.Mesh = r.mesh(a, last)
	a.result.Mesh.Origins = r.allOrigins(a, last)
	a.result.Inventory = a.inventory(last)
	read, missed := map[*ir.Fact]bool{}, map[question]bool{}
	for _, g := range a.regions {
		for _, c := range g.chunks {
			for _, f := range c.read {
				read[f] = true
			}
			for _, q := range c.missed {
				missed[q] = true
			}
		}
	}
	a.result.Used = r.known.used(read, missed)
	return a
}

// readSeveral are the findings that several functions may make, each once.
func (r *resolver) readSeveral(struct{}) *diag.Section {
	var out diag.List
	for _, ns := range r.spaces.Get(struct{}{}) {
		out.Add(r.once.Get(ns)...)
	}
	out = slices.CompactFunc(out.Sorted(), func(a, b diag.Finding) bool {
		return a.Code == b.Code && a.At() == b.At() && a.Message == b.Message
	})
	return &diag.Section{Batches: []*diag.List{&out}}
}

func sameSection(a, b *diag.Section) bool { return reflect.DeepEqual(a, b) }

func sameFindings(a, b diag.List) bool {
	return len(a) == len(b) && (len(a) == 0 || reflect.DeepEqual(a, b))
}

// sections are all findings. They are asked for without the regions: a try needs
// no mesh.
func (r *resolver) sections() []*diag.Section {
	spaces := r.spaces.Get(struct{}{})
	out := make([]*diag.Section, 0, 3+len(spaces)*len(chunkKinds))
	out = append(out, r.configFound, r.configured.Get(struct{}{}), r.several.Get(struct{}{}))
	for _, ns := range spaces {
		for kind := range chunkKinds {
			out = append(out, r.chunk.Get(chunkKey{ns, kind}).found)
		}
	}
	return out
}

// mesh puts the parts together, each in order of name. A list to which all regions
// give what they gave to the last mesh is that of the last mesh: later stages see at
// once that it is the same.
func (r *resolver) mesh(a, last *assembly) *ir.Mesh {
	m := &ir.Mesh{Settings: r.settings}
	if before := last.result.Mesh; before != nil {
		*m = *before
	} else {
		m.Namespaces = r.namespaces()
	}
	services := func(g *region) []ir.Service { return g.services }
	if !unmoved(a.regions, last.regions, services) {
		m.Services = joined(a.regions, services)
	}
	listed := func(g *region) []ir.Identity { return g.listed }
	people := unmoved(a.regions, last.regions, listed)
	if !people {
		m.Identities = joined(a.regions, listed)
		slices.Sort(m.Identities)
		m.Identities = slices.Compact(m.Identities)
	}
	// Names in one text sort otherwise than namespace and name apart.
	now, then := a.byText(), last.byText()
	played, staffed := func(g *region) []namedRole { return g.roles }, func(g *region) []ir.Identity { return g.staffed }
	if !people || !unmoved(now, then, played) || !unmoved(now, then, staffed) {
		m.Roles = withClients(joined(now, played), m.Identities, joined(now, staffed))
	}
	if grants := func(g *region) []ir.Grant { return g.grants }; !unmoved(now, then, grants) {
		m.Grants = joined(now, grants)
		sorted(m.Grants, func(a, b ir.Grant) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Destination, b.Destination))
		})
	}
	if splits := func(g *region) []ir.Split { return g.splits }; !unmoved(now, then, splits) {
		m.Splits = joined(now, splits)
		sorted(m.Splits, func(a, b ir.Split) int { return cmp.Compare(a.Name, b.Name) })
	}
	return m
}

// namespaces are those whose settings differ from the mesh's: equal policies, equal bytes.
func (r *resolver) namespaces() []ir.Namespace {
	out := []ir.Namespace{}
	for _, name := range slices.Sorted(maps.Keys(r.policies)) {
		n, s := r.policies[name], r.settings
		if n.Mode != s.Mode || n.PlaintextAllowed != s.PlaintextAllowed || n.EgressAllowed != s.EgressAllowed {
			out = append(out, n)
		}
	}
	return out
}

// byText are the regions in the order of names that begin with theirs.
func (a *assembly) byText() []*region {
	byText := func(a, b *region) int { return cmp.Compare(a.name+"/", b.name+"/") }
	if slices.IsSortedFunc(a.regions, byText) {
		return a.regions
	}
	return slices.SortedFunc(slices.Values(a.regions), byText)
}

// unmoved tells that all regions give what those before gave, each in one place in
// memory: equal lists in other places cost a copy, no more.
func unmoved[T any](now, then []*region, of func(*region) []T) bool {
	return len(then) > 0 && slices.EqualFunc(now, then, func(a, b *region) bool { return a == b || ir.OnePlace(of(a), of(b)) })
}

// joined is what all regions give, in their order.
func joined[T any](regions []*region, of func(*region) []T) []T {
	n := 0
	for _, g := range regions {
		n += len(of(g))
	}
	out := make([]T, 0, n)
	for _, g := range regions {
		out = append(out, of(g)...)
	}
	return out
}

// sorted sorts what is sorted already, but for odd names.
func sorted[T any](list []T, compare func(a, b T) int) {
	if !slices.IsSortedFunc(list, compare) {
		slices.SortFunc(list, compare)
	}
}

// withClients gives identities that no workload of the tree has a role without
// services: whatever runs as them elsewhere is at least a client.
func withClients(roles []namedRole, identities, staffed []ir.Identity) []ir.Role {
	sorted(staffed, cmp.Compare[ir.Identity])
	for _, id := range identities {
		for len(staffed) > 0 && staffed[0] < id {
			staffed = staffed[1:]
		}
		if len(staffed) == 0 || staffed[0] != id {
			roles = append(roles, namedRole{ir.RoleName(id, nil), ir.Role{Identity: id, Services: []ir.ServiceID{}, Ports: []ir.InboundPort{}}})
		}
	}
	sorted(roles, func(a, b namedRole) int { return cmp.Compare(a.name, b.name) })
	out := make([]ir.Role, 0, len(roles))
	for i := range roles {
		if i == 0 || roles[i].name != roles[i-1].name {
			out = append(out, roles[i].Role)
		}
	}
	return out
}

// allOrigins are the origins of all regions; those of the last assembly, if they
// are the same.
func (r *resolver) allOrigins(a, last *assembly) map[string]ir.Origin {
	if last.result.Mesh != nil && slices.EqualFunc(a.regions, last.regions, (*region).sameOrigins) {
		return last.result.Mesh.Origins
	}
	size := 0
	for _, p := range a.parts() {
		size += len(p.origins)
	}
	out := make(map[string]ir.Origin, size)
	several := map[string]namedOrigin{} // the one that counts of those that facts or several workloads give
	add := func(list []namedOrigin) {
		for _, o := range list {
			if o.rank == rankTree {
				out[o.name] = o.Origin
			} else if had, twice := several[o.name]; !twice || compareOrigins(had, o) < 0 {
				several[o.name] = o
			}
		}
	}
	for _, p := range a.parts() {
		add(p.origins)
	}
	for name, o := range several {
		if _, said := out[name]; !said || o.rank > rankTree {
			out[name] = o.Origin
		}
	}
	return out
}

func (a *assembly) parts() []*part {
	var out []*part
	for _, g := range a.regions {
		for _, c := range g.chunks {
			out = append(out, c.parts...)
		}
	}
	return out
}
