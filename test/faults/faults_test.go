// Package faults breaks a mesh on one machine while its clients ask: Envoys and
// `meshc serve` are real, each answer is held against the mesh that was in force,
// and the policy is changed in the midst of each fault. Whatever fails, what was
// served last stays served, and nothing is let through without a grant.
package faults

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

var (
	all  = flag.Bool("all", false, "inject every fault, not a few")
	only = flag.String("fault", "", "inject this one alone")
	seed = flag.Uint64("seed", 1, "of the moments and the order in which faults strike")
)

// scenario is one kind of fault.
type scenario struct {
	name  string
	why   string // what may fail meanwhile, and for what reason; empty: nothing may
	quick bool   // in every run
	run   func(*world)
}

var scenarios = []scenario{
	{"Envoy killed", "what needs the proxy that is dead", false, envoyKilled},
	{"control plane killed", "", true, controlKilled},
	{"bundle damaged", "", true, bundleDamaged},
	{"bundle hostile", "", false, bundleHostile},
	{"catalog edited badly", "", false, catalogEdited},
	{"state folder full", "", false, stateFull},
	{"state folder read-only", "", false, stateReadOnly},
	{"state folder gone", "", false, stateGone},
	{"clients that do not read", "", false, slowReaders},
	{"leaf certificates rotated", "", false, leavesRotated},
	{"root rotated, one proxy away", "what needs the proxy that is away", false, rootRotated},
	{"clock stepped", "what needs the proxy that is restarted", false, clockStepped},
	{"network cut", "", true, networkCut},
	{"network silent", "", false, networkSilent},
	{"network delayed", "", false, networkDelayed},
	{"network lossy", "", false, networkLossy},
}

var columns = []string{"fault", "requests", "answered", "refused as meant", "failed meanwhile", "wrongly allowed", "wrongly refused", "recovered after", "what may fail"}

func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real Envoys in network namespaces take their time")
	}
	bin := filepath.Join(t.TempDir(), "meshc")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/meshc").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	w := newWorld(t, bin, *seed)
	w.quick = !*all && *only == ""
	var rows [][]string
	var sum counts
	began := time.Now()
	for _, s := range scenarios {
		if w.quick && !s.quick || *only != "" && *only != s.name {
			continue
		}
		c := w.inject(t, s)
		sum.add(c)
		rows = append(rows, append(c.cells(s.name), rounded(w.slowest), s.why))
	}
	if len(rows) == 0 {
		t.Fatalf("there is no fault %q", *only)
	}
	rows = append(rows, append(sum.cells("all"), "", ""))
	fmt.Fprintf(os.Stdout, "%sseed %d, %s; %d requests found their connection closed between two requests and were asked again\n",
		table(columns, rows), *seed, time.Since(began).Round(time.Second), w.judge.again)
}

// inject runs one scenario and counts what was asked meanwhile.
func (w *world) inject(t *testing.T, s scenario) counts {
	w.slowest = 0
	w.asked(1)
	w.judge.turn()
	ok := t.Run(s.name, func(t *testing.T) {
		defer func(outer *testing.T) { w.t = outer }(w.t)
		w.t = t
		w.mustBeWhole()
		s.run(w)
		w.asked(2)
	})
	row, told := w.judge.turn()
	for _, text := range told {
		t.Errorf("%s: %s", s.name, text)
	}
	if wrong := row.wronglyAllowed + row.wronglyRefused; wrong > 0 {
		t.Errorf("%s: %d requests were let through without a grant, %d not answered as they should be", s.name, row.wronglyAllowed, row.wronglyRefused)
	}
	if !ok {
		w.tellLog(t)
		t.FailNow()
	}
	return row
}

// mustBeWhole says so if the fault before this one has left its traces.
func (w *world) mustBeWhole() {
	w.t.Helper()
	w.well()
	w.settle()
	w.asked(1)
}

// tellLog shows the end of the control plane's log.
func (w *world) tellLog(t *testing.T) {
	log, err := os.ReadFile(w.control.path("serve.log"))
	if err != nil {
		return
	}
	t.Logf("the control plane's log ends:\n%s", log[max(0, len(log)-6000):])
}

func (c *counts) add(o counts) {
	c.requests += o.requests
	c.served += o.served
	c.refused += o.refused
	c.failed += o.failed
	c.wronglyAllowed += o.wronglyAllowed
	c.wronglyRefused += o.wronglyRefused
}

func (c counts) cells(name string) []string {
	out := []string{name}
	for _, n := range []int{c.requests, c.served, c.refused, c.failed, c.wronglyAllowed, c.wronglyRefused} {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

func rounded(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}
