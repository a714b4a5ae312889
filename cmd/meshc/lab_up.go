package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/lab"
)

func newLabUpCmd(s streams) *cobra.Command {
	var name string
	var watch bool
	cmd := &cobra.Command{
		Use:   "up [PATH...]",
		Short: "Start a mesh from manifests and run it until Ctrl-C",
		Long: `Start a mesh from manifests and run it until Ctrl-C or 'meshc lab down'.

Workloads run the built-in echo workload, which says who it is and which identity
called, or the command in the pod annotation lab.meshc.dev/command. When the lab
ends nothing is left: it lives in namespaces that the kernel removes with it.`,
		Example: `  meshc lab up examples/01-bookstore
  meshc lab up examples/01-bookstore --watch
  meshc lab exec bookbuyer -- curl -si http://bookstore.bookstore:14001/buy-a-book/new`,
	}
	report, compile, flags := addReportFlags(cmd), addCompileFlags(cmd), addLabFlags(cmd)
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab (default the mesh's)")
	cmd.Flags().BoolVar(&watch, "watch", false, "compile and apply again whenever a manifest changes")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		opts, err := flags.options(s, report, compile, args)
		if err != nil {
			return err
		}
		opts.Name = name
		start := time.Now()
		ctx, stop := untilStopped(cmd)
		defer stop()
		l, err := lab.Up(ctx, opts)
		if err != nil {
			return engine(err)
		}
		defer l.Down()
		fmt.Fprintf(s.Out, "lab %q is up after %.1f s\n\n", l.Name(), time.Since(start).Seconds())
		l.Describe(s.Out)
		if watch {
			return runWatching(ctx, s, report, compile, l, args)
		}
		return waitForEnd(ctx, s, l)
	}
	return cmd
}

// waitForEnd holds the lab until it is to end, and takes it down.
func waitForEnd(ctx context.Context, s streams, l *lab.Lab) error {
	select {
	case <-ctx.Done():
	case <-l.Done():
	}
	fmt.Fprintln(s.Err, "taking the lab down")
	if err := l.Down(); err != nil {
		return engine(err)
	}
	return nil
}

func runWatching(ctx context.Context, s streams, report *reportFlags, compile *compileFlags, l *lab.Lab, paths []string) error {
	fmt.Fprintln(s.Out, "watching the manifests")
	load := func() (*source.Tree, ir.Known, error) {
		c, err := compile.compile(s, report, paths)
		if err != nil {
			return nil, ir.Known{}, err
		}
		// The lab compiles again and refuses what has errors; here they are shown.
		_ = report.emit(s, report.worth(c.Findings), c.text)
		return c.Tree, c.Lock.Known, nil
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan error, 1)
	go func() { watched <- l.Watch(ctx, load, func(u lab.Update) { printUpdate(s, u) }) }()
	err := waitForEnd(ctx, s, l)
	stop()
	return errors.Join(err, <-watched)
}

func printUpdate(s streams, u lab.Update) {
	switch {
	case u.Err != nil && !errors.As(u.Err, new(*exitError)):
		fmt.Fprintf(s.Err, "meshc: %v\n", u.Err)
	case u.Err != nil: // already reported
	case u.Empty():
		fmt.Fprintln(s.Out, "the manifests changed, the mesh did not")
	default:
		fmt.Fprintf(s.Out, "applied in %.2f s:\n", u.Took.Seconds())
		for _, d := range u.Differences {
			fmt.Fprintln(s.Out, "  "+d.String())
		}
		for _, p := range u.Pods {
			fmt.Fprintln(s.Out, "  "+p)
		}
	}
}
