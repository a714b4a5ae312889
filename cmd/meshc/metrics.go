package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/deploy/install"
)

func newMetricsCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "Ask Prometheus to scrape the proxies of namespaces, or no longer",
	}
	for _, on := range []bool{true, false} {
		cmd.AddCommand(newMetricsSwitchCmd(s, on))
	}
	return cmd
}

func newMetricsSwitchCmd(s streams, on bool) *cobra.Command {
	f := &connectFlags{}
	word, says := "enable", "are scraped"
	if !on {
		word, says = "disable", "are scraped no longer"
	}
	cmd := &cobra.Command{
		Use:   word + " NAMESPACE...",
		Short: fmt.Sprintf("Say that the proxies of namespaces %s", says),
		Long: `Annotate namespaces with meshc.dev/metrics, which injection turns into the annotations
that Prometheus reads, and annotate pods that run with a proxy, so that nothing has to
be made anew. Annotations of an application that is scraped itself stay as they are.`,
		Example: "  meshc metrics " + word + " shop cart",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			c, err := f.open()
			if err != nil {
				return err
			}
			for _, name := range names {
				pods, err := install.Scrape(cmd.Context(), c, name, on)
				if err != nil {
					return input(err)
				}
				fmt.Fprintf(s.Out, "namespace %s: proxies %s, those of %s that run too\n", name, says, plural(pods, "pod"))
			}
			return nil
		},
	}
	f.add(cmd)
	return cmd
}
