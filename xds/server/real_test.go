package server_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// lateFailure passes every check of fields and fails when Envoy makes the load
// balancer: the kind of cluster that can wedge it (T1).
func lateFailure(c *clusterv3.Cluster) {
	c.LbPolicy = clusterv3.Cluster_RING_HASH
	c.LbConfig = &clusterv3.Cluster_RingHashLbConfig_{RingHashLbConfig: &clusterv3.Cluster_RingHashLbConfig{
		MinimumRingSize: wrapperspb.UInt64(2048), MaximumRingSize: wrapperspb.UInt64(1024)}}
}

// caller is a mesh where shop/buyer calls HTTP services on real addresses.
func caller(t *testing.T, subnet int, tamper map[string]func(*clusterv3.Cluster), services ...string) (spec, []runs) {
	t.Helper()
	s := spec{calls: map[string][]string{"shop/buyer": services}}
	var all []runs
	for i, name := range services {
		s.services = append(s.services, svc{name: name, tamper: tamper[name]})
		all = append(all, runs{name: name, vip: fmt.Sprintf("127.0.%d.%d", subnet, i+1)})
	}
	return s, all
}

func get(t *testing.T, vip, want string) {
	t.Helper()
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	eventually(t, "GET "+vip, func() error {
		if got := answer(client, "http://"+vip+":18080/"); got != want {
			return fmt.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
}

// T1 on a real Envoy: one cluster that fails late wedges all others; the rescue
// frees it, the others get through, the bad one is named, its mended form is served.
func TestT1OnEnvoy(t *testing.T) {
	c := newControl(t, func(o *server.Options) { o.AckTimeout = time.Second })
	bad := map[string]func(*clusterv3.Cluster){"shop/b": lateFailure}
	s, all := caller(t, 82, bad, "shop/a", "shop/b", "shop/c")
	for i, name := range []string{"a", "b", "c"} {
		all[i].endpoints = []string{backend(t, name)}
	}
	snap := snapshot(all, buyer)
	good, _ := caller(t, 82, nil, "shop/a")
	c.server.Set(good.build(t), snap)
	e := c.startEnvoy("shop/buyer", "shop/buyer-0", true)
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
	get(t, "127.0.82.1", "200 a")

	c.server.Set(s.build(t), snap)
	get(t, "127.0.82.3", "200 c")
	get(t, "127.0.82.1", "200 a")
	eventually(t, "the refusal", func() error {
		k := kindOf(t, buyerStatus(t, c), link.Cluster)
		if len(k.Refused) != 1 || k.Refused[0].Name != "shop/b:18080" || !strings.Contains(k.Refused[0].Reason, "ring") {
			return fmt.Errorf("status says %+v", k)
		}
		return nil
	})
	s.services[1].tamper = nil
	c.server.Set(s.build(t), snap)
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
	get(t, "127.0.82.2", "200 b")
	if warming := e.stats("cluster_manager.warming_clusters")["cluster_manager.warming_clusters"]; warming != 0 {
		t.Errorf("%d clusters warm for ever", warming)
	}
}

// T1 after a cut: the wedged Envoy comes back without asking for clusters.
func TestT1OnEnvoyAfterReconnect(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(map[bool]string{false: "same server", true: "restarted server"}[restart], func(t *testing.T) {
			t.Parallel()
			// The first stream ends before it would be rescued.
			c := newControl(t, func(o *server.Options) { o.AckTimeout = 3 * time.Second })
			subnet := map[bool]int{false: 83, true: 84}[restart]
			s, all := caller(t, subnet, map[string]func(*clusterv3.Cluster){"shop/b": lateFailure}, "shop/a", "shop/b", "shop/c", "shop/d")
			for i, name := range []string{"a", "b", "c", "d"} {
				all[i].endpoints = []string{backend(t, name)}
			}
			snap := snapshot(all, buyer)
			good, _ := caller(t, subnet, nil, "shop/a")
			later := s
			s.services, s.calls = s.services[:3:3], map[string][]string{"shop/buyer": {"shop/a", "shop/b", "shop/c"}}
			w := c.wire()
			c.server.Set(good.build(t), snap)
			e := c.startEnvoy("shop/buyer", "shop/buyer-0", true)
			must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
			c.server.Set(s.build(t), snap)
			eventually(t, "the wedge", func() error {
				// The good one is warm, the bad one is refused, and no answer comes.
				s := e.stats("cluster")
				if s["cluster.shop/c_18080.membership_total"] != 1 || s["cluster_manager.cds.update_rejected"] != 1 || s["cluster_manager.warming_clusters"] != 1 {
					return fmt.Errorf("%v", s)
				}
				if k := kindOf(t, buyerStatus(t, c), link.Cluster); k.Waiting != 1 {
					return fmt.Errorf("%+v", k)
				}
				return nil
			})
			serving := c
			if restart {
				// It knows of no refusal: what frees the proxy is a mended bundle.
				serving = c.sibling(func(o *server.Options) { o.AckTimeout = time.Second })
				later.services[1].tamper = nil
				w.lead(serving.address)
			}
			serving.server.Set(later.build(t), snap)
			w.cut()
			get(t, fmt.Sprintf("127.0.%d.3", subnet), "200 c")
			get(t, fmt.Sprintf("127.0.%d.4", subnet), "200 d")
		})
	}
}

// T2 on a real Envoy: a changed cluster is warm at once, not after 15 s.
func TestT2OnEnvoy(t *testing.T) {
	c := newControl(t)
	s, all := caller(t, 85, nil, "shop/a")
	all[0].endpoints = []string{backend(t, "a")}
	c.server.Set(s.build(t), snapshot(all, buyer))
	e := c.startEnvoy("shop/buyer", "shop/buyer-0", true)
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
	start := time.Now()
	s.services[0].tamper = slower
	c.server.Set(s.build(t), snapshot(all, buyer))
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
	if took := time.Since(start); took > 7*time.Second {
		t.Errorf("the changed cluster took %s to be warm", took)
	}
	if n := e.stats("cluster.shop/a_18080.assignment_use_cached")["cluster.shop/a_18080.assignment_use_cached"]; n != 0 {
		t.Error("Envoy gave up waiting for the endpoints")
	}
	get(t, "127.0.85.1", "200 a")
}

// T4 on a real Envoy: a route that does not exist yet holds nothing else up, and
// opens its listener when it comes. A cluster without endpoints answers 503.
func TestT4OnEnvoy(t *testing.T) {
	c := newControl(t)
	s, all := caller(t, 86, nil, "shop/a", "shop/b")
	all[0].endpoints = []string{backend(t, "a")}
	c.server.Set(s.build(t), snapshot(all, buyer))
	start := time.Now()
	c.startEnvoy("shop/buyer", "shop/buyer-0", true)
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
	get(t, "127.0.86.2", "503 no healthy upstream")
	get(t, "127.0.86.1", "200 a")
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %s: Envoy waited for what does not exist", took)
	}
}

// A proxy that comes back with everything is sent nothing, by any replica.
func TestReconnectOnEnvoySendsNothing(t *testing.T) {
	for _, delta := range []bool{true, false} {
		t.Run(map[bool]string{true: "delta", false: "sotw"}[delta], func(t *testing.T) {
			t.Parallel()
			c := newControl(t)
			subnet := map[bool]int{true: 87, false: 88}[delta]
			s, all := caller(t, subnet, nil, "shop/a", "shop/b")
			for i := range s.services {
				s.services[i].tls = true // so that the secrets are in use too
			}
			all[0].endpoints, all[1].endpoints = []string{backend(t, "a")}, []string{backend(t, "b")}
			b, snap := s.build(t), snapshot(all, buyer)
			c.server.Set(b, snap)
			w := c.wire()
			c.startEnvoy("shop/buyer", "shop/buyer-0", delta)
			must(t, c.server.WaitAcked(within(t), "shop/buyer-0"))
			before := buyerStatus(t, c)

			replica := c.sibling()
			replica.server.Set(b, snap)
			w.lead(replica.address)
			w.cut()
			must(t, replica.server.WaitAcked(within(t), "shop/buyer-0"))
			after := buyerStatus(t, replica)
			for _, k := range after.Types {
				if k.Sent != 0 {
					t.Errorf("%d responses of %s were sent to a proxy that had everything", k.Sent, k.Type)
				}
			}
			if after.Certificate != before.Certificate {
				t.Errorf("the proxy's certificate is %q at one replica and %q at the other", before.Certificate, after.Certificate)
			}
		})
	}
}

// issuers is an authority that can be replaced and outlived in small steps.
type issuers struct {
	mu    sync.Mutex
	by    *ca.Authority
	roots [][]byte
}

func (i *issuers) set(by *ca.Authority, roots ...[]byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.by, i.roots = by, roots
}

func (i *issuers) Issue(id ir.Identity, ttl time.Duration) (ca.Leaf, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l, err := i.by.Issue(id, ttl)
	// Renewed every few hundred milliseconds, as if a leaf's half were that short.
	l.RenewAt = time.Now().Add(300 * time.Millisecond)
	return l, err
}

func (i *issuers) Roots() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Concat(i.roots...)
}

