package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	mesh "github.com/meshc/meshc/test/bench"
)

// gateways compares builds with Envoy Gateway's `egctl x translate`, in turn.
func (b *bench) gateways() error {
	egctl := filepath.Join(b.peers, "egctl")
	b.table.chapter("Envoy Gateway: egctl x translate of N routes and N policies; meshc build of ref-mesh(N)")
	for _, c := range []struct {
		n      int
		budget float64
		runs   int // of egctl: at 1,000 one takes minutes
	}{{100, 8, 3}, {1000, 50, 1}} {
		input, dir := filepath.Join(b.work, fmt.Sprintf("gateway-%d.yaml", c.n)), filepath.Join(b.work, fmt.Sprintf("mesh-%d", c.n))
		if err := os.WriteFile(input, []byte(gatewayMesh(c.n)), 0o644); err != nil {
			return err
		}
		if err := mesh.WriteTo(dir, mesh.RefMesh(c.n, 64)); err != nil {
			return err
		}
		var theirs, ours []run
		for range c.runs {
			r, err := timed(egctl, "x", "translate", "--from", "gateway-api", "--to", "xds", "-o", "json", "-f", input)
			if err != nil {
				return err
			}
			theirs = append(theirs, r)
			for range b.runs {
				if r, err = timed(b.meshc, "build", dir, "-o", b.bundle(c.n)); err != nil {
					return err
				}
				ours = append(ours, r)
			}
		}
		name := func(what string) string { return fmt.Sprintf("N=%d: %s", c.n, what) }
		b.table.add(figure{What: name("egctl x translate"), Unit: "s", Runs: column(theirs, wall)})
		b.table.add(figure{What: name("egctl, processor time"), Unit: "s", Runs: column(theirs, cpu)})
		b.table.add(figure{What: name("egctl, peak memory"), Unit: "MiB", Runs: column(theirs, peak)})
		b.table.add(figure{What: name("meshc build"), Unit: "s", Runs: column(ours, wall)})
		b.table.add(figure{What: name("meshc build, processor time"), Unit: "s", Runs: column(ours, cpu)})
		b.table.add(figure{What: name("meshc build, peak memory"), Unit: "MiB", Runs: column(ours, peak)})
		b.table.add(figure{What: name("times faster"), Unit: "times", Budget: c.budget, Least: true,
			Value: median(column(theirs, wall)) / median(column(ours, wall)), Note: "most of egctl's time is loading, not translating"})
		b.table.add(figure{What: name("times faster in processor time"), Unit: "times",
			Value: median(column(theirs, cpu)) / median(column(ours, cpu))})
	}
	return nil
}

// istio runs Istio's own benchmarks: what one sidecar or gateway is sent is
// generated, from an input that is parsed and indexed already.
func (b *bench) istio() error {
	b.table.chapter("Istio's own benchmarks: one proxy's configuration from parsed input (N services: gateways 1,000, others 100)")
	dir, err := os.ReadFile(filepath.Join(b.peers, "istio-dir"))
	if err != nil {
		return err
	}
	cmd := exec.Command(filepath.Join(b.peers, "istio-xds.test"), "-test.run", "^$", "-test.benchtime", "1s",
		"-test.bench", "^Benchmark(InitPushContext|RouteGeneration|ClusterGeneration|ListenerGeneration)$/^(gateways|http|virtualservice|authorizationpolicy)$")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(dir)), "pilot", "pkg", "xds") // its fixtures lie there
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	for line := range bytes.Lines(out) {
		name, ms, ok := benchmark(string(line))
		if ok {
			b.table.add(figure{What: name, Value: ms, Unit: "ms"})
		}
	}
	return nil
}

// benchmark reads a line of a Go benchmark: its name and milliseconds a run.
func benchmark(line string) (name string, ms float64, ok bool) {
	words := strings.Fields(line)
	for i := 2; i+1 < len(words); i++ {
		if words[i+1] != "ns/op" || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		ns, err := strconv.ParseFloat(words[i], 64)
		name, _, _ = strings.Cut(strings.TrimPrefix(words[0], "Benchmark"), "-")
		return name, ns / 1e6, err == nil
	}
	return "", 0, false
}
