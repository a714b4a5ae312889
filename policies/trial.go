package policies

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/meshc/meshc/policies/sieve"
)

// trial asks rules one after the other, in one goroutine, to see how they run
// rather than what they find: what they reach, and what that costs.
type trial struct {
	program *program
	store   *store
	now     time.Time
	machine sieve.Machine
	wrap    func(*topdown.Query) *topdown.Query
}

func (j *Judge) trial(w *World) *trial {
	return &trial{
		program: j.program, store: &store{world: w, params: j.program.params}, now: w.now, machine: sieve.Machine{Mesh: w.data},
		wrap: func(q *topdown.Query) *topdown.Query { return q },
	}
}

// ask evaluates a query of one rule. steps is how many of those it may take it took.
func (t *trial) ask(q *query, input *ast.Term, limit int64) (steps int64, err error) {
	b := &budget{left: limit, stop: &atomic.Bool{}}
	defer func() {
		steps = limit - max(0, b.left)
		if r := recover(); r != nil {
			err = panicked{r}
		}
	}()
	query := t.wrap(topdown.NewQuery(q.body)).WithCompiler(t.program.compiler).
		WithStore(t.store).WithTransaction(snapshot{}).
		WithInput(input).WithCancel(b).WithTime(t.now).WithSeed(zeros{}).
		WithStrictBuiltinErrors(true)
	err = query.Iter(context.Background(), func(topdown.QueryResult) error { return nil })
	return steps, err
}
