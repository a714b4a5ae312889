package ir

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Disagreement says in what two verdicts on one request differ: outcome, status,
// deciding names, leaves with their shares. Words do not count. It is empty when
// they agree.
func (v Verdict) Disagreement(o Verdict) string {
	if v.equals(o) {
		return ""
	}
	a, b := v.summary(), o.summary()
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(a):
			return "only the second has " + b[i]
		case i >= len(b):
			return "only the first has " + a[i]
		case a[i] != b[i]:
			return a[i] + " against " + b[i]
		}
	}
	return ""
}

// equals is a quick look: true means that the verdicts agree.
func (v Verdict) equals(o Verdict) bool {
	return v.Outcome == o.Outcome && v.Status == o.Status && slices.Equal(v.By, o.By) && slices.EqualFunc(v.Leaves, o.Leaves, Leaf.equals)
}

func (l Leaf) equals(o Leaf) bool {
	return l.Service == o.Service && l.Account == o.Account && l.Weight == o.Weight &&
		l.Outcome == o.Outcome && l.Status == o.Status && slices.Equal(l.By, o.By)
}

// summary is a verdict in comparable lines.
func (v Verdict) summary() []string {
	out := []string{fmt.Sprintf("%s (status %d) by %s", v.Outcome, v.Status, orNone(v.By))}
	if v.Outcome == Unknown {
		return out[:1]
	}
	leaves := slices.Clone(v.Leaves)
	slices.SortFunc(leaves, func(a, b Leaf) int {
		return cmp.Or(a.Service.Compare(b.Service), cmp.Compare(a.Account, b.Account), cmp.Compare(a.Outcome, b.Outcome), slices.Compare(a.By, b.By))
	})
	divisor := uint32(0)
	for _, l := range leaves {
		divisor = gcd(divisor, l.Weight)
	}
	for _, l := range leaves {
		line := fmt.Sprintf("share %d to %s", l.Weight/max(divisor, 1), l.Service)
		if l.Account != "" {
			line += " run by " + l.Account.Short()
		}
		out = append(out, fmt.Sprintf("%s: %s (status %d) by %s", line, l.Outcome, l.Status, orNone(l.By)))
	}
	return out
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func gcd(a, b uint32) uint32 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
