package policies

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/sieve"
)

// unit is the rules that judge one input.
type unit struct {
	queries []*query
	object  *syntax.Object // of scope object
	name    string         // of another scope: namespace/NAME, or mesh
	input   input
	wide    bool // the rules judge many objects at once
	// known is of what nothing was found before, for a session; nil: nothing is.
	known *elements
}

// few is how many steps the sieve may take with a rule.
func (u unit) few() int {
	if u.wide {
		return sieve.WideSteps
	}
	return 0
}

// answer is what one rule said, or why it could not say it.
type answer struct {
	rule  *Rule
	found ast.Set
	err   error
}

// errStopped is the end of an evaluation that the guard of the run stopped.
var errStopped = errors.New("the run was stopped")

// panicked is what the engine said when it crashed.
type panicked struct{ what any }

func (panicked) Error() string { return "the engine crashed" }

// run evaluates the units on all processors, in chunks. The outcomes are in order
// of the units; what was read is among them if it is to be recorded. Units that an uninterruptible call holds are abandoned, and
// answered with errStopped; lost tells that there are such: they may still be read.
func (j *Judge) run(w *World, units []unit, record bool) (out []outcome, stopped string, lost bool) {
	if len(units) == 0 {
		return nil, "", false
	}
	g := &guard{}
	over, stop := make(chan struct{}), make(chan struct{})
	defer close(over)
	go g.watch(j.limits, over, stop)

	type part struct {
		first    int
		outcomes []outcome
	}
	const chunk = 32
	parts := make(chan part, len(units)/chunk+1)
	var next atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(units)) {
		go func() {
			e := j.evaluator(w, g, record)
			for {
				first := int(next.Add(chunk) - chunk)
				if first >= len(units) {
					return
				}
				p := part{first: first}
				for _, u := range units[first:min(first+chunk, len(units))] {
					p.outcomes = append(p.outcomes, outcome{e.unit(u), e.recorder.take()})
				}
				parts <- p
			}
		}()
	}
	out = make([]outcome, len(units))
	for missing := len(units); missing > 0; {
		select {
		case p := <-parts:
			missing -= copy(out[p.first:], p.outcomes)
		case <-stop:
			abandon(units, out, func() bool {
				select {
				case p := <-parts:
					missing -= copy(out[p.first:], p.outcomes)
					return missing > 0
				case <-time.After(grace):
					return false
				}
			})
			return out, *g.reason.Load(), missing > 0
		}
	}
	return out, "", false
}

// grace is how long a stopped run is waited for: evaluation ends at the next
// step, unless a single call holds it.
const grace = 500 * time.Millisecond

// abandon takes what still comes and answers the rest itself.
func abandon(units []unit, out []outcome, more func() bool) {
	for more() {
	}
	for i, u := range units {
		if out[i].answers == nil {
			for _, q := range u.queries {
				out[i].answers = append(out[i].answers, answer{rule: q.rule, err: errStopped})
			}
		}
	}
}

// evaluator asks queries, one after the other.
type evaluator struct {
	program *program
	store   *store
	now     time.Time
	guard   *guard
	limits  Limits
	machine sieve.Machine

	recorder *recorder // nil: nobody asks what was read
}

func (j *Judge) evaluator(w *World, g *guard, record bool) *evaluator {
	e := &evaluator{program: j.program, now: w.now, guard: g, limits: j.limits, machine: sieve.Machine{Mesh: w.data}}
	if record {
		e.recorder = &recorder{seen: map[read]struct{}{}}
		e.machine.Note = e.recorder.note
	}
	e.store = &store{world: w, params: j.program.params, recorder: e.recorder}
	return e
}

// unit asks all rules. Most find nothing, which the sieve tells at a small part of
// what OPA takes; OPA is asked about the rest, and it alone finds anything.
func (e *evaluator) unit(u unit) []answer {
	e.machine.Next(u.input.value())
	out := []answer{}
	var input *ast.Term
	for _, q := range u.queries {
		if !e.machine.May(q.test, u.few(), u.elements()) {
			continue
		}
		if input == nil {
			input = ast.NewTerm(u.input.term())
		}
		found, err := e.ask(q, input, e.limits.steps(u.wide))
		out = append(out, answer{rule: q.rule, found: found, err: err})
	}
	return out
}

// ask evaluates a query on an input.
func (e *evaluator) ask(q *query, input *ast.Term, steps int64) (found ast.Set, err error) {
	defer func() {
		if r := recover(); r != nil {
			found, err = nil, panicked{r}
		}
	}()
	if e.guard.stop.Load() {
		return nil, errStopped
	}
	b := &budget{left: steps, stop: &e.guard.stop}
	query := topdown.NewQuery(q.body).WithCompiler(e.program.compiler).
		WithStore(e.store).WithTransaction(snapshot{}).
		WithInput(input).WithCancel(b).WithTime(e.now).WithSeed(zeros{}).
		WithStrictBuiltinErrors(true)
	err = query.Iter(context.Background(), func(r topdown.QueryResult) error {
		t, ok := r[answerVar]
		if !ok {
			return errUndefined
		}
		if found, ok = t.Value.(ast.Set); !ok {
			return errUndefined
		}
		return nil
	})
	switch {
	case e.guard.stop.Load() && topdown.IsCancel(err):
		return nil, errStopped
	case err != nil:
		return nil, err
	case found == nil:
		return nil, errUndefined
	}
	return found, nil
}

// errUndefined is a query without an answer, which no rule of the right form gives.
var errUndefined = errors.New("the rule has no answer")

// zeros is the seed of an evaluation: nothing is random.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var _ io.Reader = zeros{}
