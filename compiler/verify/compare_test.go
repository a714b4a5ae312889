package verify_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/verify"
)

// A build must not fail for a compiler that is right: whatever the mesh, the
// comparison finds nothing.
func TestComparisonRaisesNoFalseAlarm(t *testing.T) {
	for seed := range uint64(*meshes) {
		m := newDice(seed).mesh()
		plan, err := envoy.Lower(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range verify.Compare(m, plan) {
			t.Fatalf("seed %d: %s: %s (%v)", seed, d.Asked, d.Why, d.About)
		}
	}
}
