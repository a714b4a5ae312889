package lab

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/lab/caller"
)

// observed is n requests of which the first ones reached v1, the next v2, and the
// rest nobody.
func observed(v1, v2, refused int) *Observation {
	o := &Observation{}
	add := func(n int, s Sighting) {
		for range n {
			o.Seen, o.Results = append(o.Seen, s), append(o.Results, caller.Result{Status: s.Status})
		}
	}
	leaf := func(name string) ir.ServiceID { return ir.ServiceID{Namespace: "shop", Name: name} }
	add(v1, Sighting{Reached: true, Leaf: leaf("v1"), Policy: "TrafficTarget/shop/a#rule0", Status: 200})
	add(v2, Sighting{Reached: true, Leaf: leaf("v2"), Policy: "TrafficTarget/shop/b#rule1", Status: 200})
	add(refused, Sighting{Status: 403})
	return o
}

// TestJudge: what a person wrote in a table against what Envoys did. Each case
// that should fail does, in words that say what was measured.
func TestJudge(t *testing.T) {
	failing := &Observation{Seen: []Sighting{{Status: 503, Broken: "status 503"}}, Results: make([]caller.Result, 1)}
	passed := &Observation{Seen: []Sighting{{Reached: false, Broken: bypassed}}, Results: make([]caller.Result, 1)}
	for _, c := range []struct {
		what  string
		want  syntax.VerdictCase
		met   *Observation
		fault string // a part of the only fault; empty: the case holds
	}{
		{"an honest half", syntax.VerdictCase{Expect: "allow", Split: map[string]int{"v1": 50, "v2": 50}}, observed(540, 460, 0), ""},
		{"names with namespaces", syntax.VerdictCase{Expect: "allow", Split: map[string]int{"shop/v1": 50, "shop/v2": 50}}, observed(500, 500, 0), ""},
		{"four to six is no half", syntax.VerdictCase{Expect: "allow", Split: map[string]int{"v1": 50, "v2": 50}}, observed(400, 600, 0), "expected 50% for v1, measured 40.0% of 1000"},
		{"nothing may reach a weight of none", syntax.VerdictCase{Expect: "allow", Split: map[string]int{"v1": 100}}, observed(999, 1, 0), "v1, measured 99.9%"},
		{"a refused share", syntax.VerdictCase{Expect: "mixed", Split: map[string]int{"v1": 50, "denied": 50}, Status: 200}, observed(500, 0, 500), ""},
		{"one that slips through", syntax.VerdictCase{Expect: "deny"}, observed(1, 0, 99), "expected deny, the Envoys say mixed"},
		{"a wrong status", syntax.VerdictCase{Expect: "deny", Status: 404}, observed(0, 0, 1), "expected status 404, got 403"},
		{"the object without its rule", syntax.VerdictCase{Expect: "allow", Because: []string{"TrafficTarget/shop/a"}}, observed(1, 0, 0), ""},
		{"another object", syntax.VerdictCase{Expect: "allow", Because: []string{"TrafficTarget/shop/b"}}, observed(1, 0, 0), "expected TrafficTarget/shop/b to decide"},
		{"no grant, but one decides", syntax.VerdictCase{Expect: "allow", Because: []string{"none"}}, observed(1, 0, 0), "expected no grant to decide"},
		{"a failure is no denial", syntax.VerdictCase{Expect: "deny"}, failing, "did not decide: status 503"},
		{"a failure that is asked for", syntax.VerdictCase{Expect: "deny", Status: 503}, failing, ""},
		{"a way past the proxies", syntax.VerdictCase{Expect: "allow"}, passed, bypassed},
	} {
		faults := judge(c.want, c.met)
		switch {
		case c.fault == "" && len(faults) > 0:
			t.Errorf("%s: %v", c.what, faults)
		case c.fault != "" && !strings.Contains(strings.Join(faults, "; "), c.fault):
			t.Errorf("%s: the fault %q is not among %v", c.what, c.fault, faults)
		}
	}
}

// TestAddressesStay: a service or pod that stays in the manifests keeps its
// address, one that the manifests give is kept free for it.
func TestAddressesStay(t *testing.T) {
	pools := newPools(true)
	first, err := topology(shop(), nil, pools)
	if err != nil {
		t.Fatal(err)
	}
	inv := shop()
	inv.Workloads = append(inv.Workloads, ir.InventoryWorkload{Kind: "Job", Namespace: "shop", Name: "client", Replicas: 1})
	second, err := topology(inv, nil, pools)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range second.Pods {
		if seen[p.ID()] || seen[p.Addresses[0].String()] {
			t.Errorf("pod %s or its address is there twice", p.ID())
		}
		seen[p.ID()], seen[p.Addresses[0].String()] = true, true
	}
	fresh, gone := difference(first.Pods, second.Pods)
	if len(fresh) != 1 || len(gone) != 0 {
		t.Errorf("one workload more restarts others: fresh %d, gone %d", len(fresh), len(gone))
	}
	for _, name := range []string{"web", "web/1", "shop/web/1", "shop/web-1"} {
		p, err := second.Find(name)
		if err != nil || p.Workload != "web" || (strings.Contains(name, "1") && p.Ordinal != 1) {
			t.Errorf("%q finds %v, %v", name, p, err)
		}
	}
	if _, err := second.Find("client"); err == nil || !strings.Contains(err.Error(), "ambiguous") {
		t.Errorf("two workloads of one name must be told apart: %v", err)
	}
}
