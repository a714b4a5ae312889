package verify_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/compiler/verify"
)

var meshes = flag.Int("meshes", 100, "how many random meshes to judge")

// Whatever the mesh says of a request, the configuration made of it does: the
// same outcome, status, deciding policies and leaves. A failure names a seed; it
// means that lowering, the reference meaning or the interpreter is wrong.
func TestCompiledConfigurationMeansTheMesh(t *testing.T) {
	const requests = 60
	outcomes := map[ir.Outcome]int{}
	for seed := range uint64(*meshes) {
		d := newDice(seed)
		m := d.mesh()
		compiled := lower(t, m)
		for range requests {
			r := d.request(m)
			want := ir.Decide(m, r)
			outcomes[want.Outcome]++
			if want.Outcome == ir.Unknown {
				continue
			}
			got, err := compiled.Decide(r)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, describe(r), err)
			}
			if diff := want.Disagreement(got); diff != "" {
				t.Fatalf("seed %d: %s: %s\nmesh: %s\ncompiled: %s", seed, describe(r), diff, want.Reason, got.Reason)
			}
		}
	}
	for _, o := range []ir.Outcome{ir.Allow, ir.Deny, ir.Mixed} {
		if outcomes[o] < 50 {
			t.Errorf("only %d requests were %s: the generator does not reach it", outcomes[o], o)
		}
	}
}

func lower(t *testing.T, m *ir.Mesh) *verify.Mesh {
	t.Helper()
	plan, err := envoy.Lower(m)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := verify.New(plan, m.Settings.ServiceRanges...)
	if err == nil {
		err = compiled.Check()
	}
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func describe(r ir.Request) string {
	http, _ := json.Marshal(r.HTTP)
	return fmt.Sprintf("%s to %s%s %s", r.From, r.To, r.External, http)
}

// Whoever is told every step of a decision is told what the configuration does:
// on random meshes the steps of the two never differ, and what is denied for lack
// of a grant names the grants that come near.
func TestEveryStepOfADecisionAgrees(t *testing.T) {
	nearby := 0
	for seed := range uint64(40) {
		d := newDice(seed + 5000)
		m := d.mesh()
		compiled := lower(t, m)
		for range 40 {
			r := d.request(m)
			why, meant, defect, err := verdict.Explain(m, compiled, r)
			if err != nil || defect != "" {
				t.Fatalf("mesh %d: %s: %v %s", seed, describe(r), err, defect)
			}
			if d := meant.Disagreement(ir.Decide(m, r)); d != "" {
				t.Fatalf("mesh %d: %s: the steps come to another verdict: %s", seed, describe(r), d)
			}
			for i := range why.Near {
				if why.Near[i].Text == "" || len(why.Near[i].Lacks) == 0 || i > 0 && len(why.Near[i-1].Lacks) > len(why.Near[i].Lacks) {
					t.Fatalf("mesh %d: %s: a near miss without a lack, or not in order: %+v", seed, describe(r), why.Near)
				}
			}
			if meant.Outcome == ir.Deny && len(why.Near) > 0 {
				nearby++
			}
		}
	}
	if nearby < 50 {
		t.Errorf("only %d denials had a near miss: the test asks too little", nearby)
	}
}
