// Package load asks the same questions over and over while something happens to a mesh,
// and counts how they were answered. It does not know which answers are right.
package load

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/meshc/meshc/lab/caller"
)

// Flow is a question that is asked again and again.
type Flow struct {
	Name    string
	Request caller.Request
	Every   time.Duration // between two bursts; 0: 50 ms
	Burst   int           // requests on one connection, where the protocol keeps it; 0: 1
}

// Tally counts the answers to a flow.
type Tally struct {
	Name string
	// Reached counts answers of the application, Refused refusals of a proxy (403, or a
	// connection that is closed without a byte), Broken all else.
	Sent, Reached, Refused, Broken int
	// Cut counts those of Broken whose connection was closed without an answer: so a proxy
	// refuses who says nothing for a second, as a client on a busy machine may.
	Cut      int
	Examples []Example // of each of the three that occur, the first few
	// Turns are when the answers began to be of another kind.
	Turns []Turn
}

// Turn is when an answer was the first of its kind again.
type Turn struct {
	At   time.Time // when it came
	Kind string
}

// Example is one answer.
type Example struct {
	At   time.Time
	Kind string // reached, refused, broken
	What string
}

// kept is how many examples of a kind a tally has.
const kept = 5

// Run asks until done is closed; each flow for itself.
func Run(flows []Flow, done <-chan struct{}) []Tally {
	tallies := make([]Tally, len(flows))
	var wait sync.WaitGroup
	for i, f := range flows {
		wait.Go(func() { tallies[i] = f.run(done) })
	}
	wait.Wait()
	return tallies
}

func (f Flow) run(done <-chan struct{}) Tally {
	t := Tally{Name: f.Name}
	every := f.Every
	if every == 0 {
		every = 50 * time.Millisecond
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		at := time.Now()
		for _, r := range caller.Send(caller.Batch{Requests: slices.Repeat([]caller.Request{f.Request}, max(1, f.Burst))}) {
			t.add(at, f.Request.Kind, r)
		}
		select {
		case <-done:
			return t
		case <-tick.C:
		}
	}
}

func (t *Tally) add(at time.Time, kind caller.Kind, r caller.Result) {
	t.Sent++
	is := Judge(kind, r)
	if len(t.Turns) == 0 || t.Turns[len(t.Turns)-1].Kind != is {
		t.Turns = append(t.Turns, Turn{time.Now(), is})
	}
	if is == "broken" && cut(r) {
		t.Cut++
	}
	n := map[string]*int{"reached": &t.Reached, "refused": &t.Refused, "broken": &t.Broken}[is]
	if *n++; *n > kept {
		return
	}
	what := r.Error
	if what == "" {
		what = fmt.Sprintf("%d %s", r.Status, strings.Join(strings.Fields(r.Body), " "))
	}
	t.Examples = append(t.Examples, Example{at, is, what[:min(len(what), 300)]})
}

// Judge is what an answer means: reached, refused or broken.
func Judge(kind caller.Kind, r caller.Result) string {
	tcp := kind == caller.TCP || kind == caller.ServerFirst
	switch {
	// A proxy that takes the bytes for HTTP, and none that anybody granted.
	case tcp && strings.HasPrefix(r.Body, "HTTP/1.1 400 "):
		return "refused"
	case tcp && r.Body != "" && r.Error == "":
		return "reached"
	case tcp && !r.TimedOut && (strings.Contains(r.Error, "closed") || strings.Contains(r.Error, "reset")):
		return "refused"
	case tcp:
		return "broken"
	case r.Status == 403:
		return "refused"
	// A refusal of gRPC is a status of its own in an answer that HTTP calls good.
	case kind == caller.GRPC && r.Status == 200 && slices.Equal(r.Headers["Grpc-Status"], []string{"7"}):
		return "refused"
	case kind == caller.GRPC && !slices.Equal(r.Headers["Grpc-Status"], []string{"0"}):
		return "broken"
	case r.Error == "" && (r.Status == 200 || r.Status == 101):
		return "reached"
	}
	return "broken"
}

// cut tells of a connection that ended before a byte of an answer came.
func cut(r caller.Result) bool {
	return r.Status == 0 && !r.TimedOut && slices.ContainsFunc([]string{"EOF", "broken pipe", "connection reset"}, func(s string) bool { return strings.Contains(r.Error, s) })
}
