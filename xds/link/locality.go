package link

import (
	"sync"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/meshc/meshc/catalog"
)

// EndpointsNear is Endpoints for a caller in a locality: the endpoints of its own
// come first, the others stand by for when these are not healthy. A caller
// without a locality, and a service that is spread, have no order.
func (w *World) EndpointsNear(cluster string, from catalog.Locality) *Resource {
	r := w.Endpoints(cluster)
	if r == nil || from == (catalog.Locality{}) {
		return r
	}
	s := w.services[w.clusterAt[cluster].service]
	if s.catalog == nil || s.catalog.Spread {
		return r
	}
	return s.near.get(r, from)
}

// near are a service's assignments as callers in other localities are sent them.
type near struct {
	mu  sync.Mutex
	all map[nearKey]*Resource
}

type nearKey struct {
	cluster string
	from    catalog.Locality
}

func (n *near) get(r *Resource, from catalog.Locality) *Resource {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := nearKey{r.Name, from}
	if done, ok := n.all[key]; ok {
		return done
	}
	if n.all == nil {
		n.all = map[nearKey]*Resource{}
	}
	done := byDistance(r, from)
	n.all[key] = done
	return done
}

// distances is how many there are: same subzone, same zone, same region, elsewhere.
const distances = 4

func distance(from catalog.Locality, to *core.Locality) int {
	switch {
	case from.Region != to.GetRegion():
		return 3
	case from.Zone != to.GetZone():
		return 2
	case from.SubZone != to.GetSubZone():
		return 1
	}
	return 0
}

// byDistance sets the priorities of an assignment's localities. Envoy wants them
// without gaps.
func byDistance(r *Resource, from catalog.Locality) *Resource {
	a := &endpoint.ClusterLoadAssignment{}
	size := decode(r, a)
	var used [distances]bool
	for _, l := range a.GetEndpoints() {
		used[distance(from, l.GetLocality())] = true
	}
	var priority [distances]uint32
	next := uint32(0)
	for d := range used {
		priority[d] = next
		if used[d] {
			next++
		}
	}
	for _, l := range a.GetEndpoints() {
		l.Priority = priority[distance(from, l.GetLocality())]
	}
	return encoded(r, a, size)
}
