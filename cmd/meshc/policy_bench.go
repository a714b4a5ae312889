package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/policies"
)

func newPolicyBenchCmd(s streams) *cobra.Command {
	var output string
	var rounds int
	var only []string
	cmd := &cobra.Command{
		Use:   "bench [PATH...]",
		Short: "Show what each rule costs on a mesh",
		Long: `Ask each rule that is in force by itself about every object, namespace and the mesh, and
show what that costs, the costliest first: how often it was asked, the steps that took
(expressions evaluated, the same on every machine), the least time of all rounds, its share
of the time of all rules, and the input that took most of the steps that the rule may take.

A build asks all rules of a kind at once, on all processors: it takes less time than the sum.
PATH is as in check. Findings of the manifests are not judged here.`,
		Example: "  meshc policy bench examples/01-bookstore\n  meshc policy bench examples/01-bookstore --rounds 10 -o json",
	}
	report := addReportFlags(cmd)
	compile := addCompileFlags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().IntVar(&rounds, "rounds", 3, "how often `N` to measure; the least counts")
	cmd.Flags().StringArrayVar(&only, "rule", nil, "only the rule `CODE`, also one that is off; repeatable")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if output != "text" && output != "json" {
			return usage(fmt.Errorf("-o %q is neither text nor json", output))
		}
		if rounds < 1 {
			return usage(fmt.Errorf("--rounds %d is below 1", rounds))
		}
		judge, world, err := compile.ruled(s, report, args, only)
		if err != nil {
			return err
		}
		costs := judge.Profile(world, rounds)
		if len(costs) == 0 {
			return engine(fmt.Errorf("there is no rule to measure: see 'meshc policy list'"))
		}
		return printCosts(s, output, costs)
	}
	return cmd
}

// cost is a rule's cost as `policy bench -o json` prints it.
type cost struct {
	Code        string  `json:"code"`
	Title       string  `json:"title"`
	File        string  `json:"file"`
	Evaluations int     `json:"evaluations"`
	Steps       int64   `json:"steps"`
	Nanoseconds int64   `json:"nanoseconds"`
	Share       float64 `json:"share"`
	MostSteps   int64   `json:"mostSteps"`
	MostAt      string  `json:"mostAt,omitempty"`
	Limit       int64   `json:"limit"`
	Failed      string  `json:"failed,omitempty"`
}

func printCosts(s streams, output string, costs []policies.Cost) error {
	failures := 0
	var list []cost
	var sum time.Duration
	for _, c := range costs {
		list = append(list, cost{
			string(c.Rule.Code), c.Rule.Title, c.Rule.File, c.Evaluations, c.Steps, c.Time.Nanoseconds(), c.Share, c.Most, c.At, c.Limit, c.Failed,
		})
		sum += c.Time
		if c.Failed != "" {
			failures++
		}
	}
	var err error
	if output == "json" {
		enc := json.NewEncoder(s.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(list)
	} else {
		w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "RULE\tTIME\tSHARE\tASKED\tSTEPS\tOF LIMIT\tCOSTLIEST\tTITLE")
		for _, c := range costs {
			fmt.Fprintf(w, "%s\t%s\t%.1f%%\t%d\t%d\t%.1f%%\t%s\t%s\n", c.Rule.Code, c.Time.Round(time.Microsecond), 100*c.Share,
				c.Evaluations, c.Steps, 100*float64(c.Most)/float64(c.Limit), c.At, c.Rule.Title)
		}
		err = w.Flush()
		fmt.Fprintf(s.Out, "%s in %s\n", plural(len(costs), "rule"), sum.Round(time.Microsecond))
		for _, c := range costs {
			if c.Failed != "" {
				fmt.Fprintf(s.Out, "%s failed: %s\n", c.Rule.Code, c.Failed)
			}
		}
	}
	if err == nil && failures > 0 {
		return failed(exitEngine)
	}
	return err
}
