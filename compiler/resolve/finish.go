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
	a.result.Mesh = r.mesh(a.regions)
	a.result.Mesh.Origins = r.allOrigins(a, last)
	a.result.Inventory = a.inventory(last)
	read, missed := map[*ir.Fact]bool{}, map[question]bool{}
	for _, g := range a.regions {
		for _, f := range g.read {
			read[f] = true
		}
		for _, q := range g.missed {
			missed[q] = true
		}
	}
	a.result.Used = r.known.used(read, missed)
	return a
}

// readSeveral are the findings that several functions may make, each once.
func (r *resolver) readSeveral(struct{}) *diag.Section {
	var out diag.List
	for _, g := range r.regions.Get(struct{}{}) {
		out.Add(g.once...)
	}
	out = slices.CompactFunc(out.Sorted(), func(a, b diag.Finding) bool {
		return a.Code == b.Code && a.At() == b.At() && a.Message == b.Message
	})
	return &diag.Section{Batches: []*diag.List{&out}}
}

func sameSection(a, b *diag.Section) bool { return reflect.DeepEqual(a, b) }

// sections are all findings.
func (r *resolver) sections() []*diag.Section {
	out := []*diag.Section{r.written, r.configured.Get(struct{}{}), r.several.Get(struct{}{})}
	for _, g := range r.regions.Get(struct{}{}) {
		for _, c := range g.chunks {
			out = append(out, c.found)
		}
	}
	return out
}

// mesh puts the parts together, each in order of name.
func (r *resolver) mesh(regions []*region) *ir.Mesh {
	var services, listed, grants, splits, staff, played int
	for _, g := range regions {
		services, listed, grants, splits = services+len(g.services), listed+len(g.listed), grants+len(g.grants), splits+len(g.splits)
		staff, played = staff+len(g.staffed), played+len(g.roles)
	}
	m := &ir.Mesh{
		Settings: r.settings, Namespaces: []ir.Namespace{}, Identities: make([]ir.Identity, 0, listed),
		Services: make([]ir.Service, 0, services), Grants: make([]ir.Grant, 0, grants), Splits: make([]ir.Split, 0, splits),
	}
	for _, name := range slices.Sorted(maps.Keys(r.policies)) {
		// One that differs in nothing is left out: equal policies, equal bytes.
		n, s := r.policies[name], r.settings
		if n.Mode != s.Mode || n.PlaintextAllowed != s.PlaintextAllowed || n.EgressAllowed != s.EgressAllowed {
			m.Namespaces = append(m.Namespaces, n)
		}
	}
	for _, g := range regions {
		m.Services = append(m.Services, g.services...)
		m.Identities = append(m.Identities, g.listed...)
	}
	slices.Sort(m.Identities)
	m.Identities = slices.Compact(m.Identities)
	// Names in one text sort otherwise than namespace and name apart.
	byText := slices.SortedFunc(slices.Values(regions), func(a, b *region) int { return cmp.Compare(a.name+"/", b.name+"/") })
	roles, staffed := make([]namedRole, 0, played), make([]ir.Identity, 0, staff)
	for _, g := range byText {
		roles, staffed = append(roles, g.roles...), append(staffed, g.staffed...)
		m.Grants = append(m.Grants, g.grants...)
		m.Splits = append(m.Splits, g.splits...)
	}
	m.Roles = withClients(roles, m.Identities, staffed)
	sorted(m.Grants, func(a, b ir.Grant) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Destination, b.Destination))
	})
	sorted(m.Splits, func(a, b ir.Split) int { return cmp.Compare(a.Name, b.Name) })
	return m
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
