package cache_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// twoRings keeps the second ring on the world that it holds, with the newest endpoints.
type twoRings struct {
	first ir.Identity
	held  *link.World // nil: all are served the newest
}

func (r *twoRings) World(p cache.Proxy, newest *link.World) *link.World {
	if p.Identity == r.first || r.held == nil {
		return newest
	}
	if r.held.Snapshot() != newest.Snapshot() {
		r.held = r.held.With(newest.Snapshot())
	}
	return r.held
}

// has is what a subscriber was sent since it was asked last.
func (s *subscriber) has() map[link.Type][]string {
	out := map[link.Type][]string{}
	for _, p := range s.inbox {
		for _, r := range p.Resources {
			out[p.Type] = append(out[p.Type], r.Name)
		}
		for _, name := range p.Removed {
			out[p.Type] = append(out[p.Type], "-"+name)
		}
	}
	s.answer()
	return out
}

// moved is a snapshot in which the endpoint of a service is elsewhere.
func moved(snap *catalog.Snapshot, i int) *catalog.Snapshot {
	next := *snap
	next.Services = slices.Clone(snap.Services)
	e := slices.Clone(next.Services[i].Endpoints)
	e[0].Address = netip.AddrFrom4([4]byte{10, 9, 0, byte(i)})
	next.Services[i].Endpoints = e
	return &next
}

// A rollout that goes by rings decides who is served a new bundle, and when: a proxy of a
// later ring stays on the old one, also when it connects anew, endpoints do not wait for
// it, and once the rollout says so it moves on.
func TestARolloutDecidesWhoIsServedWhat(t *testing.T) {
	const n = 4
	before, snap := ring(t, n, 1)
	after, _ := ring(t, n, 2) // each may call one more
	more := func(i int) string { return ir.PortID{Service: serviceID((i + 2) % n), Port: 80}.String() }
	for name, c := range map[string]struct {
		rollout cache.Rollout
		rings   *twoRings
	}{"at once": {rollout: cache.AtOnce{}}, "in rings": {rings: &twoRings{first: account(0)}}} {
		t.Run(name, func(t *testing.T) {
			r, inRings := c.rollout, c.rings != nil
			if inRings {
				r = c.rings
			}
			served := cache.New(r)
			old, _ := link.New(before, snap)
			served.Set(old)
			first, second := subscribe(t, served, 0, n, 1), subscribe(t, served, 1, n, 1)
			if inRings {
				c.rings.held = old
			}
			w := link.After(old, after, snap, nil)
			served.Set(w)
			if got := first.has()[link.Cluster]; !slices.Contains(got, more(0)) {
				t.Errorf("the first ring is sent %v", got)
			}
			if got := second.has()[link.Cluster]; slices.Contains(got, more(1)) == inRings {
				t.Errorf("the second ring is sent %v", got)
			}
			if !inRings {
				return
			}
			again := subscribe(t, served, 1, n, 1)
			if got := again.session.Status(); got.Types[0].Resources != second.session.Status().Types[0].Resources {
				t.Errorf("a proxy of the second ring that connects anew has %+v", got)
			}
			served.Set(w.With(moved(snap, 2)))
			if got := second.has(); !slices.Contains(got[link.Endpoint], ir.PortID{Service: serviceID(2), Port: 80}.String()) || len(got[link.Cluster]) > 0 {
				t.Errorf("an endpoint moved, and the second ring is sent %v", got)
			}
			c.rings.held = nil
			served.Again()
			if got := second.has()[link.Cluster]; !slices.Contains(got, more(1)) {
				t.Errorf("its turn has come, and the second ring is sent %v", got)
			}
			if got := first.has(); len(got) > 0 {
				t.Errorf("nothing changed for the first ring, and it is sent %v", got)
			}
		})
	}
}
