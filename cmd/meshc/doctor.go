package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/deploy/doctor"
)

func newDoctorCmd(s streams) *cobra.Command {
	f := &controlFlags{}
	var mesh string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at a cluster, before an installation and after, for what will not work",
		Long: `Look at a cluster for what will not work. Before an installation: the versions of
Kubernetes and its kubelets, your permissions, clocks, other meshes and what is left
of them. Afterwards also: the control plane and its permissions, certificates,
definitions, whether the API server reaches the webhooks (by objects that are made as
a dry run), namespaces whose Pod Security refuses proxies, and pods that were made
before their namespace joined. It changes nothing.`,
		Example: "  meshc doctor\n  meshc doctor --report json",
		Args:    cobra.NoArgs,
	}
	f.add(cmd)
	cmd.Flags().StringVar(&mesh, "mesh", "mesh", "`NAME` of the mesh that is to be installed")
	report := addReportFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.open()
		if err != nil {
			return err
		}
		checks, err := doctor.Run(cmd.Context(), doctor.Options{Client: c, Namespace: f.namespace, Mesh: mesh, Now: time.Now()})
		if err != nil {
			return input(err)
		}
		var found diag.List
		w := tabwriter.NewWriter(s.Err, 0, 0, 2, ' ', 0)
		for _, check := range checks {
			mark := "ok"
			if max, any := check.Found.Max(); any {
				mark = max.String()
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", mark, check.Name, check.Says)
			found.Add(check.Found...)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return report.emit(s, found, nil)
	}
	return cmd
}
