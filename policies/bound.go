package policies

import (
	"time"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// Within runs work that evaluates Rego within the limits of time and memory, and
// gives why it was stopped, "" if it was not. work asks for a cancel with the steps
// that an evaluation may take. What was stopped may still be running for as long as
// a single call holds it: its results must not be looked at.
func Within(l Limits, work func(steps func(n int64) topdown.Cancel)) string {
	g := &guard{}
	over, stopped, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	defer close(over)
	go g.watch(l.withDefaults(), over, stopped)
	go func() {
		defer close(done)
		work(func(n int64) topdown.Cancel { return &budget{left: n, stop: &g.stop} })
	}()
	select {
	case <-done:
		return ""
	case <-stopped:
	}
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
	return *g.reason.Load()
}
