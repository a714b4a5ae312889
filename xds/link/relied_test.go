package link_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
)

// What a lock pinned and the cluster says otherwise is told, with the line that pinned
// it: accounts that are gone, services that are gone, and those that are there by now.
func TestWhatTheMeshReliesOnIsHeldAgainstWhatThereIs(t *testing.T) {
	m := shop(func(m *ir.Mesh) {
		m.Splits = []ir.Split{{Name: "TrafficSplit/shop/web", Root: svc("shop/web"), Backends: []ir.Backend{
			{Service: svc("shop/web"), Weight: 1, Ports: []uint16{80}}, {Service: svc("shop/web-v2"), Ports: []uint16{80}, Missing: true},
		}}}
		m.Origins = map[string]ir.Origin{
			"ServiceAccount/shop/admin": {Kind: "ServiceAccount", Namespace: "shop", Name: "admin", File: "meshc.lock", Line: 4, Col: 1},
			"Service/shop/web":          {Kind: "Service", Namespace: "shop", Name: "web", File: "Service/shop/web", Line: 1, Col: 1},
		}
	})
	all := func(s *catalog.Snapshot) { s.Accounts = []ir.Identity{id("shop/admin"), id("shop/buyer")} }
	told := func(w *link.World) string {
		var out []string
		for _, f := range w.Findings() {
			at := ""
			for _, r := range f.Related {
				at += " " + r.Span.String()
			}
			out = append(out, fmt.Sprintf("%s %s%s", f.Code, f.Object, at))
		}
		return strings.Join(out, "; ")
	}
	w := link.After(nil, pack(t, m), running(all), nil)
	if is := told(w); is != "" {
		t.Errorf("all is as it was compiled, and it tells %s", is)
	}
	w = w.With(running(all, func(s *catalog.Snapshot) { s.Accounts = s.Accounts[1:] }))
	if is := told(w); is != "MSH4612 ServiceAccount/shop/admin meshc.lock:4:1" {
		t.Errorf("an account is gone, and it tells %q", is)
	}
	w = w.With(running(all, func(s *catalog.Snapshot) {
		s.Services = append(s.Services, catalog.Service{ID: svc("shop/web-v2")})
	}))
	if is := told(w); is != "MSH4613 Service/shop/web-v2" {
		t.Errorf("the account is back, a service came, and it tells %q", is)
	}
	w = w.With(running(all, func(s *catalog.Snapshot) {
		s.Services = slices.DeleteFunc(s.Services, func(v catalog.Service) bool { return v.ID.Name == "web" })
	}))
	if is := told(w); !strings.HasPrefix(is, "MSH4601 Service/shop/web") {
		t.Errorf("a service is gone, and it tells %q", is)
	}
	if is := told(link.After(nil, pack(t, m), running(), nil)); is != "" {
		t.Errorf("a catalog that lists no accounts says nothing of them, and it tells %q", is)
	}
}
