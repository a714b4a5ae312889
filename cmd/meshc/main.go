// Command meshc compiles service-mesh policy: SMI manifests in, validated and
// versioned bundles of Envoy configuration out. This folder holds the verbs,
// one file each; they only call rooms.
package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/dataplane/cni"
	"github.com/meshc/meshc/lab"
)

func main() {
	lab.Reexec() // a lab's processes are this binary under other names
	if filepath.Base(os.Args[0]) == cni.Type {
		os.Exit(cni.Main()) // container runtimes give no arguments
	}
	if len(os.Args) > 1 && slices.Contains(compileAndEnd, os.Args[1]) {
		collectSeldom()
	}
	os.Exit(run(context.Background(), os.Args[1:], streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// untilStopped is for verbs that have something to wind down: a signal ends the
// context. All other verbs end at once.
func untilStopped(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
}

// leaving ends a while after told does: whoever finds this process by a service's
// address still comes here until the nodes have learned that it leaves.
func leaving(told context.Context, after time.Duration) context.Context {
	ctx, end := context.WithCancel(context.WithoutCancel(told))
	context.AfterFunc(told, func() { time.AfterFunc(after, end) })
	return ctx
}
