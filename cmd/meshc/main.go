// Command meshc compiles service-mesh policy: SMI manifests in, validated and
// versioned bundles of Envoy configuration out. This folder holds the verbs,
// one file each; they only call rooms.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/meshc/meshc/lab"
)

func main() {
	lab.Reexec() // a lab's processes are this binary under other names
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
