package policies

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// change is the entries of a document that are others than before, there or gone.
type change map[string]struct{}

// move is a world on its way to another state.
type move struct {
	*World
	x       *index
	objects *objects
	refs    map[string]*references
	changes []change

	people                 map[string]*identityIndex // as they were; nil: not there
	opened, rooted, leaves *lists
	grants                 map[string]struct{} // names that the grants of changed
	spaces                 map[string]bool     // whether a namespace was there
	ends                   map[string]bool     // whether a name had references
}

// move makes the world another state of its mesh, of which edit says what objects
// became others. It gives what changed of each document, and no more than that: what
// only stands elsewhere is the same. Nobody may read the world meanwhile.
func (w *World) move(edit syntax.Edit, mesh *ir.Mesh, inventory *ir.Inventory) []change {
	m := &move{
		World: w, x: w.index(), objects: w.objects(), refs: w.references(), changes: make([]change, len(w.docs)),
		people: map[string]*identityIndex{}, grants: map[string]struct{}{}, spaces: map[string]bool{}, ends: map[string]bool{},
	}
	m.opened, m.rooted, m.leaves = tracked(m.x.opened), tracked(m.x.rooted), tracked(m.x.leaves)
	w.files = &syntax.Files{Config: w.files.Config} // from here on the indexes alone know the objects
	for name, list := range edit {
		m.object(name, list)
	}
	old, stock := w.mesh, w.inv
	w.mesh, w.inv = mesh, inventory
	differ(old.Identities, mesh.Identities, func(a, b *ir.Identity) int { return compareText(string(*a), string(*b)) },
		func(a, b *ir.Identity) bool { return true }, m.listed)
	differ(old.Services, mesh.Services, func(a, b *ir.Service) int { return a.ID.Compare(b.ID) }, sameService, m.service)
	differ(old.Grants, mesh.Grants, compareGrants, sameGrant, m.grant)
	differ(old.Splits, mesh.Splits, func(a, b *ir.Split) int { return compareText(a.Name, b.Name) }, sameSplit, m.split)
	if stock != inventory {
		differ(workloadsOf(stock), workloadsOf(inventory), compareWorkloads, sameWorkload, m.workload)
	}
	m.settle()
	for i, d := range w.docs {
		d.forget(m.changes[i])
	}
	return m.changes
}

func workloadsOf(inv *ir.Inventory) []ir.InventoryWorkload {
	if inv == nil {
		return nil
	}
	return inv.Workloads
}

// mark notes that an entry of a document is another.
func (m *move) mark(name, key string) { m.markIn(m.data[name].(*document), key) }

func (m *move) markIn(d *document, key string) {
	c := &m.changes[d.number]
	if *c == nil {
		*c = change{}
	}
	(*c)[key] = struct{}{}
}

// settle drops what nothing leads to any more, and compares what was touched with
// what it was.
func (m *move) settle() {
	for name, was := range m.people {
		now := m.x.identities[name]
		if !now.listed && len(now.services)+len(now.workloads)+len(now.outgoing)+len(now.incoming) == 0 {
			delete(m.x.identities, name)
			now = nil
		}
		if (was == nil) != (now == nil) {
			m.mark("calls", name)
		}
		if (was == nil) != (now == nil) || was != nil && !sameIdentity(was, now) {
			m.mark("identities", name)
		}
	}
	for _, l := range []*lists{m.opened, m.rooted, m.leaves} {
		l.settle(func(service string) { m.mark("services", service) })
	}
	for name := range m.grants {
		was, now := m.x.grants[name], lastGrant(m.mesh.Grants, name)
		if was != nil && now != nil && sameGrant(was, now) {
			continue
		}
		own(m.x.grants, name, now)
		m.mark("grants", name)
	}
	for name, was := range m.spaces {
		s := m.objects.spaces[name]
		there := s.object != nil || s.seen > 0
		if !there {
			delete(m.objects.spaces, name)
		}
		if was != there {
			m.mark("namespaces", name)
		}
	}
	for name, was := range m.ends {
		r := m.refs[name]
		there := r.objects+len(r.to)+len(r.from)+len(r.grants) > 0
		if !there {
			delete(m.refs, name)
		}
		if was != there {
			m.mark("references", name)
		}
	}
}

