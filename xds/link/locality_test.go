package link_test

import (
	"fmt"
	"slices"
	"testing"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/xds/link"
)

// places is shop/web in four places, one endpoint in each.
func places(s *catalog.Snapshot) {
	localities := []catalog.Locality{
		{Region: "eu", Zone: "a", SubZone: "rack-1"}, {Region: "eu", Zone: "a", SubZone: "rack-2"}, {Region: "eu", Zone: "b"}, {Region: "us", Zone: "a", SubZone: "rack-1"},
	}
	web(s).Endpoints = nil
	for i, l := range localities {
		web(s).Endpoints = append(web(s).Endpoints, catalog.Endpoint{
			Address: addr(fmt.Sprintf("10.1.0.%d", i+1)), Identity: id("shop/web"), Meshed: true, Locality: l,
		})
	}
}

// priorities reads "REGION/ZONE/SUBZONE PRIORITY" of an assignment.
func priorities(t *testing.T, r *link.Resource) []string {
	t.Helper()
	var out []string
	for _, l := range read(t, r, &endpointv3.ClusterLoadAssignment{}).GetEndpoints() {
		at := l.GetLocality()
		out = append(out, fmt.Sprintf("%s/%s/%s %d", at.GetRegion(), at.GetZone(), at.GetSubZone(), l.GetPriority()))
	}
	return out
}

// A caller meets the endpoints of its own place first, and the others in order of
// distance; Envoy refuses gaps in that order.
func TestCallersStayNear(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(places))
	for _, c := range []struct {
		from catalog.Locality
		want []string
	}{
		{catalog.Locality{Region: "eu", Zone: "a", SubZone: "rack-2"}, []string{"eu/a/rack-1 1", "eu/a/rack-2 0", "eu/b/ 2", "us/a/rack-1 3"}},
		{catalog.Locality{Region: "eu", Zone: "b"}, []string{"eu/a/rack-1 1", "eu/a/rack-2 1", "eu/b/ 0", "us/a/rack-1 2"}},
		{catalog.Locality{Region: "us"}, []string{"eu/a/rack-1 1", "eu/a/rack-2 1", "eu/b/ 1", "us/a/rack-1 0"}},
		{catalog.Locality{Region: "asia", Zone: "a"}, []string{"eu/a/rack-1 0", "eu/a/rack-2 0", "eu/b/ 0", "us/a/rack-1 0"}},
		{catalog.Locality{}, []string{"eu/a/rack-1 0", "eu/a/rack-2 0", "eu/b/ 0", "us/a/rack-1 0"}},
	} {
		want(t, fmt.Sprint(c.from), priorities(t, w.EndpointsNear("shop/web:80", c.from)), c.want)
	}
	eu := catalog.Locality{Region: "eu", Zone: "b"}
	if first, again := w.EndpointsNear("shop/web:80", eu), w.EndpointsNear("shop/web:80", eu); first != again {
		t.Error("callers of one place do not share what they are sent")
	}
	if w.EndpointsNear("shop/web:80", catalog.Locality{Region: "asia"}) != w.Endpoints("shop/web:80") {
		t.Error("what has no order is sent in a copy of its own")
	}
	if w.EndpointsNear("shop/none:80", eu) != nil {
		t.Error("a cluster that does not exist has endpoints")
	}
}

// A service that is spread has no near and far, and its callers hear of the change.
func TestSpreadServiceHasNoOrder(t *testing.T) {
	w, _ := link.New(pack(t, shop()), running(places))
	next := w.With(running(places, func(s *catalog.Snapshot) { web(s).Spread = true }))
	eu := catalog.Locality{Region: "eu", Zone: "b"}
	if next.EndpointsNear("shop/web:80", eu) != next.Endpoints("shop/web:80") {
		t.Error("a service that is spread is called in order of distance")
	}
	if !slices.Contains(next.Changes().Endpoints, "shop/web:80") {
		t.Errorf("nobody is told that shop/web is spread now: %+v", next.Changes())
	}
}

// A machine that moves is sent the order of its new place.
func TestMovedWorkloadIsRebased(t *testing.T) {
	move := func(s *catalog.Snapshot) {
		s.Workloads[slices.IndexFunc(s.Workloads, func(w catalog.Workload) bool { return w.Name == "shop/web-0" })].Locality = catalog.Locality{Region: "us"}
	}
	w, _ := link.New(pack(t, shop()), running())
	next := w.With(running(move))
	want(t, "changed workloads", next.Changes().Workloads, []string{"shop/web-0"})
	want(t, "where it is", view(t, next, "shop/web", "shop/web-0").Locality, catalog.Locality{Region: "us"})
}
