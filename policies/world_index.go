package policies

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// makeIndex walks the mesh once.
func (w *World) makeIndex() *index {
	x := &index{
		objects: map[string]map[string]*syntax.Object{}, services: map[string]*ir.Service{}, named: map[string]*syntax.Object{}, namespaces: map[string]*syntax.Object{},
		identities: map[string]*identityIndex{}, opened: map[string][]string{}, rooted: map[string][]string{},
		leaves: map[string][]string{}, grants: map[string]*ir.Grant{}, splits: map[string]*ir.Split{},
		workloads: map[string]*ir.InventoryWorkload{}, references: map[string]*referenceIndex{},
	}
	for _, o := range w.Objects() {
		x.object(o)
	}
	for _, n := range w.mesh.Namespaces {
		x.namespace(n.Name)
	}
	for _, id := range w.mesh.Identities {
		x.identity(id)
	}
	for i := range w.mesh.Services {
		s := &w.mesh.Services[i]
		x.services[s.ID.String()] = s
		x.namespace(s.ID.Namespace)
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
	if w.inv != nil {
		for i := range w.inv.Workloads {
			v := &w.inv.Workloads[i]
			name := v.Kind + "/" + v.Namespace + "/" + v.Name
			x.workloads[name] = v
			if v.Meshed {
				own := x.identity(v.Identity)
				own.workloads = append(own.workloads, name)
			}
		}
	}
	for _, r := range x.references {
		r.from, r.to = sorted(r.from), sorted(r.to)
	}
	return x
}

func sorted(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

func (x *index) object(o *syntax.Object) {
	of := x.objects[o.Kind]
	if of == nil {
		of = map[string]*syntax.Object{}
		x.objects[o.Kind] = of
	}
	if _, twice := of[objectKey(o)]; !twice {
		of[objectKey(o)] = o
	}
	x.named[o.Ref().String()] = o
	switch {
	case o.Kind == "Namespace":
		x.namespaces[o.Name] = o
	case o.Namespace != "":
		x.namespace(o.Namespace)
	}
	x.refer(o)
}

// objectKey is namespace/name, or the name of what is in no namespace.
func objectKey(o *syntax.Object) string {
	if o.Namespace == "" {
		return o.Name
	}
	return o.Namespace + "/" + o.Name
}

func (x *index) namespace(name string) {
	if _, known := x.namespaces[name]; !known && name != "" {
		x.namespaces[name] = nil
	}
}

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
	if object, _, ok := strings.Cut(g.Name, "#"); ok {
		r := x.ends(object)
		r.grants = append(r.grants, g.Name)
	}
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

// referenceIndex holds the names of objects at both ends, Kind/NAMESPACE/NAME,
// whether or not they exist.
type referenceIndex struct{ to, from, grants []string }

func (x *index) ends(name string) *referenceIndex {
	r := x.references[name]
	if r == nil {
		r = &referenceIndex{}
		x.references[name] = r
	}
	return r
}

func (x *index) link(from, to string) {
	a, b := x.ends(from), x.ends(to)
	a.to = append(a.to, to)
	b.from = append(b.from, from)
}

// refer adds the references that an object makes.
func (x *index) refer(o *syntax.Object) {
	from := o.Ref().String()
	near := func(kind, name string) { x.link(from, kind+"/"+o.Namespace+"/"+name) }
	switch {
	case o.TrafficTarget != nil:
		for _, r := range o.TrafficTarget.Rules {
			near(r.Kind, r.Name)
		}
		for _, s := range append(slices.Clone(o.TrafficTarget.Sources), o.TrafficTarget.Destination) {
			namespace := s.Namespace
			if namespace == "" {
				namespace = o.Namespace
			}
			x.link(from, s.Kind+"/"+namespace+"/"+s.Name)
		}
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