// own puts a copy into an index, or takes an entry out. A copy, so that an index
// does not keep every state of the mesh from which it has an entry.
func own[T any](of map[string]*T, name string, v *T) {
	if v == nil {
		delete(of, name)
		return
	}
	c := *v
	of[name] = &c
}

// object makes the objects of a name others.
func (m *move) object(name syntax.Name, list []*syntax.Object) {
	valid := slices.DeleteFunc(slices.Clone(list), func(o *syntax.Object) bool { return o.Invalid })
	r := m.end(refText(name))
	if r.objects > 1 { // the index leads to the first alone
		maps.DeleteFunc(m.values, func(o *syntax.Object, _ *lazy) bool {
			return syntax.NameOf(o) == name && !slices.Contains(valid, o)
		})
	}
	m.kind(name, valid)
	if name.Kind == "Namespace" {
		m.namespaceObject(name.Name, valid)
	} else if name.Namespace != "" {
		m.see(name.Namespace, len(valid)-r.objects)
	}
	r.objects = len(valid)
	m.refer(refText(name), valid)
}

// kind is the first object of a name, as data.mesh.objects has it.
func (m *move) kind(name syntax.Name, valid []*syntax.Object) {
	of := m.objects.kinds[name.Kind]
	if of == nil {
		of = map[string]*syntax.Object{}
		m.objects.kinds[name.Kind] = of
	}
	key := name.Name
	if name.Namespace != "" {
		key = name.Namespace + "/" + name.Name
	}
	was := of[key]
	var now *syntax.Object
	delete(of, key)
	for i, o := range valid {
		if i == 0 {
			now, of[key] = o, o
		}
		if was != nil && o != was && o.Moved(was) && m.values[o] == nil {
			m.values[o] = m.values[was]
		}
		if m.values[o] == nil {
			m.values[o] = newLazy(o)
		}
	}
	if was != nil && !slices.Contains(valid, was) {
		delete(m.values, was)
	}
	if was == now || was != nil && now != nil && now.Moved(was) {
		return
	}
	if d, read := m.data["objects"].(folder)[name.Kind].(*document); read {
		m.markIn(d, key)
	}
}

func (m *move) namespaceObject(name string, valid []*syntax.Object) {
	s := m.space(name)
	was := s.object
	if s.object = nil; len(valid) > 0 {
		s.object = valid[len(valid)-1]
	}
	if now := s.object; was != nil && now != nil && !(maps.Equal(was.Labels, now.Labels) && maps.Equal(was.Annotations, now.Annotations)) ||
		(was == nil) != (now == nil) {
		m.mark("namespaces", name)
	}
}

func (m *move) space(name string) *space {
	if _, touched := m.spaces[name]; !touched {
		_, m.spaces[name] = m.objects.spaces[name]
	}
	return m.objects.space(name)
}

// see counts what came into a namespace, or went.
func (m *move) see(namespace string, more int) {
	if more != 0 && namespace != "" {
		m.space(namespace).seen += more
	}
}

func (m *move) end(name string) *references {
	r := m.refs[name]
	if _, touched := m.ends[name]; !touched {
		m.ends[name] = r != nil
	}
	if r == nil {
		r = &references{}
		m.refs[name] = r
	}
	return r
}

// refer makes the references of the objects of a name others.
func (m *move) refer(name string, valid []*syntax.Object) {
	var to []string
	for _, o := range valid {
		refer(o, func(end string) { to = append(to, end) })
	}
	to = sorted(to)
	r := m.end(name)
	if slices.Equal(r.to, to) {
		return
	}
	for _, gone := range r.to {
		if _, still := slices.BinarySearch(to, gone); !still {
			e := m.end(gone)
			e.from = without(e.from, name)
			m.mark("references", gone)
		}
	}
	for _, came := range to {
		if _, had := slices.BinarySearch(r.to, came); !had {
			e := m.end(came)
			e.from = with(e.from, name, compareText)
			m.mark("references", came)
		}
	}
	r.to = to
	m.mark("references", name)
}
