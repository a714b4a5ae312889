package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/breakglass"
)

func newBreakglassCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "breakglass",
		Short: "Open one way through a cluster's mesh for a while, on record",
	}
	cmd.AddCommand(newBreakglassAllowCmd(s), newBreakglassListCmd(s), newBreakglassEndCmd(s))
	return cmd
}

func newBreakglassAllowCmd(s streams) *cobra.Command {
	f := &connectFlags{}
	r := breakglass.Request{}
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "allow NAMESPACE/SERVICEACCOUNT NAMESPACE/SERVICE[:PORT] --for DURATION --reason TEXT",
		Short: "Let an account call a service until a time that comes by itself",
		Long: `Write a BreakGlass into the namespace of the service: the account may send any request
to the service, or to one of its ports, until the time is over. The control plane lays
it over the policy, and takes it away by itself, also while the API server is away.
The record stays: who opened what, why, from when to when. How long it may be says the
Mesh (breakGlass: {longest: 4h}, the default).

It waits until the control plane serves it. A split's leaves are opened with its root.`,
		Example: "  meshc breakglass allow shop/web shop/cart:80 --for 1h --reason INC-1234",
		Args:    cobra.ExactArgs(2),
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&r.For, "for", 0, "how long (required)")
	flags.StringVar(&r.Reason, "reason", "", "why, for who reads the record later (required)")
	flags.DurationVar(&wait, "wait", 30*time.Second, "how long to wait until it is served; 0: not at all")
	for _, name := range []string{"for", "reason"} {
		_ = cmd.MarkFlagRequired(name) // it fails only for a flag that is not there
	}
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if r.For <= 0 || strings.TrimSpace(r.Reason) == "" {
			return usage(errors.New("--for is a length of time above 0, and --reason says something"))
		}
		c, err := f.open()
		if err != nil {
			return err
		}
		r.From, r.To = args[0], args[1]
		record, found, err := breakglass.Allow(cmd.Context(), c, r)
		if errors.Is(err, breakglass.ErrForm) {
			return usage(err)
		}
		if err != nil {
			return input(err)
		}
		if err := report.emit(s, found, nil); err != nil || len(found) > 0 {
			return err
		}
		fmt.Fprintf(s.Out, "%s: %s may call %s until %s\n", record, record.From, record.To, record.Until.UTC().Format(time.RFC3339))
		if wait == 0 {
			return nil
		}
		return awaitOpen(cmd.Context(), s, c, record, wait)
	}
	return cmd
}

// awaitOpen waits until the control plane says what it makes of a record.
func awaitOpen(ctx context.Context, s streams, c *api.Client, record breakglass.Record, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	record, err := breakglass.Await(ctx, c, record, func(r breakglass.Record) bool { return r.State != "" })
	switch {
	case err != nil:
		return engine(fmt.Errorf("the control plane has not said within %s that it serves %s: meshc breakglass list tells when it does (%w)", wait, record, err))
	case record.State != "Active":
		fmt.Fprintf(s.Err, "it is %s: %s\n", record.State, record.Why)
		return failed(exitFindings)
	}
	fmt.Fprintf(s.Out, "it is open; meshc breakglass end %s ends it before that\n", record)
	return nil
}

func newBreakglassListCmd(s streams) *cobra.Command {
	f := &connectFlags{}
	var all bool
	var namespace, output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what is open for a while, and with --all what was",
		Example: "  meshc breakglass list\n  meshc breakglass list --all --in shop -o json",
		Args:    cobra.NoArgs,
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&all, "all", false, "list records of what is over too")
	flags.StringVar(&namespace, "in", "", "only those of services of this `NAMESPACE`")
	flags.StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "text" && output != "json" {
			return usage(fmt.Errorf("-o %q is none of text, json", output))
		}
		c, err := f.open()
		if err != nil {
			return err
		}
		records, err := breakglass.List(cmd.Context(), c, namespace)
		if err != nil {
			return input(err)
		}
		shown := []breakglass.Record{}
		for _, r := range records {
			if all || r.State != "Ended" {
				shown = append(shown, r)
			}
		}
		if output == "json" {
			e := json.NewEncoder(s.Out)
			e.SetIndent("", "  ")
			return e.Encode(shown)
		}
		return printRecords(s.Out, shown, time.Now())
	}
	return cmd
}

func printRecords(out io.Writer, records []breakglass.Record, now time.Time) error {
	if len(records) == 0 {
		fmt.Fprintln(out, "nothing is open")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RECORD\tFROM\tTO\tSTATE\tENDS\tBY\tREASON")
	for i := range records {
		records[i] = records[i].Shown()
	}
	for _, r := range records {
		ends := "in " + r.Until.Sub(now).Truncate(time.Second).String()
		if r.State == "Ended" {
			ends = "ended " + r.Ended.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r, r.From, r.To, orDash(r.State), ends, r.By, r.Reason)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, r := range records {
		if r.State == "Refused" || r.State == "NotInForce" {
			fmt.Fprintf(out, "%s is %s: %s\n", r, r.State, r.Why)
		}
	}
	return nil
}

func newBreakglassEndCmd(s streams) *cobra.Command {
	f := &connectFlags{}
	var wait time.Duration
	cmd := &cobra.Command{
		Use:     "end NAMESPACE/NAME...",
		Short:   "End what is open before its time",
		Long:    "End what is open before its time. The record stays, and says who ended it.",
		Example: "  meshc breakglass end shop/web-to-cart-x7k2p",
		Args:    cobra.MinimumNArgs(1),
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&wait, "wait", 30*time.Second, "how long to wait until it is over; 0: not at all")
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, names []string) error {
		c, err := f.open()
		if err != nil {
			return err
		}
		for _, word := range names {
			ns, name := podOf(word, c.Namespace)
			record, found, err := breakglass.End(cmd.Context(), c, ns, name)
			if err != nil {
				return input(err)
			}
			if err := report.emit(s, found, nil); err != nil || len(found) > 0 {
				return err
			}
			if wait > 0 {
				ctx, cancel := context.WithTimeout(cmd.Context(), wait)
				record, err = breakglass.Await(ctx, c, record, func(r breakglass.Record) bool { return r.State == "Ended" })
				cancel()
				if err != nil {
					return engine(fmt.Errorf("the control plane has not said within %s that %s is over: meshc breakglass list tells when it does (%w)", wait, record, err))
				}
			}
			fmt.Fprintf(s.Out, "%s is over: it let %s call %s\n", record, record.From, record.To)
		}
		return nil
	}
	return cmd
}
