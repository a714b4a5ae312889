// Command fuzz runs every fuzz target of the module, one after the other, and
// ends at the first finding with the place of the input that shows it. It finds
// the targets by itself; it knows nothing of what they test.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	each := flag.Duration("time", 30*time.Second, "how long each target runs")
	workers := flag.Int("workers", 0, "how many inputs are tried at once; 0: one a processor")
	only := flag.String("only", "", "run the targets whose PACKAGE.NAME holds this text")
	keep := flag.Int("keep", 0, "keep up to this many of the inputs that each target found interesting, in its testdata")
	flag.Parse()
	root, err := os.Getwd()
	if err != nil {
		fatal(err)
	}
	all, err := find(root)
	if err != nil {
		fatal(err)
	}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	ran := 0
	for _, t := range all {
		if !strings.Contains(t.String(), *only) {
			continue
		}
		ran++
		result, err := t.run(root, *each, *workers, os.Stdout)
		select {
		case <-interrupted:
			os.Exit(130)
		default:
		}
		if err != nil {
			fmt.Printf("%-44s FAILED\n%s\n", t, result.failure(t))
			os.Exit(1)
		}
		fmt.Printf("%-44s %9d executions %6d interesting, %d new\n", t, result.executions, result.interesting, result.fresh)
		if *keep > 0 {
			kept, err := t.keep(root, *keep)
			if err != nil {
				fatal(err)
			}
			fmt.Printf("%-44s %9d inputs kept\n", "", kept)
		}
	}
	if ran == 0 {
		fatal(fmt.Errorf("no fuzz target is called *%s*", *only))
	}
	fmt.Printf("%d targets, %s each: nothing found\n", ran, *each)
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "fuzz:", err)
	os.Exit(2)
}