func (i *issuers) Keeps(version string) (time.Time, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.by.Keeps(version)
}

// Rotation on real Envoys: leaves of both ends, then the root, lose no request
// although every request makes a new handshake.
func TestRotationOnEnvoy(t *testing.T) {
	first := &issuers{}
	c := newControl(t, func(o *server.Options) {
		first.set(o.Authority.(*ca.Authority), o.Authority.Roots())
		o.Authority = first
	})
	at := freePort(t)
	s := spec{services: []svc{{name: "shop/a", tls: true, inboundAt: at}}, calls: map[string][]string{"shop/buyer": {"shop/a"}}}
	c.server.Set(s.build(t), snapshot([]runs{{name: "shop/a", vip: "127.0.89.1", endpoints: []string{at}}}, buyer))
	c.startEnvoy("shop/a", "shop/a-0", true)
	c.startEnvoy("shop/buyer", "shop/buyer-0", true)
	must(t, c.server.WaitAcked(within(t), "shop/buyer-0", "shop/a-0"))
	get(t, "127.0.89.1", "200 inbound")

	l := hammer("http://127.0.89.1:18080/", 2, true)
	issued := func() int { return metric(t, c, "meshc_xds_leaf_certificates_issued_total") }
	rotate := func(step string) {
		t.Helper()
		goal := issued() + 4 // every proxy has a new leaf at least once
		eventually(t, step, func() error {
			if n := issued(); n < goal {
				return fmt.Errorf("%d leaves", n)
			}
			return nil
		})
		must(t, c.server.WaitAcked(within(t)))
		l.until("200 inbound", 50)
	}
	rotate("new leaves")
	next, err := ca.Open(t.TempDir(), ca.Options{})
	must(t, err)
	first.set(c.ca, c.ca.Roots(), next.Roots())
	rotate("both roots trusted")
	first.set(next, c.ca.Roots(), next.Roots())
	rotate("leaves of the new root")
	first.set(next, next.Roots())
	rotate("the old root gone")
	counts := l.stop()
	for answer, n := range counts {
		if answer != "200 inbound" {
			t.Errorf("%d requests got %q", n, answer)
		}
	}
	t.Logf("%v", counts)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func metric(t *testing.T, c *control, name string) int {
	t.Helper()
	families, err := c.server.Registry().Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			return int(f.GetMetric()[0].GetCounter().GetValue())
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
