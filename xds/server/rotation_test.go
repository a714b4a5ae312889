package server_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// rotating is a control plane whose state folder is known, and whose steps may
// end as soon as everybody has acknowledged them.
type rotating struct {
	*control
	dir    string
	counts *counting
}

// counting is an authority that counts what it is told.
type counting struct {
	*ca.Authority
	reports atomic.Int64
}

func (c *counting) Report(of ca.Rotation, expected []string, seen []ca.Seen) error {
	defer c.reports.Add(1)
	return c.Authority.Report(of, expected, seen)
}

// looks waits until the server has looked at all proxies some more times.
func (r *rotating) looks(n int64) {
	r.t.Helper()
	goal := r.counts.reports.Load() + n
	eventually(r.t, "the server's looks", func() error {
		if got := r.counts.reports.Load(); got < goal {
			return fmt.Errorf("%d of %d", got, goal)
		}
		return nil
	})
}

func newRotating(t *testing.T) *rotating {
	t.Helper()
	dir := t.TempDir()
	a := authorityAt(t, dir)
	counts := &counting{Authority: a}
	c := newControl(t, func(o *server.Options) { o.Authority, o.Certificate = counts, a.GetCertificate([]string{"127.0.0.1"}) })
	c.ca = a
	return &rotating{c, dir, counts}
}

func authorityAt(t *testing.T, dir string) *ca.Authority {
	t.Helper()
	a, err := ca.Open(dir, ca.Options{Settle: 100 * time.Millisecond})
	must(t, err)
	return a
}

func (r *rotating) rotate(o ca.RotateOptions) {
	r.t.Helper()
	_, err := ca.Rotate(r.dir, ca.Options{}, o)
	must(r.t, err)
}

// waits until the rotation is in a step and waits for these, as "NAME: REASON".
func (r *rotating) waits(step ca.Step, whom ...string) {
	r.t.Helper()
	eventually(r.t, "the rotation", func() error {
		turn := r.server.Status().Rotation
		if turn == nil {
			return fmt.Errorf("none is under way")
		}
		var got []string
		for _, w := range turn.Waiting {
			got = append(got, w.Proxy+": "+w.Reason)
		}
		if turn.Step != step || !slices.Equal(got, whom) {
			return fmt.Errorf("step %s waits for %v", turn.Step, got)
		}
		return nil
	})
}

func (r *rotating) ended() {
	r.t.Helper()
	eventually(r.t, "the end of the rotation", func() error {
		if turn := r.server.Status().Rotation; turn != nil {
			return fmt.Errorf("step %s waits for %v", turn.Step, turn.Waiting)
		}
		return nil
	})
}

// rootsOf counts the roots in a response of secrets.
func rootsOf(t *testing.T, r *discovery.DeltaDiscoveryResponse) int {
	t.Helper()
	wantNames(t, r, "roots")
	var s tlsv3.Secret
	must(t, r.GetResources()[0].GetResource().UnmarshalTo(&s))
	n := 0
	for b, rest := pem.Decode(s.GetValidationContext().GetTrustedCa().GetInlineBytes()); b != nil; b, rest = pem.Decode(rest) {
		n++
	}
	return n
}

// secrets connects a proxy and gives it its secrets.
func (r *rotating) secrets(identity, workload string) (*client, map[string]string) {
	r.t.Helper()
	p := r.connect(identity, workload)
	p.subscribe(link.Secret, "identity", "roots")
	first := p.next(link.Secret)
	wantNames(r.t, first, "identity", "roots")
	p.ack(first)
	return p, versions(first)
}

const (
	away      = ": it is not connected"
	noRoots   = ": it is connected and has not acknowledged the new root"
	noLeaf    = ": it is connected and has not acknowledged a certificate of the new root"
	unsettled = ": it is connected and has not asked for its secrets yet"
)

