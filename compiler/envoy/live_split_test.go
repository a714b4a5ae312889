package envoy_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// addSplit splits every port of a root; backends are written as NAME=WEIGHT.
func addSplit(m *ir.Mesh, name, root string, port uint16, matches []ir.Match, backends map[string]uint32) {
	sp := ir.Split{Name: "TrafficSplit/" + name, Root: svcID(root), Matches: matches}
	for _, svc := range slices.Sorted(maps.Keys(backends)) {
		_, known := m.Service(svcID(svc))
		sp.Backends = append(sp.Backends, ir.Backend{Service: svcID(svc), Weight: backends[svc], Ports: []uint16{port}, Missing: !known})
	}
	m.Splits = append(m.Splits, sp)
	sortMesh(m)
}

func canary(protocol ir.Protocol, backends map[string]uint32, matches ...ir.Match) *ir.Mesh {
	m := strictMesh()
	port := httpPort()
	if !protocol.IsHTTP() {
		port = tcpPort(protocol)
	}
	for _, s := range []string{"shop/root", "shop/v1", "shop/v2"} {
		addService(m, s, port)
	}
	addClients(m, "shop/buyer")
	grant(m, "TrafficTarget/shop/root#rule0", "shop/root", nil, "shop/buyer")
	grant(m, "TrafficTarget/shop/v1#rule0", "shop/v1", nil, "shop/buyer")
	grant(m, "TrafficTarget/shop/v2#rule0", "shop/v2", nil, "shop/buyer")
	addSplit(m, "shop/canary", "shop/root", port.Number, matches, backends)
	return m
}

// answers counts what n calls to the root were answered: an application's name or a status.
func (p *proxy) answers(n int, path string, headers ...string) map[string]int {
	p.w.t.Helper()
	out := map[string]int{}
	for range n {
		got := p.call("shop/root", "GET", path, headers...)
		if got.status == 200 {
			out[got.seen.App]++
		} else {
			out[fmt.Sprint(got.status)]++
		}
	}
	return out
}

func TestHTTPSplitGoesToItsLeavesByWeight(t *testing.T) {
	w := newWorld(t, canary(ir.HTTP, map[string]uint32{"shop/v1": 0, "shop/v2": 100}))
	w.serve("shop/v1", httpApp(t, "v1"))
	w.serve("shop/v2", httpApp(t, "v2"))
	buyer := w.client("shop/buyer")
	if got := buyer.answers(20, "/"); got["v2"] != 20 {
		t.Errorf("weights 0 and 100 gave %v", got)
	}
	line := buyer.logged("the split", func(m map[string]any) bool { return m["route"] == "TrafficSplit/shop/canary" })
	if line["cluster"] != "shop/v2:80" || line["port"] != "shop/root:80" {
		t.Errorf("the access log says %v", line)
	}
	if got := buyer.call("shop/v1", "GET", "/"); got.status != 200 || got.seen.App != "v1" {
		t.Errorf("a direct call to a leaf was split: %d %q", got.status, got.body)
	}
}

func TestTheShareOfAMissingOrEmptyBackendIsLost(t *testing.T) {
	for name, backends := range map[string]map[string]uint32{
		"missing":           {"shop/gone": 100, "shop/v2": 0},
		"without endpoints": {"shop/v1": 100, "shop/v2": 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, canary(ir.HTTP, backends))
			w.serve("shop/v2", httpApp(t, "v2"))
			if got := w.client("shop/buyer").answers(10, "/"); got["503"] != 10 {
				t.Errorf("its share was answered %v", got)
			}
		})
	}
}

func TestALeafWithoutAGrantRefusesItsShare(t *testing.T) {
	m := canary(ir.HTTP, map[string]uint32{"shop/v1": 50, "shop/v2": 50})
	m.Grants = m.Grants[1:2] // v1 alone: neither the root nor v2
	w := newWorld(t, m)
	w.serve("shop/v1", httpApp(t, "v1"))
	w.serve("shop/v2", httpApp(t, "v2"))
	got := w.client("shop/buyer").answers(60, "/")
	if got["v1"] == 0 || got["403"] == 0 || got["v1"]+got["403"] != 60 {
		t.Errorf("who may call one leaf of two was answered %v", got)
	}
}

func TestSplitMatchesLeaveOtherRequestsToTheRoot(t *testing.T) {
	w := newWorld(t, canary(ir.HTTP, map[string]uint32{"shop/v2": 100},
		match("^(?:/beta).*$", []string{"GET", "PUT"}), match("", nil, ir.HeaderMatch{Name: "x-user", Regex: "^tester"})))
	for _, s := range []string{"root", "v1", "v2"} {
		w.serve("shop/"+s, httpApp(t, s))
	}
	buyer := w.client("shop/buyer")
	for _, c := range []struct {
		path, header, app string
	}{
		{"/beta/x?y", "X-A: b", "v2"}, {"/", "X-User: tester1", "v2"}, {"/", "X-User: a tester", "root"}, {"/stable", "X-A: b", "root"},
	} {
		if got := buyer.answers(3, c.path, c.header); got[c.app] != 3 {
			t.Errorf("GET %s with %s was answered %v, want %s", c.path, c.header, got, c.app)
		}
	}
	if got := buyer.call("shop/root", "POST", "/beta"); got.seen.App != "root" {
		t.Errorf("a method outside the match went to %q", got.seen.App)
	}
}

func TestTCPSplitGoesToItsLeaves(t *testing.T) {
	w := newWorld(t, canary(ir.TCPServerFirst, map[string]uint32{"shop/v1": 0, "shop/v2": 1}))
	w.serve("shop/v1", tcpApp(t, "v1", "I am v1\n"))
	w.serve("shop/v2", tcpApp(t, "v2", "I am v2\n"))
	buyer := w.client("shop/buyer")
	for range 5 {
		if got := w.dial(buyer.vip("shop/root", 3306)).hear(); got != "I am v2" {
			t.Errorf("weights 0 and 1 gave %q", got)
		}
	}
}

func TestTCPSplitByWeight(t *testing.T) {
	w := newWorld(t, canary(ir.TCP, map[string]uint32{"shop/v1": 1, "shop/v2": 1}))
	w.serve("shop/v1", tcpApp(t, "v1", ""))
	w.serve("shop/v2", tcpApp(t, "v2", ""))
	buyer, got := w.client("shop/buyer"), map[string]int{}
	for range 60 {
		got[w.dial(buyer.vip("shop/root", 3306)).say("x")]++
	}
	if got["v1 x"] == 0 || got["v2 x"] == 0 || got["v1 x"]+got["v2 x"] != 60 {
		t.Errorf("equal weights gave %v", got)
	}
}
