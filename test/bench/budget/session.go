package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// sessions runs the benchmarks of compiler.Session, which know its inside.
func (b *bench) sessions() error {
	b.table.chapter("one object changed in ref-mesh(1000), warm (compiler.Session)")
	out, err := exec.Command("go", "test", "./compiler", "-run", "^$", "-bench", "^(BenchmarkApply|BenchmarkTry)").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
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
		case strings.HasPrefix(name, "Apply") && (kind == "p50" || kind == "median"):
			budget = 5
		case strings.HasPrefix(name, "Try") && kind == "p99":
			budget = 2
		}
		b.table.add(figure{What: name + ", " + kind, Value: v, Unit: "ms", Budget: budget})
	}
}
