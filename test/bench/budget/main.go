// Command budget measures meshc against its budgets and prints a table: each
// figure is the median of several runs, with the budget beside it. What compiles
// runs as a process of its own, so that its memory and processor time are the
// system's account of it. A missed budget is printed, it fails nothing: machines
// differ. It ends with an error only where something could not be measured.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/meshc/meshc/lab"
)

// bench is one run of the program.
type bench struct {
	meshc string // the binary that is measured
	envoy string
	peers string // a folder with the peers' binaries; empty: they are left out
	work  string // a folder for generated files
	runs  int
	sizes []int
	table table
}

// chapter is a part of the table.
type chapter struct {
	name string
	run  func(*bench) error
}

// chapters are what is measured, in the order of the table.
var chapters = []chapter{
	{"build", (*bench).builds},
	{"shapes", (*bench).shapes},
	{"rules", (*bench).rules},
	{"bundle", (*bench).bundles},
	{"session", (*bench).sessions},
	{"watch", (*bench).watches},
	{"change", (*bench).changes},
	{"envoy", (*bench).envoys},
	{"start", (*bench).starts},
}

// peerChapters are slow, and need the peers' binaries.
var peerChapters = []chapter{
	{"conftest", (*bench).conftest},
	{"gateway", (*bench).gateways},
	{"istio", (*bench).istio},
}

func main() {
	lab.Reexec() // a lab's processes are this binary under other names
	if len(os.Args) > 1 {
		if child, ok := children[os.Args[1]]; ok {
			exit(child(os.Args[2:]))
			return
		}
	}
	b := &bench{sizes: []int{100, 1000, 10000}}
	flag.StringVar(&b.meshc, "meshc", "bin/meshc", "the meshc `BINARY` to measure")
	flag.StringVar(&b.envoy, "envoy", "", "the Envoy `BINARY` (default: as the lab finds it)")
	flag.IntVar(&b.runs, "runs", 5, "how many runs a figure is the median of")
	flag.StringVar(&b.peers, "peers", "", "measure the peers whose binaries are in `FOLDER`, in place of the budgets")
	only := flag.String("only", "", "a comma-separated list of `CHAPTERS`: "+names())
	out := flag.String("json", "", "write the figures to `FILE` too")
	small := flag.Bool("small", false, "leave out meshes of 10,000 services")
	flag.Parse()
	if *small {
		b.sizes = b.sizes[:2]
	}
	exit(b.measure(*only, *out))
}

func names() string {
	var out []string
	for _, c := range slices.Concat(chapters, peerChapters) {
		out = append(out, c.name)
	}
	return strings.Join(out, ", ")
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// measure runs the chapters and prints the table as it grows.
func (b *bench) measure(only, out string) error {
	meshc, err := filepath.Abs(b.meshc)
	if err != nil {
		return err
	}
	b.meshc = meshc
	if b.envoy, err = lab.FindEnvoy(b.envoy); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "meshc-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if b.peers, err = absolute(b.peers); err != nil {
		return err
	}
	b.table.start(os.Stdout)
	var failed error
	measured := chapters
	if b.peers != "" {
		measured = peerChapters
	}
	for _, c := range measured {
		if only != "" && !slices.Contains(strings.Split(only, ","), c.name) {
			continue
		}
		if err := c.run(b); err != nil { // the rest is worth measuring all the same
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", c.name, err)
			failed = cmp.Or(failed, fmt.Errorf("%s could not be measured", c.name))
		}
	}
	b.table.end()
	if out != "" {
		if err := b.table.write(out); err != nil {
			return err
		}
	}
	return failed
}
