package policies

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// index leads from one thing of the mesh to others, in both directions.
type index struct {
	identities map[string]*identityIndex
	services   map[string]*ir.Service
	opened     map[string][]string // service to the grants that open it
	rooted     map[string][]string // service to the splits it is the root of
	leaves     map[string][]string // service to the splits it is a backend of
	grants     map[string]*ir.Grant
	splits     map[string]*ir.Split
	workloads  map[string]*ir.InventoryWorkload
}

type identityIndex struct {
	id                                      ir.Identity
	listed                                  bool // by the mesh itself
	services, workloads, outgoing, incoming []string
}

// makeIndex walks the mesh once.
func (w *World) makeIndex() *index {
	x := &index{
		identities: map[string]*identityIndex{}, services: map[string]*ir.Service{},
		opened: map[string][]string{}, rooted: map[string][]string{}, leaves: map[string][]string{},
		grants: map[string]*ir.Grant{}, splits: map[string]*ir.Split{}, workloads: map[string]*ir.InventoryWorkload{},
	}
	for _, id := range w.mesh.Identities {
		x.identity(id).listed = true
	}
	for i := range w.mesh.Services {
		s := &w.mesh.Services[i]
		x.services[s.ID.String()] = s
		for _, a := range s.Accounts {
			own := x.identity(a)
			own.services = append(own.services, s.ID.String())
		}
	}
	for i := range w.mesh.Grants {
		x.grant(&w.mesh.Grants[i])
	}
	for i := range w.mesh.Splits {
		x.split(&w.mesh.Splits[i])
	}
	if w.inv == nil {
		return x
	}
	for i := range w.inv.Workloads {
		v := &w.inv.Workloads[i]
		name := workloadName(v)
		x.workloads[name] = v
		if v.Meshed {
			own := x.identity(v.Identity)
			own.workloads = append(own.workloads, name)
		}
	}
	return x
}

func workloadName(w *ir.InventoryWorkload) string { return w.Kind + "/" + w.Namespace + "/" + w.Name }

func (x *index) identity(id ir.Identity) *identityIndex {
	own := x.identities[id.Short()]
	if own == nil {
		own = &identityIndex{id: id}
		x.identities[id.Short()] = own
	}
	return own
}

func (x *index) grant(g *ir.Grant) {
	x.grants[g.Name] = g
	for _, s := range g.Sources {
		own := x.identity(s)
		own.outgoing = append(own.outgoing, g.Name)
	}
	own := x.identity(g.Destination)
	own.incoming = append(own.incoming, g.Name)
	for _, s := range servicesOf(g) {
		x.opened[s] = append(x.opened[s], g.Name)
	}
}

// servicesOf are the services a grant opens ports of, sorted.
func servicesOf(g *ir.Grant) []string {
	var out []string
	for _, p := range g.Ports {
		if s := p.Service.String(); len(out) == 0 || out[len(out)-1] != s {
			out = append(out, s)
		}
	}
	return sorted(out)
}

