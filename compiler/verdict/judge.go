package verdict

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// Denied is the name of the refused share in a split.
const Denied = "denied"

// None is the cause of a request that no grant decides.
const None = "none"

// judge compares a verdict with what a case expects; every difference is a sentence.
func judge(want syntax.VerdictCase, r ir.Request, v ir.Verdict) []string {
	if v.Outcome == ir.Unknown {
		return []string{"it cannot be judged: " + v.Reason}
	}
	var out []string
	out = append(out, judgeOutcome(want, v)...)
	out = append(out, judgeStatus(want, r, v)...)
	out = append(out, judgeSplit(want.Split, v)...)
	return append(out, JudgeCause(want.Because, v.By, true)...)
}

// judgeOutcome holds the outcome against the expectation. A share that is
// answered 503 is neither allowed nor denied: it fails every expectation, unless
// the case says that it wants it.
func judgeOutcome(want syntax.VerdictCase, v ir.Verdict) []string {
	if want.Status == ir.StatusUnavailable {
		return nil
	}
	for _, l := range v.Leaves {
		if l.Status == ir.StatusUnavailable {
			return []string{fmt.Sprintf("expected %s, but %s is answered 503: %s", want.Expect, shareName(v, l), l.Reason)}
		}
	}
	if string(v.Outcome) == want.Expect {
		return nil
	}
	return []string{fmt.Sprintf("expected %s, it is %s: %s", want.Expect, v.Outcome, v.Reason)}
}

func shareName(v ir.Verdict, l ir.Leaf) string {
	if len(v.Leaves) == 1 {
		return "it"
	}
	return "the share of " + l.Service.String()
}

// judgeStatus holds the status against the expectation where a proxy answers;
// what a workload answers is known only live.
func judgeStatus(want syntax.VerdictCase, r ir.Request, v ir.Verdict) []string {
	switch {
	case want.Status == 0:
		return nil
	case want.Status == ir.StatusUnavailable:
		if v.Status == ir.StatusUnavailable || slices.ContainsFunc(v.Leaves, func(l ir.Leaf) bool { return l.Status == ir.StatusUnavailable }) {
			return nil
		}
	case v.Outcome != ir.Deny || v.Status == want.Status:
		return nil
	}
	switch {
	case r.HTTP == nil || v.Outcome == ir.Deny && v.Status == 0:
		return []string{fmt.Sprintf("expected status %d, it is closed without an answer", want.Status)}
	case v.Status == 0:
		return []string{fmt.Sprintf("expected status %d, a workload answers: %s", want.Status, v.Reason)}
	}
	return []string{fmt.Sprintf("expected status %d, it is %d: %s", want.Status, v.Status, v.Reason)}
}

// judgeSplit holds the shares against the expected percentages. Where accounts
// behind one service differ, its share depends on how many endpoints each has:
// that is known only live.
func judgeSplit(want map[string]int, v ir.Verdict) []string {
	if want == nil {
		return nil
	}
	got, ok := shares(v)
	if !ok {
		return nil
	}
	names := maps.Clone(want)
	for service := range got {
		if _, named := nameIn(want, service); !named {
			names[service] = 0
		}
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		share := 0.0
		for service, percent := range got {
			if as, ok := nameIn(map[string]int{name: 0}, service); ok && as == name {
				share += percent
			}
		}
		if math.Abs(share-float64(names[name])) >= 1 {
			out = append(out, fmt.Sprintf("expected %d%% for %s, it is %.4g%%", names[name], name, share))
		}
	}
	return out
}

// nameIn finds a service among names with or without their namespaces.
func nameIn(names map[string]int, service string) (string, bool) {
	if _, ok := names[service]; ok {
		return service, true
	}
	_, short, _ := strings.Cut(service, "/")
	_, ok := names[short]
	return short, ok
}

// shares are the percentages by backend service, and of the refused ones under
// Denied; false where they depend on endpoints.
func shares(v ir.Verdict) (map[string]float64, bool) {
	type part struct {
		weight  uint32
		outcome ir.Outcome
	}
	parts := map[string]part{}
	total := 0.0
	for _, l := range v.Leaves {
		name := l.Service.String()
		if p, seen := parts[name]; seen {
			if p.outcome != l.Outcome {
				return nil, false
			}
			continue
		}
		parts[name] = part{l.Weight, l.Outcome}
		total += float64(l.Weight)
	}
	out := map[string]float64{}
	for name, p := range parts {
		if p.outcome != ir.Allow {
			name = Denied
		}
		out[name] += 100 * float64(p.weight) / total
	}
	if len(parts) == 0 && v.Outcome == ir.Deny {
		out[Denied] = 100
	}
	return out, true
}

// JudgeCause compares the deciding names with those that a case expects, with or
// without their rule. Every one that decides must be expected; all are known
// only where by is complete, and then every expected one must decide.
func JudgeCause(because, by []string, complete bool) []string {
	switch {
	case because == nil:
		return nil
	case slices.Equal(because, []string{None}):
		if len(by) > 0 {
			return []string{fmt.Sprintf("expected no grant to decide, %s does", strings.Join(by, ", "))}
		}
		return nil
	case len(by) == 0:
		return []string{fmt.Sprintf("expected %s to decide, no grant does", strings.Join(because, ", "))}
	}
	names := func(b, name string) bool { return b == name || strings.HasPrefix(name, b+"#") }
	var out []string
	for _, name := range by {
		if !slices.ContainsFunc(because, func(b string) bool { return names(b, name) }) {
			out = append(out, fmt.Sprintf("expected %s to decide, %s does", strings.Join(because, ", "), name))
		}
	}
	for _, b := range because {
		if complete && !slices.ContainsFunc(by, func(name string) bool { return names(b, name) }) {
			out = append(out, fmt.Sprintf("expected %s to decide, %s does", b, strings.Join(by, ", ")))
		}
	}
	return out
}