// A new root issues only when every proxy trusts it, and the old one is dropped
// only when no proxy has a leaf of it; refusing and being away hold that up.
func TestRotationWaitsForEveryProxy(t *testing.T) {
	r := newRotating(t)
	r.server.Set(shop(t, nil, "shop/a"), snapshot([]runs{{name: "shop/a", vip: "127.0.0.1", endpoints: []string{"127.0.0.1:1"}}}, buyer))
	one, _ := r.secrets("shop/buyer", "shop/buyer-0")
	two, had := r.secrets("shop/a", "shop/a-0")
	r.rotate(ca.RotateOptions{})
	for _, p := range []*client{one, two} {
		if n := rootsOf(t, p.next(link.Secret)); n != 2 {
			t.Fatalf("a proxy is given %d roots while the root is replaced", n)
		}
	}
	r.waits(ca.StepTrust, "shop/a-0"+noRoots, "shop/buyer-0"+noRoots)

	// Acknowledged by one, never by the other, who then goes away.
	one.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Secret.URL(), ResponseNonce: "none such"})
	r.waits(ca.StepTrust, "shop/a-0"+noRoots, "shop/buyer-0"+noRoots)
	one.close()
	one = r.connect("shop/buyer", "shop/buyer-0")
	r.waits(ca.StepTrust, "shop/a-0"+noRoots, "shop/buyer-0"+unsettled)
	one.subscribe(link.Secret, "identity", "roots")
	first := one.next(link.Secret)
	one.ack(first)
	two.close()
	r.waits(ca.StepTrust, "shop/a-0"+away)
	one.quiet() // nothing is issued by the new root

	// It is back with what it had; now it acknowledges, and both get new leaves.
	two = r.connect("shop/a", "shop/a-0")
	two.back(link.Secret, had, "identity", "roots")
	second := two.next(link.Secret)
	if n := rootsOf(t, second); n != 2 {
		t.Fatalf("a proxy that was away is given %d roots", n)
	}
	two.ack(second)
	for _, p := range []*client{one, two} {
		leaf := p.next(link.Secret)
		if name := leafOf(t, leaf).Issuer.CommonName; ca.IssuerOf(versions(leaf)["identity"]) == ca.IssuerOf(had["identity"]) {
			t.Fatalf("the new leaf is of the old root, by %s", name)
		}
		if p == one {
			p.ack(leaf)
			continue
		}
		r.waits(ca.StepIssue, "shop/a-0"+noLeaf)
		p.nack(leaf, "no such key")
		r.waits(ca.StepIssue, "shop/a-0"+noLeaf)
	}
	one.quiet() // the old root is still trusted
	two.close()
	r.waits(ca.StepIssue, "shop/a-0"+away)
	two = r.connect("shop/a", "shop/a-0")
	two.back(link.Secret, map[string]string{"identity": had["identity"], "roots": versions(second)["roots"]}, "identity", "roots")
	leaf := two.next(link.Secret)
	wantNames(t, leaf, "identity")
	two.ack(leaf)
	for _, p := range []*client{one, two} {
		if n := rootsOf(t, p.next(link.Secret)); n != 1 {
			t.Fatalf("at the end a proxy is given %d roots", n)
		}
	}
	r.ended()
}

// A server that starts in the middle of a rotation goes on where it stands, also
// beside another one; proxies that have everything are sent nothing.
func TestRotationGoesOnAtAnotherServer(t *testing.T) {
	r := newRotating(t)
	b, snap := shop(t, nil, "shop/a"), snapshot(nil, buyer)
	r.server.Set(b, snap)
	p, had := r.secrets("shop/buyer", "shop/buyer-0")
	r.rotate(ca.RotateOptions{})
	roots := p.next(link.Secret)
	p.close() // before it acknowledged
	r.waits(ca.StepTrust, "shop/buyer-0"+away)

	second := authorityAt(t, r.dir)
	other := r.sibling(func(o *server.Options) { o.Authority = second })
	other.server.Set(b, snap)
	if v := other.server.Status(); len(v.Proxies) != 0 {
		t.Fatalf("%v", v.Proxies)
	}
	p = other.connect("shop/buyer", "shop/buyer-0")
	p.back(link.Secret, map[string]string{"identity": had["identity"], "roots": versions(roots)["roots"]}, "identity", "roots")
	leaf := p.next(link.Secret) // the roots that it reports count as acknowledged
	wantNames(t, leaf, "identity")
	if ca.IssuerOf(versions(leaf)["identity"]) == ca.IssuerOf(had["identity"]) {
		t.Fatal("the new leaf is of the old root")
	}
	p.ack(leaf)
	if n := rootsOf(t, p.next(link.Secret)); n != 1 {
		t.Fatalf("%d roots", n)
	}
	r.ended()
	if !bytes.Equal(r.ca.Roots(), second.Roots()) {
		t.Error("two servers of one folder trust different roots")
	}
}

// A proxy whose credential names no workload counts for the only one of its
// identity; where there are several it counts for none, and is named itself.
func TestRotationFindsUnnamedProxies(t *testing.T) {
	r := newRotating(t)
	s := spec{services: []svc{{name: "shop/a"}}, calls: map[string][]string{"shop/buyer": {"shop/a"}}}
	r.server.Set(s.build(t), snapshot(nil, buyer))
	p := r.open(r.dial(certificate(t, r.ca, "shop/buyer")), "")
	p.subscribe(link.Secret, "identity", "roots")
	p.ack(p.next(link.Secret))
	r.rotate(ca.RotateOptions{})
	both := p.next(link.Secret)
	r.waits(ca.StepTrust, "shop/buyer-0"+noRoots)
	r.server.Set(s.build(t), snapshot(nil, buyer, "shop/buyer-1=shop/buyer"))
	r.waits(ca.StepTrust, "shop/buyer at 127.0.0.1"+noRoots, "shop/buyer-0"+away, "shop/buyer-1"+away)
	p.ack(both)
	r.rotate(ca.RotateOptions{Forget: []string{"shop/buyer-0", "shop/buyer-1"}})
	p.ack(p.next(link.Secret))
	if n := rootsOf(t, p.next(link.Secret)); n != 1 {
		t.Fatalf("%d roots", n)
	}
	r.ended()
}