func (x *index) split(s *ir.Split) {
	x.splits[s.Name] = s
	root := s.Root.String()
	x.rooted[root] = append(x.rooted[root], s.Name)
	for _, b := range s.Backends {
		leaf := b.Service.String()
		x.leaves[leaf] = append(x.leaves[leaf], s.Name)
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// objects leads to the objects by their names.
type objects struct {
	kinds  map[string]map[string]*syntax.Object // by kind, then namespace/name
	spaces map[string]*space
}

// space is a namespace.
type space struct {
	object *syntax.Object // its manifest; nil: there is none
	seen   int            // objects and services in it, and settings of it
}

func (x *objects) space(name string) *space {
	s := x.spaces[name]
	if s == nil {
		s = &space{}
		x.spaces[name] = s
	}
	return s
}

// see counts something that lies in a namespace.
func (x *objects) see(namespace string) {
	if namespace != "" {
		x.space(namespace).seen++
	}
}

func (w *World) makeObjects() *objects {
	x := &objects{kinds: map[string]map[string]*syntax.Object{}, spaces: map[string]*space{}}
	for _, o := range w.Objects() {
		of := x.kinds[o.Kind]
		if of == nil {
			of = map[string]*syntax.Object{}
			x.kinds[o.Kind] = of
		}
		if key := objectKey(o); of[key] == nil {
			of[key] = o
		}
		if o.Kind == "Namespace" {
			x.space(o.Name).object = o
		} else {
			x.see(o.Namespace)
		}
	}
	for _, n := range w.mesh.Namespaces {
		x.see(n.Name)
	}
	for _, s := range w.mesh.Services {
		x.see(s.ID.Namespace)
	}
	return x
}

// objectKey is namespace/name, or the name of what is in no namespace.
func objectKey(o *syntax.Object) string {
	if o.Namespace == "" {
		return o.Name
	}
	return o.Namespace + "/" + o.Name
}

// named finds an object by Kind/NAMESPACE/NAME.
func (w *World) named(name string) (*syntax.Object, bool) {
	kind, key, _ := strings.Cut(name, "/")
	o, ok := w.objects().kinds[kind][key]
	return o, ok
}

// first is the first object, after those of meshc.yaml; nil: there is none.
func (w *World) first() *syntax.Object {
	kinds := w.objects().kinds
	for _, kind := range names(kinds) {
		var first *syntax.Object
		for _, o := range kinds[kind] {
			if first == nil || cmp.Or(cmp.Compare(o.Namespace, first.Namespace), cmp.Compare(o.Name, first.Name)) < 0 {
				first = o
			}
		}
		if first != nil {
			return first
		}
	}
	return nil
}

// references holds the names of objects at both ends, Kind/NAMESPACE/NAME,
// whether or not they exist, and of the grants that an object became.
type references struct {
	to, from, grants []string
	objects          int // of this name
}

// References are the objects that an object refers to and those that refer to it, by
// Kind/NAMESPACE/NAME, there or not.
func (w *World) References(name string) (to, from []string) {
	if r := w.references()[name]; r != nil {
		return slices.Clone(r.to), slices.Clone(r.from)
	}
	return nil, nil
}

func (w *World) makeReferences() map[string]*references {
	out := map[string]*references{}
	ends := func(name string) *references {
		r := out[name]
		if r == nil {
			r = &references{}
			out[name] = r
		}
		return r
	}
	for _, o := range w.Objects() {
		name := o.Ref().String()
		from := ends(name)
		from.objects++
		refer(o, func(to string) {
			from.to = append(from.to, to)
			end := ends(to)
			end.from = append(end.from, name)
		})
	}
	for _, g := range w.mesh.Grants {
		if object, _, ok := strings.Cut(g.Name, "#"); ok {
			r := ends(object)
			r.grants = append(r.grants, g.Name)
		}
	}
	for _, r := range out {
		r.from, r.to = sorted(r.from), sorted(r.to)
	}
	return out
}

// refer tells the references that an object makes.
func refer(o *syntax.Object, to func(name string)) {
	near := func(kind, name string) { to(kind + "/" + o.Namespace + "/" + name) }
	subject := func(s syntax.Subject) {
		namespace := s.Namespace
		if namespace == "" {
			namespace = o.Namespace
		}
		to(s.Kind + "/" + namespace + "/" + s.Name)
	}
	switch {
	case o.TrafficTarget != nil:
		for _, r := range o.TrafficTarget.Rules {
			near(r.Kind, r.Name)
		}
		for _, s := range o.TrafficTarget.Sources {
			subject(s)
		}
		subject(o.TrafficTarget.Destination)
	case o.TrafficSplit != nil:
		near("Service", o.TrafficSplit.Service)
		for _, b := range o.TrafficSplit.Backends {
			near("Service", b.Service)
		}
		for _, m := range o.TrafficSplit.Matches {
			near(m.Kind, m.Name)
		}
	case o.IdentityBinding != nil && o.IdentityBinding.ServiceAccount != "":
		near("ServiceAccount", o.IdentityBinding.ServiceAccount)
	case o.Workload != nil:
		near("ServiceAccount", o.Workload.ServiceAccount)
	}
}
