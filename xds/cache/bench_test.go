package cache_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

func account(i int) ir.Identity {
	return ir.NewIdentity("cluster.local", "ns", fmt.Sprintf("a%05d", i))
}

func serviceID(i int) ir.ServiceID {
	return ir.ServiceID{Namespace: "ns", Name: fmt.Sprintf("s%05d", i)}
}

// ring is a mesh of n services in which each account calls the next k.
func ring(b testing.TB, n, k int) (*bundle.Bundle, *catalog.Snapshot) {
	b.Helper()
	m := &ir.Mesh{Settings: ir.Settings{Name: "ring", TrustDomain: "cluster.local", ClusterDomain: "cluster.local", Mode: ir.Strict, Compat: ir.CompatSMI}}
	snap := &catalog.Snapshot{ServiceRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	for i := range n {
		port := ir.PortID{Service: serviceID(i), Port: 80}
		m.Identities = append(m.Identities, account(i))
		m.Services = append(m.Services, ir.Service{ID: serviceID(i), Accounts: []ir.Identity{account(i)}, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}})
		m.Roles = append(m.Roles, ir.Role{Identity: account(i), Services: []ir.ServiceID{serviceID(i)}, Ports: []ir.InboundPort{{TargetPort: 8080, Protocol: ir.HTTP, Services: []ir.PortID{port}}}})
		g := ir.Grant{Name: fmt.Sprintf("TrafficTarget/ns/t%05d#rule0", i), Destination: account(i), Ports: []ir.PortID{port}}
		for c := 1; c <= k; c++ {
			g.Sources = append(g.Sources, account((i+n-c)%n))
		}
		slices.Sort(g.Sources)
		m.Grants = append(m.Grants, g)
		workload := fmt.Sprintf("ns/w%05d", i)
		snap.Services = append(snap.Services, catalog.Service{
			ID: serviceID(i), VIPs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})},
			Ports:     []catalog.ServicePort{{Port: 80, Protocol: ir.HTTP, TargetPort: 8080}},
			Endpoints: []catalog.Endpoint{{Address: netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), Workload: workload, Identity: account(i), Meshed: true}},
		})
		snap.Workloads = append(snap.Workloads, catalog.Workload{Name: workload, Identity: account(i), Services: []ir.ServiceID{serviceID(i)}, Meshed: true})
	}
	slices.SortFunc(m.Roles, func(a, b ir.Role) int { return cmp.Compare(a.Name(), b.Name()) })
	plan, err := envoy.Lower(m)
	if err != nil {
		b.Fatal(err)
	}
	packed, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan})
	if err != nil {
		b.Fatal(err)
	}
	return packed, snap
}

// subscriber acknowledges everything as soon as it is told to.
type subscriber struct {
	session *cache.Session
	inbox   []cache.Push
	nonce   int
}

func subscribe(b testing.TB, c *cache.Cache, i, n, k int) *subscriber {
	b.Helper()
	s := &subscriber{}
	var err error
	s.session, err = c.Open(cache.Proxy{Identity: account(i), Workload: fmt.Sprintf("ns/w%05d", i)}, cache.Options{Send: func(p cache.Push) bool { s.inbox = append(s.inbox, p); return true }})
	if err != nil {
		b.Fatal(err)
	}
	var clusters, routes []string
	for j := 1; j <= k; j++ {
		name := ir.PortID{Service: serviceID((i + j) % n), Port: 80}.String()
		clusters, routes = append(clusters, name), append(routes, "outbound/"+name)
	}
	s.session.Subscribe(cache.Subscription{Type: link.Cluster})
	s.session.Subscribe(cache.Subscription{Type: link.Endpoint, Subscribe: clusters})
	s.session.Subscribe(cache.Subscription{Type: link.Listener})
	s.session.Subscribe(cache.Subscription{Type: link.Route, Subscribe: routes})
	s.answer()
	return s
}

func (s *subscriber) answer() (resources int) {
	for len(s.inbox) > 0 {
		p := s.inbox[0]
		s.inbox = s.inbox[1:]
		s.nonce++
		nonce := fmt.Sprint(s.nonce)
		s.session.Sent(p, nonce)
		s.session.Acknowledge(p.Type, nonce)
		resources += len(p.Resources)
	}
	return resources
}

// One endpoint changes: the cost is that of relinking one service and of the
// proxies that use it, whatever the size of the mesh.
func BenchmarkEndpointChange(b *testing.B) {
	for _, size := range []struct{ services, proxies, calls int }{{100, 100, 100 / 2}, {1000, 1000, 100}} {
		b.Run(fmt.Sprintf("services=%d/proxies=%d/clusters=%d", size.services, size.proxies, size.calls), func(b *testing.B) {
			packed, snap := ring(b, size.services, size.calls)
			w, _ := link.New(packed, snap)
			c := cache.New(cache.AtOnce{})
			c.Set(w)
			var all []*subscriber
			for i := range size.proxies {
				all = append(all, subscribe(b, c, i, size.services, size.calls))
			}
			sent := 0
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				next := *snap
				next.Services = slices.Clone(snap.Services)
				e := slices.Clone(next.Services[7].Endpoints)
				e[0].Address = netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)})
				next.Services[7].Endpoints = e
				w = w.With(&next)
				c.Set(w)
				for _, s := range all {
					sent += s.answer()
				}
			}
			b.ReportMetric(float64(sent)/float64(b.N), "resources/op")
		})
	}
}

// All that one identity sees, from a world that is linked already.
func BenchmarkFirstView(b *testing.B) {
	packed, snap := ring(b, 1000, 999)
	for b.Loop() {
		w, _ := link.New(packed, snap)
		if _, err := w.ForWorkload(account(0), "ns/w00000"); err != nil {
			b.Fatal(err)
		}
	}
}