// Of two streams of one proxy the one that lags counts: it may be the living one.
func TestRotationWaitsForEveryStream(t *testing.T) {
	r := newRotating(t)
	r.server.Set(shop(t, nil, "shop/a"), snapshot(nil, buyer))
	var all []*client
	for range 4 {
		p, _ := r.secrets("shop/buyer", "shop/buyer-0")
		all = append(all, p)
	}
	r.rotate(ca.RotateOptions{})
	for i, p := range all {
		roots := p.next(link.Secret)
		r.waits(ca.StepTrust, "shop/buyer-0"+noRoots)
		if i < len(all)-1 {
			p.ack(roots)
		}
	}
	r.looks(30)
	r.waits(ca.StepTrust, "shop/buyer-0"+noRoots)
	all[0].quiet()
	all[len(all)-1].close()
	leafOf(t, all[0].next(link.Secret))
}

// A proxy that has everything and uses no certificates holds nothing up, but only
// when it has had the time to ask for them.
func TestRotationPassesProxiesWithoutCertificates(t *testing.T) {
	t.Parallel()
	r := newRotating(t)
	s := spec{services: []svc{{name: "shop/a"}}, calls: map[string][]string{"shop/buyer": {}}}
	r.server.Set(s.build(t), snapshot(nil, buyer))
	p := r.connect("shop/buyer", "shop/buyer-0")
	for _, typ := range []link.Type{link.Cluster, link.Listener} {
		p.subscribe(typ)
		p.ack(p.next(typ))
	}
	must(t, r.server.WaitAcked(within(t), "shop/buyer-0"))
	r.rotate(ca.RotateOptions{})
	r.waits(ca.StepTrust, "shop/buyer-0"+unsettled)
	r.ended()
}

// On real Envoys: a proxy is away from the control plane while the root is
// replaced, and still answers; nobody's request fails, each with a new handshake.
// Then all come back with the old root pinned, and a new one with the new root.
func TestRootIsReplacedUnderEnvoys(t *testing.T) {
	r := newRotating(t)
	a, b := freePort(t), freePort(t)
	s := spec{services: []svc{{name: "shop/a", tls: true, inboundAt: a}, {name: "shop/b", tls: true, inboundAt: b}},
		calls: map[string][]string{"shop/buyer": {"shop/a", "shop/b"}, "shop/late": {}}}
	runs := []runs{{name: "shop/a", vip: "127.0.90.1", endpoints: []string{a}}, {name: "shop/b", vip: "127.0.90.2", endpoints: []string{b}}}
	r.server.Set(s.build(t), snapshot(runs, buyer))
	direct := r.address
	lonely := r.wire()
	r.startEnvoy("shop/b", "shop/b-0", true)
	r.address = direct
	others := r.wire()
	r.startEnvoy("shop/a", "shop/a-0", false)
	r.startEnvoy("shop/buyer", "shop/buyer-0", true)
	must(t, r.server.WaitAcked(within(t), "shop/buyer-0", "shop/a-0", "shop/b-0"))
	get(t, "127.0.90.1", "200 inbound")
	get(t, "127.0.90.2", "200 inbound")
	loads := []*load{hammer("http://127.0.90.1:18080/", 1, true), hammer("http://127.0.90.2:18080/", 1, true)}
	calls := func() {
		for _, l := range loads {
			l.until("200 inbound", 50)
		}
	}
	old := r.ca.Roots()
	lonely.lead(freePort(t))
	lonely.cut()
	r.rotate(ca.RotateOptions{})
	r.waits(ca.StepTrust, "shop/b-0"+away)
	calls()
	r.waits(ca.StepTrust, "shop/b-0"+away)

	lonely.lead(direct)
	r.ended()
	calls()
	if bytes.Contains(r.ca.Roots(), old) {
		t.Error("the old root is still trusted")
	}
	for _, w := range []*wire{lonely, others} {
		w.cut()
	}
	since := time.Now()
	eventually(t, "all proxies, with the old root pinned", func() error {
		n := 0
		for _, p := range r.server.Status().Proxies {
			if p.Since.After(since) && p.InSync {
				n++
			}
		}
		if n != 3 {
			return fmt.Errorf("%d are back", n)
		}
		return nil
	})
	r.server.Set(s.build(t), snapshot(runs, buyer, "shop/late-0=shop/late"))
	r.startEnvoy("shop/late", "shop/late-0", true) // its bootstrap pins the new root
	must(t, r.server.WaitAcked(within(t), "shop/late-0"))
	calls()
	total := 0
	for _, l := range loads {
		for answer, n := range l.stop() {
			if total += n; answer != "200 inbound" {
				t.Errorf("%d requests got %q", n, strings.TrimSpace(answer))
			}
		}
	}
	t.Logf("%d requests, each over a new connection", total)
}
