package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/lab"
)

func newLabCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Run a mesh on this machine, with real Envoys",
		Long: `Run the mesh that manifests describe on this machine: every replica of a workload
in a network namespace of its own with addresses and names as in a cluster, a
real Envoy beside it, a control plane. No Kubernetes and no root are needed.

Machines without Kubernetes come from the project's catalog.yaml, or the one that
--catalog names: each workload of it runs in a namespace of its own at its own
addresses. The file is followed while the lab runs.`,
	}
	cmd.AddCommand(newLabUpCmd(s), newLabExecCmd(s), newLabTestCmd(s), newLabDownCmd(s))
	return cmd
}

// labFlags are the flags of every verb that starts a lab.
type labFlags struct {
	envoy    string
	catalog  string
	rootless bool
}

func addLabFlags(cmd *cobra.Command) *labFlags {
	f := &labFlags{}
	cmd.Flags().StringVar(&f.envoy, "envoy", "", "Envoy `BINARY` (default MESHC_ENVOY, what 'make envoy' fetched, PATH)")
	cmd.Flags().StringVar(&f.catalog, "catalog", "", "run the machines of the catalog in `FILE`, too (default catalog.yaml beside meshc.yaml)")
	cmd.Flags().BoolVar(&f.rootless, "rootless", false, "use a user namespace even as root")
	return f
}

// options compiles manifests for a lab. Findings are reported; an error among
// them ends the run.
func (f *labFlags) options(s streams, report *reportFlags, compile *compileFlags, paths []string) (lab.Options, error) {
	c, err := compile.compile(s, report, paths)
	if err != nil {
		return lab.Options{}, err
	}
	if err := report.emit(s, report.worth(c.Findings), c.text); err != nil {
		return lab.Options{}, err
	}
	now, err := judgement()
	if err != nil {
		return lab.Options{}, usage(err)
	}
	machines, err := f.machines(s, report, c)
	if err != nil {
		return lab.Options{}, err
	}
	return lab.Options{
		Tree: c.Tree, Known: c.Lock.Known, Now: now, Catalog: machines, Envoy: f.envoy, Rootless: f.rootless,
		Progress: func(text string) { fmt.Fprintln(s.Err, text) },
	}, nil
}

// catalogName is the catalog of a project, beside its meshc.yaml.
const catalogName = "catalog.yaml"

// machines follows the catalog that is named, else the project's; nil where there
// is none. It is followed until the process ends.
func (f *labFlags) machines(s streams, report *reportFlags, c *compilation) (catalog.Provider, error) {
	name := f.catalog
	if name == "" && c.Tree.Config != nil {
		name = filepath.Join(filepath.FromSlash(c.Tree.Dir()), catalogName)
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	if name == "" {
		return nil, nil
	}
	provider, err := file.OpenWith(name, file.Options{Log: slog.New(slog.DiscardHandler)}) // the lab tells what is wrong
	var invalid *file.Invalid
	if errors.As(err, &invalid) {
		text := func(string) ([]byte, bool) { data, err := os.ReadFile(name); return data, err == nil }
		return nil, report.emit(s, invalid.Findings, text)
	}
	if err != nil {
		return nil, input(err)
	}
	return provider, nil
}

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

func newLabExecCmd(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "exec WORKLOAD[/N] -- COMMAND [ARGUMENT...]",
		Short: "Run a program in a pod of the running lab",
		Long: `Run any program of this machine in a pod: it sees the pod's network, names and
addresses, and its calls go through the pod's Envoy. WORKLOAD is a workload's
name, with its namespace before it (NAMESPACE/NAME) where that is needed; N is
the replica, counted from 0.`,
		Example: `  meshc lab exec bookbuyer -- curl -si http://bookstore.bookstore:14001/buy-a-book/new
  meshc lab exec bookstore/bookstore-v1/0 -- cat /etc/resolv.conf`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := lab.Find(name)
			if err != nil {
				return usage(err)
			}
			program := args[1:]
			if program[0] == "--" {
				program = program[1:]
			}
			if len(program) == 0 {
				return usage(errors.New("exec needs a command after --"))
			}
			code, err := r.Exec(args[0], program, os.Stdin, os.Stdout, os.Stderr)
			if err != nil {
				return engine(err)
			}
			if code != 0 {
				return failed(code)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab, where several run")
	cmd.Flags().SetInterspersed(false)
	return cmd
}

func newLabDownCmd(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "End the running lab; nothing of it is left",
		Example: "  meshc lab down",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := lab.Find(name)
			if err != nil {
				return usage(err)
			}
			if err := r.Down(cmd.Context()); err != nil {
				return engine(err)
			}
			fmt.Fprintf(s.Err, "lab %q is down\n", r.Name())
			return nil
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab, where several run")
	return cmd
}

func newLabTestCmd(s streams) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "test",
		Short: "Run the running lab's verdict tables on its Envoys",
		Long: `Run the verdict tables of the running lab's manifests on its Envoys: a real
request for each case, reached or not by the access log of the server's proxy.
'meshc test --live PATH' does the same with a lab of its own.`,
		Example: "  meshc lab test",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := lab.Find(name)
			if err != nil {
				return usage(err)
			}
			report, err := r.Test()
			if err != nil {
				return engine(err)
			}
			return liveReport(s, report)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the lab, where several run")
	return cmd
}

// liveReport prints what real Envoys said, and fails the run if a case does not hold.
func liveReport(s streams, report lab.Report) error {
	if len(report.Cases) == 0 {
		return engine(errors.New("there is no verdict table with a case in the manifests"))
	}
	report.Print(s.Out)
	if report.Failed() > 0 {
		return failed(exitFindings)
	}
	return nil
}

// runLive runs the cases of tables on real Envoys, in a lab of its own, and puts
// what they did beside the other columns.
func (f *labFlags) runLive(ctx context.Context, s streams, c *compilation, cases []verdict.Case) error {
	machines, err := f.machines(s, &reportFlags{failOn: "error", color: "auto"}, c)
	if err != nil {
		return err
	}
	report, err := lab.TestTree(ctx, lab.Options{
		Tree: c.Tree, Known: c.Lock.Known, Now: c.Now, Tables: c.Tables, Catalog: machines,
		Envoy: f.envoy, Rootless: f.rootless,
		Progress: func(text string) { fmt.Fprintln(s.Err, text) },
	})
	if err != nil {
		return err
	}
	if len(report.Cases) != len(cases) {
		return fmt.Errorf("the lab ran %d cases of %d", len(report.Cases), len(cases))
	}
	for i, r := range report.Cases {
		cases[i].SetLive(verdict.Live{
			Outcome: r.Live, Requests: r.Requests, Statuses: r.Statuses, By: r.By, Shares: r.Shares,
		}, r.Faults...)
	}
	return nil
}
