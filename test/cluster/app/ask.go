package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/test/cluster/app/hold"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// ask sends equal requests, a connection each, and counts who answered with what.
func ask(out io.Writer, words []string) error {
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of requests", words[0])
	}
	u, err := url.Parse(words[2])
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is not http://HOST:PORT/PATH", words[2])
	}
	r := caller.Request{Address: u.Host, Method: words[1], Path: u.RequestURI(), Headers: []ir.Header{{Name: "host", Value: u.Host}, {Name: "connection", Value: "close"}}}
	for _, w := range words[3:] {
		name, value, ok := strings.Cut(w, ":")
		if !ok {
			return fmt.Errorf("%q is not NAME: VALUE", w)
		}
		r.Headers = append(r.Headers, ir.Header{Name: name, Value: strings.TrimSpace(value)})
	}
	counts := map[string]int{}
	for _, result := range caller.Send(caller.Batch{Requests: slices.Repeat([]caller.Request{r}, n), Parallel: 4}) {
		counts[answer(result)]++
	}
	for _, a := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%d x %s\n", counts[a], a)
	}
	return nil
}

// answer is a result in a few words: its status and the workload that gave it, or why
// there is none.
func answer(r caller.Result) string {
	if r.Error != "" {
		return "no answer: " + r.Error
	}
	var a echo.Answer
	if json.Unmarshal([]byte(r.Body), &a) == nil && a.Workload != "" {
		return fmt.Sprintf("%d from %s", r.Status, a.Workload)
	}
	return fmt.Sprintf("%d %s", r.Status, strings.Join(strings.Fields(r.Body), " "))
}

// send sends the batch that it reads, a caller.Batch, and writes the results.
func send(in io.Reader, out io.Writer) error {
	var batch caller.Batch
	if err := json.NewDecoder(in).Decode(&batch); err != nil {
		return fmt.Errorf("the batch cannot be read: %w", err)
	}
	return json.NewEncoder(out).Encode(caller.Send(batch))
}

// burden asks the flows that it reads, a list of load.Flow, until its input ends, and
// writes how they were answered.
func burden(in io.Reader, out io.Writer) error { return meanwhile(in, out, load.Run) }

// alone does the same with flows that it is given, until it is told to end: nobody has
// to stay connected to it meanwhile.
func alone(text string, out io.Writer) error {
	var flows []load.Flow
	if err := json.Unmarshal([]byte(text), &flows); err != nil {
		return fmt.Errorf("what to ask cannot be read: %w", err)
	}
	return json.NewEncoder(out).Encode(load.Run(flows, told()))
}

// keep does the same with connections that stay open, a list of hold.Connection.
func keep(in io.Reader, out io.Writer) error { return meanwhile(in, out, hold.Run) }

// meanwhile does what it reads until its input ends, and writes what came of it.
func meanwhile[Task, Told any](in io.Reader, out io.Writer, do func([]Task, <-chan struct{}) []Told) error {
	decoder := json.NewDecoder(in)
	var tasks []Task
	if err := decoder.Decode(&tasks); err != nil {
		return fmt.Errorf("what to ask cannot be read: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, in) // however it ends, it has ended
	}()
	return json.NewEncoder(out).Encode(do(tasks, done))
}
