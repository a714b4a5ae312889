package link_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

// everything is all that any proxy of the mesh would be sent, as text.
func everything(t *testing.T, w *link.World) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, who := range []string{"shop/admin", "shop/buyer", "shop/db", "shop/web"} {
		for _, workload := range []string{"", "shop/web-0", "shop/web-1", "shop/db-0"} {
			v, err := w.ForWorkload(id(who), workload)
			if err != nil {
				continue
			}
			for typ := range link.Types {
				for r := range v.All(typ) {
					out[fmt.Sprint(who, workload, typ, r.Name)] = r.Version
				}
			}
			for _, f := range v.Findings() {
				wantProven(t, f)
				out[who+workload+f.Message] = string(f.Code)
			}
		}
	}
	for _, c := range []string{"shop/web:80", "shop/web:81", "shop/db:5432"} {
		out["EDS"+c] = w.Endpoints(c).Version
	}
	for _, f := range w.Findings() {
		wantProven(t, f)
		out[f.Message] = string(f.Code)
	}
	return out
}

// wantProven fails for a finding that something was withheld: nothing was wrong.
func wantProven(t *testing.T, f diag.Finding) {
	t.Helper()
	if f.Code == "MSH4611" {
		t.Fatalf("a false alarm: %s", f.Message)
	}
}

func wantEqual(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Fatalf("%s: %s is %q, want %q", what, k, got[k], v)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d things, want %d", what, len(got), len(want))
	}
}

// An endpoint that changes rebuilds its own assignments and nothing else.
func TestEndpointChangeTouchesItsAssignmentAlone(t *testing.T) {
	before, _ := link.New(pack(t, shop()), running())
	after := before.With(running(func(s *catalog.Snapshot) { web(s).Endpoints[0].Address = addr("10.1.0.77") }))
	c := after.Changes()
	if c.Structure || !slices.Equal(c.Endpoints, []string{"shop/web:80", "shop/web:81"}) {
		t.Errorf("the changes are %+v", c)
	}
	if view(t, before, "shop/buyer", "") != view(t, after, "shop/buyer", "") || view(t, before, "shop/web", "shop/web-0") != view(t, after, "shop/web", "shop/web-0") {
		t.Error("proxies are given new views for a change of endpoints")
	}
	if before.Endpoints("shop/db:5432") != after.Endpoints("shop/db:5432") {
		t.Error("another service's endpoints were rebuilt")
	}
	same := after.With(running(func(s *catalog.Snapshot) { web(s).Endpoints[0].Address = addr("10.1.0.77") }))
	if c := same.Changes(); c.Structure || len(c.Endpoints)+len(c.Workloads) > 0 {
		t.Errorf("an equal snapshot changes %+v", c)
	}
}

// Headless endpoints have listeners of their own: theirs change, the others stay.
func TestHeadlessEndpointChangesItsListener(t *testing.T) {
	before, _ := link.New(pack(t, shop()), running())
	after := before.With(running(func(s *catalog.Snapshot) { s.Services[0].Endpoints[0].Address = addr("10.1.0.6") }))
	a, b := view(t, before, "shop/buyer", ""), view(t, after, "shop/buyer", "")
	if b.Get(link.Listener, "outbound/shop/db:5432@10.1.0.6") == nil || b.Get(link.Listener, "outbound/shop/db:5432@10.1.0.5") != nil {
		t.Errorf("listeners %v", names(b, link.Listener))
	}
	for _, kept := range []string{"outbound/shop/db:5432@fd00::5", "outbound/shop/web:80"} {
		if a.Get(link.Listener, kept) != b.Get(link.Listener, kept) {
			t.Errorf("%s was rebuilt", kept)
		}
	}
}

// Replicas that see endpoints in another order serve equal bytes.
func TestOrderOfEndpointsIsNothing(t *testing.T) {
	b := pack(t, shop())
	one, _ := link.New(b, running())
	two, _ := link.New(b, running(func(s *catalog.Snapshot) {
		for i := range s.Services {
			slices.Reverse(s.Services[i].Endpoints)
			slices.Reverse(s.Services[i].VIPs)
		}
	}))
	wantEqual(t, "in another order", everything(t, two), everything(t, one))
}

// However a catalog came to be as it is, what is linked is what a fresh start
// with it would link.
func TestRelinkingEqualsLinkingAnew(t *testing.T) {
	b := pack(t, shop(func(m *ir.Mesh) {
		m.Settings.EgressAllowed, m.Settings.ServiceRanges = true, []netip.Prefix{netip.MustParsePrefix("fd00:1::/64")}
	}))
	rng := rand.New(rand.NewPCG(7, 7))
	w, _ := link.New(b, running())
	for step := range 300 {
		snap := running(func(s *catalog.Snapshot) {
			for range rng.IntN(4) {
				mutate(rng, s)
			}
		})
		if w = w.With(snap); step%3 != 0 {
			continue // some views are made late, from what several steps left
		}
		anew, _ := link.New(b, snap)
		wantEqual(t, fmt.Sprintf("step %d", step), everything(t, w), everything(t, anew))
	}
}

func mutate(rng *rand.Rand, s *catalog.Snapshot) {
	v := &s.Services[rng.IntN(len(s.Services))]
	switch rng.IntN(9) {
	case 0:
		v.VIPs = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(4))})}
	case 1:
		v.Ports[0].TargetPort = uint16(8080 + 10*rng.IntN(102))
	case 2:
		v.Ports[0].Protocol = []ir.Protocol{ir.HTTP, ir.TCP, ir.GRPC}[rng.IntN(3)]
	case 3:
		v.Headless = !v.Headless
	case 4:
		v.Endpoints = v.Endpoints[:rng.IntN(len(v.Endpoints)+1)]
	case 5:
		for i := range v.Endpoints {
			v.Endpoints[i].Ports = map[uint16]uint16{v.Ports[0].Port: uint16(9090 - rng.IntN(3))}
		}
	case 6:
		for i := range v.Endpoints {
			v.Endpoints[i].Identity = id([]string{"shop/web", "shop/db", "shop/thief"}[rng.IntN(3)])
		}
	case 7:
		s.PodRanges = []netip.Prefix{netip.PrefixFrom(addr("10.1.0.0"), 16+rng.IntN(2))}
	case 8:
		s.Workloads[rng.IntN(len(s.Workloads))].Services = []ir.ServiceID{svc([]string{"shop/web", "shop/db"}[rng.IntN(2)])}
	}
}
