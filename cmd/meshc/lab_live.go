package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/lab"
)

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
