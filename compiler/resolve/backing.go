package resolve

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// backing is which posts of a namespace are behind which of its services. Selectors
// and controllers work within a namespace, so it is found out at once; who needs to
// know of one service or one account reads that part of it.
type backing struct {
	*part
	posts    []*post // of the roster
	services map[ir.ServiceID]*seat
	order    []ir.ServiceID // of services, sorted
	accounts map[string][]*post
	backed   map[*post][]ir.ServiceID // sorted
	// variants are further sets of services that pods back while a controller
	// (Flagger, Argo Rollouts) moves selectors.
	variants map[*post][][]ir.ServiceID
}

// seat is a service of the tree, or one that Flagger will make, with the posts that
// it selects.
type seat struct {
	id     ir.ServiceID
	canary *syntax.Object // that makes it; nil: it is written
	posts  []*post
}

func (s *seat) has(p *post) bool { return slices.Contains(s.posts, p) }

func sameSeat(a, b *seat) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.id == b.id && a.canary == b.canary && slices.Equal(a.posts, b.posts)
}

func (r *resolver) readBacking(ns string) *backing {
	roster, names := r.roster.Get(ns), r.titles.Get(located{"Service", ns})
	b := &backing{
		posts: roster.posts, services: make(map[ir.ServiceID]*seat, len(names)), accounts: map[string][]*post{},
		backed: make(map[*post][]ir.ServiceID, len(roster.posts)), variants: map[*post][][]ir.ServiceID{},
	}
	for _, name := range names {
		id := ir.ServiceID{Namespace: ns, Name: name}
		if s := r.selector.Get(id); s != nil {
			b.services[id] = &seat{id: id, posts: roster.pods.find(s.labels)}
			b.order = append(b.order, id)
		}
	}
	b.part = r.unit(func() { r.addCanaryServices(b, ns) })
	for _, p := range b.posts {
		b.accounts[p.account] = append(b.accounts[p.account], p)
	}
	b.bind()
	return b
}

// selector is which pods a service selects.
type selector struct{ labels map[string]string }

// readSelector is nil if the mesh has no such service that is written.
func (r *resolver) readSelector(id ir.ServiceID) *selector {
	if s := r.written.Get(id).service; s != nil {
		return &selector{s.selector}
	}
	return nil
}

func sameSelector(a, b *selector) bool {
	if a == nil || b == nil {
		return a == b
	}
	return maps.Equal(a.labels, b.labels)
}

// writtenService is what a Service says by itself; without service it is none of
// the mesh.
type writtenService struct {
	*part
	service *service
}

func (r *resolver) readWritten(id ir.ServiceID) *writtenService {
	out := &writtenService{}
	out.part = r.unit(func() {
		o, ok := r.find("Service", id.Namespace, id.Name)
		switch {
		case !ok || o.Service == nil:
		case o.Service.Type == "ExternalName":
			r.reportExternalName(o)
		default:
			out.service = &service{id: id, obj: o, selector: o.Service.Selector, headless: o.Service.ClusterIP == "None", ports: o.Service.Ports}
			r.origin("Service/"+id.String(), o, namePosition(o))
		}
	})
	return out
}

// readDeclared is a service of the tree, or one that Flagger will make, with its
// workloads; nil: it is neither.
func (r *resolver) readDeclared(id ir.ServiceID) *service {
	at := r.seat.Get(id)
	if at == nil {
		return nil
	}
	var s service
	if at.canary != nil {
		s = service{id: id, obj: at.canary, ports: canaryPorts(at.canary.Canary), made: true}
	} else {
		s = *r.written.Get(id).service
	}
	s.workloads = r.hands(at.posts)
	return &s
}

// bind tells the posts which services select them.
func (b *backing) bind() {
	sorted(b.order, ir.ServiceID.Compare)
	for _, id := range b.order {
		for _, p := range b.services[id].posts {
			b.backed[p] = append(b.backed[p], id)
		}
	}
	for _, p := range b.posts {
		if more := rolloutVariants(p, b.backed[p]); len(more) > 0 {
			b.variants[p] = append(b.variants[p], more...)
		}
	}
}
