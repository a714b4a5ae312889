package lab

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
)

// sigmas is how far a measured share may lie from the expected one: an honest
// share fails once in some 16,000 runs.
const sigmas = 4

// Outcome is what the requests met, in one word; and why it is none, if some were
// not decided but failed.
func (o *Observation) Outcome() (ir.Outcome, string) {
	reached := 0
	for _, s := range o.Seen {
		if s.Broken != "" {
			return ir.Unknown, s.Broken
		}
		if s.Reached {
			reached++
		}
	}
	switch reached {
	case 0:
		return ir.Deny, ""
	case len(o.Seen):
		return ir.Allow, ""
	}
	return ir.Mixed, ""
}

// By names the objects that the servers' proxies say let requests through, sorted.
func (o *Observation) By() []string {
	names := map[string]bool{}
	for _, s := range o.Seen {
		if s.Reached && s.Policy != "" {
			names[s.Policy] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Statuses are the statuses that came, sorted.
func (o *Observation) Statuses() []int {
	seen := map[int]bool{}
	for _, s := range o.Seen {
		if s.Status != 0 {
			seen[s.Status] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Shares counts the requests that reached each leaf, and those that did not reach
// any, under "denied".
func (o *Observation) Shares() map[string]int { return o.sharesAs(nil) }

// sharesAs names a leaf with its namespace where names do.
func (o *Observation) sharesAs(names map[string]int) map[string]int {
	out := map[string]int{}
	for _, s := range o.Seen {
		name := s.Leaf.Name
		if _, ok := names[s.Leaf.String()]; ok {
			name = s.Leaf.String()
		}
		if !s.Reached {
			name = verdict.Denied
		}
		out[name]++
	}
	return out
}

// judge compares what was met with what a case expects; every difference is a sentence.
func judge(c syntax.VerdictCase, o *Observation) []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	outcome, why := o.Outcome()
	if outcome == ir.Unknown {
		if c.Status == ir.StatusUnavailable && slices.Contains(o.Statuses(), ir.StatusUnavailable) {
			return nil
		}
		fault("the mesh did not decide: %s", why)
		return faults
	}
	if string(outcome) != c.Expect {
		fault("expected %s, the Envoys say %s%s", c.Expect, outcome, o.example(outcome))
	}
	if c.Status != 0 {
		if got := o.statusesFor(c.Expect); !slices.Equal(got, []int{c.Status}) {
			fault("expected status %d, got %s", c.Status, statuses(got))
		}
	}
	if c.Split != nil {
		faults = append(faults, judgeShares(c.Split, o.sharesAs(c.Split), len(o.Seen))...)
	}
	// Of several grants that cover a request Envoy names one.
	return append(faults, verdict.JudgeCause(c.Because, o.By(), false)...)
}

// statusesFor are the statuses that an expectation speaks of: of a mixed verdict,
// those of the requests that got through.
func (o *Observation) statusesFor(expect string) []int {
	if expect != string(ir.Mixed) {
		return o.Statuses()
	}
	through := &Observation{}
	for _, s := range o.Seen {
		if s.Reached {
			through.Seen = append(through.Seen, s)
		}
	}
	return through.Statuses()
}

// example shows one request that went the unexpected way.
func (o *Observation) example(outcome ir.Outcome) string {
	for i, s := range o.Seen {
		r := o.Results[i]
		switch {
		case s.Reached && outcome != ir.Deny:
			return fmt.Sprintf(" (reached %s by %s)", s.Pod, s.Policy)
		case !s.Reached && r.Error != "":
			return fmt.Sprintf(" (%s)", r.Error)
		case !s.Reached:
			return fmt.Sprintf(" (status %d: %s)", s.Status, strings.TrimSpace(r.Body))
		}
	}
	return ""
}

func statuses(codes []int) string {
	if len(codes) == 0 {
		return "no status"
	}
	return strings.Trim(fmt.Sprint(codes), "[]")
}

// judgeShares holds each share against its percentage of n requests.
func judgeShares(want, got map[string]int, n int) []string {
	var faults []string
	names := maps.Clone(want)
	for name := range got {
		names[name] = want[name]
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p := float64(want[name]) / 100
		mean, spread := float64(n)*p, math.Sqrt(float64(n)*p*(1-p))
		if math.Abs(float64(got[name])-mean) > sigmas*spread {
			faults = append(faults, fmt.Sprintf("expected %d%% for %s, measured %.1f%% of %d requests", want[name], name, 100*float64(got[name])/float64(n), n))
		}
	}
	return faults
}
