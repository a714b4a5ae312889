package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// sessions runs the Go benchmarks of compiler.Session in the folder above, which
// say medians and percentiles of single changes.
func (b *bench) sessions() error {
	out, err := exec.Command("go", "test", "./test/bench", "-run", "^$", "-bench", "^Benchmark(Apply|Try)").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	b.table.chapter("one object changed in ref-mesh(1000), warm: compiler.Session")
	for line := range bytes.Lines(out) {
		name, figures, ok := strings.Cut(strings.TrimSpace(string(line)), "\t")
		if !ok || !strings.HasPrefix(name, "Benchmark") {
			continue
		}
		b.session(strings.TrimSpace(name), strings.Split(figures, "\t"))
	}
	return nil
}

// session adds what a benchmark says of itself: `VALUE p50-ms` and the like.
func (b *bench) session(name string, figures []string) {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "Benchmark"), "-")
	for _, f := range figures {
		value, unit, _ := strings.Cut(strings.TrimSpace(f), " ")
		v, err := strconv.ParseFloat(value, 64)
		kind, isMillis := strings.CutSuffix(unit, "-ms")
		if err != nil || !isMillis {
			continue
		}
		budget := 0.0
		switch {
		case strings.HasPrefix(name, "Apply") && kind == "median":
			budget = 5
		case strings.HasPrefix(name, "Try") && kind == "p99":
			budget = 2
		}
		b.table.add(figure{What: name + ", " + kind, Value: v, Unit: "ms", Budget: budget})
	}
}
