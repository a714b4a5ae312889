package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"

	"go.yaml.in/yaml/v3"

	mesh "github.com/meshc/meshc/test/bench"
)

// builds measures cold builds of reference meshes as processes, in turn with
// their floor, so that a change of the machine's mood falls on all of them.
func (b *bench) builds() error {
	b.table.chapter("cold build of ref-mesh(N), a process from files to a bundle on disk")
	var before *[kinds][]run
	for _, n := range b.sizes {
		dir := filepath.Join(b.work, fmt.Sprintf("mesh-%d", n))
		if err := mesh.WriteTo(dir, mesh.RefMesh(n, 64)); err != nil {
			return err
		}
		runs, err := b.rounds(n, dir, b.bundle(n))
		if err != nil {
			return err
		}
		b.buildFigures(n, runs, referenceBudgets[n])
		if before != nil {
			b.growth(n, before, runs)
		}
		before = runs
	}
	return nil
}

// bundle is where the verified bundle of ref-mesh(n) ends up.
func (b *bench) bundle(n int) string { return filepath.Join(b.work, fmt.Sprintf("bundle-%d", n)) }

// The kinds of runs.
const (
	whole        = iota // rules, verification and all
	verified            // without rules
	bare                // without both
	parsed              // the floor
	parsedSeldom        // the floor, its garbage collected as seldom as meshc's
	kinds
)

// rounds runs all kinds in turn. The first round warms the caches of the disk
// and does not count.
func (b *bench) rounds(n int, dir, out string) (*[kinds][]run, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	count := b.runs
	if n >= 10000 {
		count = max(1, (b.runs+1)/2)
	}
	var runs [kinds][]run
	for i := range count + 1 {
		for which, command := range [kinds][]string{
			whole:        {b.meshc, "build", dir, "-o", out},
			verified:     {b.meshc, "build", dir, "-o", out + "-other", "--no-rules"},
			bare:         {b.meshc, "build", dir, "-o", out + "-other", "--no-rules", "--no-verify"},
			parsed:       {self, "child-floor", dir, "100"},
			parsedSeldom: {self, "child-floor", dir, "6400"},
		} {
			r, err := timed(command[0], command[1:]...)
			if err != nil {
				return nil, err
			}
			if i > 0 {
				runs[which] = append(runs[which], r)
			}
		}
	}
	return &runs, nil
}

// budgets of a build, none where zero.
type budgets struct{ seconds, memory, ratio float64 }

// referenceBudgets are those of reference meshes, by size.
var referenceBudgets = map[int]budgets{1000: {seconds: 1, ratio: 4}, 10000: {memory: 2048}}

func (b *bench) buildFigures(n int, runs *[kinds][]run, most budgets) {
	for _, k := range []struct {
		which           int
		what            string
		seconds, memory float64
	}{
		{whole, "rules and verification", most.seconds, most.memory},
		{verified, "verification, no rules", most.seconds, most.memory},
		{bare, "neither", 0, 0},
		{parsed, "floor: the same files only parsed", 0, 0},
	} {
		name := fmt.Sprintf("N=%d: %s", n, k.what)
		b.table.add(figure{What: name, Unit: "s", Runs: column(runs[k.which], wall), Budget: k.seconds})
		b.table.add(figure{What: name + ": processor time", Unit: "s", Runs: column(runs[k.which], cpu)})
		b.table.add(figure{What: name + ": peak memory", Unit: "MiB", Runs: column(runs[k.which], peak), Budget: k.memory})
	}
	name := fmt.Sprintf("N=%d: neither, against the floor", n)
	b.table.add(figure{What: name, Unit: "times", Runs: ratios(runs[bare], runs[parsed], wall), Budget: most.ratio})
	b.table.add(figure{What: name + ": processor time", Unit: "times", Runs: ratios(runs[bare], runs[parsed], cpu)})
	b.table.add(figure{What: name + " that collects garbage as seldom", Unit: "times", Runs: ratios(runs[bare], runs[parsedSeldom], wall)})
}

// growth is how a build grows from one size to the next.
func (b *bench) growth(n int, small, large *[kinds][]run) {
	budget := 0.0
	if n == 10000 {
		budget = 12
	}
	for _, k := range []struct {
		which int
		what  string
	}{{whole, "rules and verification"}, {verified, "verification, no rules"}} {
		grown := func(of func(run) float64) float64 {
			return median(column(large[k.which], of)) / median(column(small[k.which], of))
		}
		name := fmt.Sprintf("N=%d: %s, against N=%d", n, k.what, n/10)
		b.table.add(figure{What: name, Unit: "times", Value: grown(wall), Budget: budget})
		b.table.add(figure{What: name + ": processor time", Unit: "times", Value: grown(cpu)})
	}
}

// ratios compares round by round.
func ratios(a, b []run, of func(run) float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = of(a[i]) / of(b[i])
	}
	return out
}

// shapes builds a mesh that is less even than the reference.
func (b *bench) shapes() error {
	shape := mesh.Shape{Services: 1000, Seed: 1}
	b.table.chapter("cold build of a layered mesh: an edge, 4 layers, 10 hubs that 40 % call, 500 leaves (seed 1)")
	dir := filepath.Join(b.work, "layered")
	if err := mesh.WriteTo(dir, mesh.Layered(shape, 64)); err != nil {
		return err
	}
	runs, err := b.rounds(shape.Services, dir, filepath.Join(b.work, "layered-bundle"))
	if err != nil {
		return err
	}
	b.buildFigures(shape.Services, runs, budgets{})
	return nil
}

// floor is the least that any compiler of these files must do: read them and
// parse their YAML, on all processors: `child-floor DIR GOGC`.
func floor(args []string) error {
	percent, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	debug.SetGCPercent(percent)
	paths, err := filepath.Glob(filepath.Join(args[0], "*.yaml"))
	if err != nil {
		return err
	}
	slices.Sort(paths)
	trees := make([][]*yaml.Node, len(paths))
	faults := make([]error, len(paths))
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				trees[i], faults[i] = parse(paths[i])
			}
		})
	}
	for i := range paths {
		next <- i
	}
	close(next)
	wg.Wait()
	runtime.KeepAlive(trees) // a compiler needs them all at once
	return errors.Join(faults...)
}

func parse(path string) ([]*yaml.Node, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []*yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		doc := &yaml.Node{}
		if err := d.Decode(doc); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, doc)
	}
}
