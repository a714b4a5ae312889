package oracle

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab"
)

var (
	requests = flag.Int("requests", 2400, "how many live requests to make at least")
	seed     = flag.Uint64("seed", 1, "where to begin")
	perMesh  = flag.Int("per-mesh", 400, "how many requests each mesh is asked")
)

func TestMain(m *testing.M) {
	lab.Reexec()
	os.Exit(m.Run())
}

// tally counts what a run has shown.
type tally struct {
	meshes, unfit, requests, disagreements int

	rules    map[rule]int
	outcomes map[ir.Outcome]int
	tricks   map[string]int
}

func (n *tally) String() string {
	return fmt.Sprintf("%d live requests (%d exact, %d sound, %d to be refused; the IR: %d allow, %d deny, %d mixed) of %d sorts on %d meshes: %d disagreements",
		n.requests, n.rules[exact], n.rules[sound], n.rules[refused], n.outcomes[ir.Allow], n.outcomes[ir.Deny], n.outcomes[ir.Mixed], len(n.tricks), n.meshes, n.disagreements)
}

// TestOracle is the whole claim: nobody has to trust the compiler.
func TestOracle(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	n := &tally{rules: map[rule]int{}, outcomes: map[ir.Outcome]int{}, tricks: map[string]int{}}
	start := time.Now()
	for s := *seed; n.requests < *requests; s++ {
		w := newWorld(s)
		if _, findings := compiler.Compile(w.tree(), ir.Known{}, compiler.Options{NoRules: true}); findings.HasErrors() {
			n.unfit++
			continue
		}
		n.meshes++
		before := n.requests
		if n.mesh(t, s, w); n.requests == before {
			t.FailNow() // the lab does not come up, with the next mesh neither
		}
		if n.disagreements > 20 {
			t.Fatalf("%s; not looking for more", n)
		}
	}
	t.Logf("%s, in %.0f s", n, time.Since(start).Seconds())
	for _, o := range []ir.Outcome{ir.Allow, ir.Deny} {
		if n.outcomes[o]*10 < n.requests {
			t.Errorf("only %d of %d requests are %s: the oracle shows too little", n.outcomes[o], n.requests, o)
		}
	}
	if testing.Verbose() {
		for _, name := range slices.Sorted(maps.Keys(n.tricks)) {
			t.Logf("%5d %s", n.tricks[name], name)
		}
	}
}

// up starts a mesh in a folder of its own.
func up(t *testing.T, opts lab.Options) *court {
	t.Helper()
	dir, err := os.MkdirTemp("", "oracle")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	opts.Dir = dir
	l, err := lab.Up(ctx, opts)
	if err != nil {
		os.RemoveAll(dir)
		t.Fatal(explain(err))
	}
	t.Cleanup(func() { l.Down(); os.RemoveAll(dir) })
	c, err := newCourt(l, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func explain(err error) string {
	var refusal *lab.Refused
	if !errors.As(err, &refusal) {
		return err.Error()
	}
	lines := []string{err.Error()}
	for _, f := range refusal.Findings {
		lines = append(lines, f.At().String()+": "+f.Message)
	}
	return strings.Join(lines, "\n")
}

// mesh asks one mesh.
func (n *tally) mesh(t *testing.T, s uint64, w *world) {
	t.Run(fmt.Sprintf("seed-%d", s), func(t *testing.T) {
		c := up(t, lab.Options{Tree: w.tree()})
		var first *found
		d := newDice(s, 2)
		for left := *perMesh; left > 0; left -= batchSize {
			questions := c.questions(d, w, min(left, batchSize))
			sights, entries, err := c.ask(questions)
			if err != nil {
				t.Fatal(err)
			}
			for i, q := range questions {
				n.count(c, q)
				if fault := c.judge(q, sights[i]); fault != "" {
					n.disagreements++
					t.Errorf("%s\n%s", q, fault)
					if first == nil {
						first = &found{*w, q}
					}
				}
			}
			if fault := c.connections(entries); fault != "" {
				n.disagreements++
				t.Error(fault)
			}
		}
		if first != nil { // the others are likely of the same cause
			c.tell(t, s, *first)
		}
	})
}

func (n *tally) count(c *court, q question) {
	n.requests++
	n.rules[q.Rule]++
	n.tricks[q.Trick]++
	n.outcomes[ir.Decide(c.mesh, q.Ask).Outcome]++
}

// questions throws questions that the mesh has an answer to.
func (c *court) questions(d dice, w *world, n int) []question {
	var out []question
	for len(out) < n {
		q := d.question(c.mesh, w)
		if ir.Decide(c.mesh, q.Ask).Outcome != ir.Unknown {
			out = append(out, q)
		}
	}
	return out
}
