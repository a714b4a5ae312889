package ir

import (
	"fmt"
	"slices"
)

// Sum is the verdict over the leaves of weight above 0; there is at least one.
func Sum(leaves []Leaf) Verdict {
	v := Verdict{Leaves: leaves, Outcome: leaves[0].Outcome, Status: leaves[0].Status}
	for _, l := range leaves {
		if l.Outcome != v.Outcome {
			v.Outcome = Mixed
		}
		if l.Status != v.Status {
			v.Status = 0
		}
		if l.Outcome == Allow {
			v.By = append(v.By, l.By...)
		}
		for _, near := range l.Near {
			if !slices.Contains(v.Near, near) {
				v.Near = append(v.Near, near)
			}
		}
	}
	slices.Sort(v.By)
	v.By = slices.Compact(v.By)
	v.Reason = sumReason(v.Outcome, leaves)
	if v.Outcome == Mixed {
		v.Status = 0
	}
	return v
}

func sumReason(outcome Outcome, leaves []Leaf) string {
	if outcome != Mixed {
		return leaves[0].Reason
	}
	var passed, refused *Leaf
	for i := range leaves {
		switch at := &leaves[i]; {
		case at.Outcome == Allow && passed == nil:
			passed = at
		case at.Outcome != Allow && refused == nil:
			refused = at
		}
	}
	return fmt.Sprintf("%s takes its share, %s does not: %s", passed.Service, leafName(refused, passed), refused.Reason)
}

func leafName(l, other *Leaf) string {
	if l.Service == other.Service && l.Account != "" {
		return fmt.Sprintf("%s run by %s", l.Service, l.Account.Short())
	}
	return l.Service.String()
}
