package policies

import (
	"cmp"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/diag"
)

// Cost is what one rule cost on a world. Evaluations and Steps are the same on
// every machine and in every run; Time is the least of all rounds.
type Cost struct {
	Rule        *Rule
	Evaluations int           // inputs on which it was asked
	Steps       int64         // expressions that were evaluated, as Limits counts them
	Most        int64         // steps of its costliest input
	At          string        // that input: Kind/namespace/name, a namespace, or "the mesh"
	Limit       int64         // steps it may take on one input
	Time        time.Duration // of all inputs together
	Share       float64       // of the time of all rules, 0 to 1
	Failed      string        // why it could not judge; "": it could
}

// Profile asks each rule by itself about every input, in one goroutine: once to
// count its steps, then rounds times as a build does, which asks OPA only where a
// rule may find something. The costliest rule comes first. A build asks on all
// processors, and takes less time than their sum.
func (j *Judge) Profile(w *World, rounds int) []Cost {
	units := j.units(w)
	t := j.trial(w)
	costs := make(map[diag.Code]*Cost, len(j.rules))
	for _, r := range j.rules {
		costs[r.Code] = &Cost{Rule: r, Limit: j.limits.Steps}
		if r.Scope != ScopeObject {
			costs[r.Code].Limit *= wideSteps
		}
	}
	for round := range rounds + 1 {
		took := map[diag.Code]time.Duration{}
		for _, u := range units {
			input := ast.NewTerm(u.input.term())
			t.machine.Next(u.input.value())
			for _, q := range u.queries {
				c := costs[q.rule.Code]
				if round == 0 {
					steps, err := t.ask(q, input, j.limits.steps(u.wide))
					c.count(about(u, input), steps, err)
					continue
				}
				start := time.Now()
				if t.machine.May(q.test, u.few(), nil) {
					_, _ = t.ask(q, input, j.limits.steps(u.wide))
				}
				took[c.Rule.Code] += time.Since(start)
			}
		}
		for code, d := range took {
			if c := costs[code]; round == 1 || round > 1 && d < c.Time {
				c.Time = d
			}
		}
	}
	return ranked(costs)
}

func (c *Cost) count(on string, steps int64, err error) {
	c.Evaluations++
	c.Steps += steps
	if steps > c.Most {
		c.Most, c.At = steps, on
	}
	switch {
	case err == nil || c.Failed != "":
	case topdown.IsCancel(err):
		c.Failed = "it took too many steps on " + on
	default:
		c.Failed = err.Error()
	}
}

// about names the input of a unit.
func about(u unit, input *ast.Term) string {
	if u.object != nil {
		return u.object.Ref().String()
	}
	if o, ok := input.Value.(ast.Object); ok {
		if name := textOf(o, "namespace"); name != "" {
			return "the namespace " + name
		}
	}
	return "the mesh"
}

func ranked(costs map[diag.Code]*Cost) []Cost {
	var out []Cost
	var sum time.Duration
	for _, c := range costs {
		sum += c.Time
		out = append(out, *c)
	}
	for i := range out {
		if sum > 0 {
			out[i].Share = float64(out[i].Time) / float64(sum)
		}
	}
	slices.SortFunc(out, func(a, b Cost) int {
		return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(b.Steps, a.Steps), compareCodes(a.Rule.Code, b.Rule.Code))
	})
	return out
}
