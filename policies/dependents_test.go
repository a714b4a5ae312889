package policies

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// Whatever comes and goes, a change finds those that read what it changed, and no
// other; of those that are gone nothing is kept.
func TestAChangeFindsItsDependents(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	x, here := dependents{}, []*dependent{}
	for range 2000 {
		if len(here) == 0 || random.IntN(2) == 0 {
			r := &dependent{reads: readsOf(random)}
			x.add(r)
			here = append(here, r)
		} else {
			i := random.IntN(len(here))
			x.drop(here[i])
			x.drop(here[i]) // once more is nothing
			here = slices.Delete(here, i, i+1)
		}
		changes := []change{nil, {fmt.Sprint(random.IntN(5)): {}}, {fmt.Sprint(random.IntN(5)): {}, "never read": {}}}
		want := map[*dependent]struct{}{}
		for _, r := range here {
			if slices.ContainsFunc(r.reads, func(one read) bool { return changed(one, changes) }) {
				want[r] = struct{}{}
			}
		}
		if got := x.touched(changes); !maps.Equal(got, want) {
			t.Fatalf("%d are found, want %d", len(got), len(want))
		}
	}
	for _, r := range here {
		x.drop(r)
	}
	if len(x) > 0 {
		t.Errorf("%d lists are kept of nobody", len(x))
	}
}

// changed tells whether a change is of what was read.
func changed(one read, changes []change) bool {
	if one.document == everything {
		return true
	}
	_, own := changes[one.document][one.key]
	return len(changes[one.document]) > 0 && (one.all || own)
}

// readsOf are some reads, each once.
func readsOf(random *rand.Rand) (out []read) {
	for range random.IntN(6) {
		one := read{document: random.IntN(3), key: fmt.Sprint(random.IntN(5))}
		switch random.IntN(8) {
		case 0:
			one = read{document: everything}
		case 1:
			one = read{document: one.document, all: true}
		}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}
