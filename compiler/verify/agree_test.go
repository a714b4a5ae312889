package verify_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
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
