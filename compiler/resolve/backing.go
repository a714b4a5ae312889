package resolve

import (
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// backing is which workloads of a namespace are behind which of its services.
// Selectors and controllers work within a namespace, so it is found out at once;
// who needs to know of one service or one account reads that part of it.
type backing struct {
	*part
	workloads []*workload // of the crew
	services  map[ir.ServiceID]*service
	order     []ir.ServiceID // of services, sorted
	accounts  map[string][]*workload
	backed    map[*workload][]ir.ServiceID // sorted
	// variants are further sets of services that pods back while a controller
	// (Flagger, Argo Rollouts) moves selectors.
	variants map[*workload][][]ir.ServiceID
}

func (r *resolver) readBacking(ns string) *backing {
	crew := r.crew.Get(ns)
	b := &backing{
		workloads: crew.workloads, services: make(map[ir.ServiceID]*service, len(r.of("Service", ns))), accounts: map[string][]*workload{},
		backed: make(map[*workload][]ir.ServiceID, len(crew.workloads)), variants: map[*workload][][]ir.ServiceID{},
	}
	b.part = r.unit(func() {
		r.addServices(b, crew.pods, ns)
		r.addCanaryServices(b, ns)
	})
	for _, w := range b.workloads {
		b.accounts[w.account] = append(b.accounts[w.account], w)
	}
	b.bind()
	return b
}

// crew is the workloads of a namespace: in order of kind and name, then those that
// controllers will make.
type crew struct {
	*part
	workloads []*workload
	pods      podIndex
}

func (r *resolver) readCrew(ns string) *crew {
	c := &crew{}
	for _, kind := range workloadKinds {
		for _, o := range r.of(kind, ns) {
			if w := r.workload.Get(syntax.NameOf(o)); w != nil && w.spec != nil {
				c.workloads = append(c.workloads, w)
			}
		}
	}
	c.part = r.unit(func() { r.addPrimaries(c, ns) })
	c.pods = indexPods(c.workloads)
	return c
}

// addServices finds the workloads that the namespace's services select.
func (r *resolver) addServices(b *backing, pods podIndex, ns string) {
	for _, o := range r.of("Service", ns) {
		if written := r.written.Get(idOf(o)).service; written != nil {
			s := *written
			s.workloads = pods.find(s.selector)
			b.services[s.id] = &s
			b.order = append(b.order, s.id)
		}
	}
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

// bind tells the workloads which services select them.
func (b *backing) bind() {
	sorted(b.order, ir.ServiceID.Compare)
	for _, id := range b.order {
		for _, w := range b.services[id].workloads {
			b.backed[w] = append(b.backed[w], id)
		}
	}
	for _, w := range b.workloads {
		if more := rolloutVariants(w, b.backed[w]); len(more) > 0 {
			b.variants[w] = append(b.variants[w], more...)
		}
	}
}

// named finds a workload by name.
func named(workloads []*workload, kind, name string) (*workload, bool) {
	for _, w := range workloads {
		if w.kind == kind && w.name == name {
			return w, true
		}
	}
	return nil, false
}

// podIndex finds pods by one label without looking at all of a namespace.
type podIndex map[podLabel][]*workload

type podLabel struct{ name, value string }

func indexPods(workloads []*workload) podIndex {
	ix := podIndex{}
	for _, w := range workloads {
		for l, v := range w.spec.PodLabels {
			ix[podLabel{l, v}] = append(ix[podLabel{l, v}], w)
		}
	}
	return ix
}

// find lists the workloads a service's selector selects; an empty one selects none.
func (ix podIndex) find(selector map[string]string) []*workload {
	var shortest []*workload
	first := true
	for l, v := range selector {
		if c := ix[podLabel{l, v}]; first || len(c) < len(shortest) {
			shortest, first = c, false
		}
	}
	var out []*workload
	for _, w := range shortest {
		if selected(w.spec.PodLabels, selector) {
			out = append(out, w)
		}
	}
	return out
}
