package policies

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/compiler/syntax"
)

// unit is one evaluation: the rules of a query on one input.
type unit struct {
	query  *query
	object *syntax.Object // of scope object
	input  func() *ast.Term
	steps  int64 // that each rule may take
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

// run evaluates the units on all processors, in chunks. The answers are in order
// of the units. Units that an uninterruptible call holds are abandoned, and
// answered with errStopped.
func (j *Judge) run(w *World, units []unit) ([][]answer, string) {
	if len(units) == 0 {
		return nil, ""
	}
	g := &guard{}
	over, stopped := make(chan struct{}), make(chan struct{})
	defer close(over)
	go g.watch(j.limits, over, stopped)

	type part struct {
		first   int
		answers [][]answer
	}
	const chunk = 32
	parts := make(chan part, len(units)/chunk+1)
	var next atomic.Int64
	data := &store{world: w, params: j.program.params}
	for range min(runtime.GOMAXPROCS(0), len(units)) {
		go func() {
			e := &evaluator{program: j.program, store: data, now: w.now, guard: g}
			for {
				first := int(next.Add(chunk) - chunk)
				if first >= len(units) {
					return
				}
				p := part{first: first}
				for _, u := range units[first:min(first+chunk, len(units))] {
					p.answers = append(p.answers, e.unit(u))
				}
				parts <- p
			}
		}()
	}
	out := make([][]answer, len(units))
	for missing := len(units); missing > 0; {
		select {
		case p := <-parts:
			missing -= copy(out[p.first:], p.answers)
		case <-stopped:
			abandon(units, out, func() bool {
				select {
				case p := <-parts:
					missing -= copy(out[p.first:], p.answers)
					return missing > 0
				case <-time.After(grace):
					return false
				}
			})
			return out, *g.reason.Load()
		}
	}
	return out, ""
}

// grace is how long a stopped run is waited for: evaluation ends at the next
// step, unless a single call holds it.
const grace = 500 * time.Millisecond

// abandon takes what still comes and answers the rest itself.
func abandon(units []unit, out [][]answer, more func() bool) {
	for more() {
	}
	for i, u := range units {
		if out[i] == nil {
			for _, r := range u.query.rules {
				out[i] = append(out[i], answer{rule: r, err: errStopped})
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
}

// unit asks all rules at once. When that fails they are asked one by one, to
// tell the one that failed from those that can still judge.
func (e *evaluator) unit(u unit) []answer {
	input := u.input()
	answers, err := e.ask(u.query, input, u.steps)
	if err == nil {
		return answers
	}
	if len(u.query.rules) == 1 {
		return []answer{{rule: u.query.rules[0], err: err}}
	}
	out := make([]answer, 0, len(u.query.rules))
	for _, one := range u.query.each {
		if answers, err = e.ask(one, input, u.steps); err != nil {
			answers = []answer{{rule: one.rules[0], err: err}}
		}
		out = append(out, answers...)
	}
	return out
}

// ask evaluates a query on an input.
func (e *evaluator) ask(q *query, input *ast.Term, steps int64) (answers []answer, err error) {
	defer func() {
		if r := recover(); r != nil {
			answers, err = nil, panicked{r}
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
		answers = answers[:0]
		for i, rule := range q.rules {
			t, ok := r[ast.Var("r"+strconv.Itoa(i))]
			if !ok {
				return errUndefined
			}
			set, ok := t.Value.(ast.Set)
			if !ok {
				return errUndefined
			}
			answers = append(answers, answer{rule: rule, found: set})
		}
		return nil
	})
	switch {
	case e.guard.stop.Load() && topdown.IsCancel(err):
		return nil, errStopped
	case err != nil:
		return nil, err
	case answers == nil:
		return nil, errUndefined
	}
	return answers, nil
}

// errUndefined is a query without an answer, which no rule of the right form gives.
var errUndefined = errors.New("the rule has no answer")

// zeros is the seed of an evaluation: nothing is random.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

var _ io.Reader = zeros{}
