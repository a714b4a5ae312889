package main

import (
	"time"

	"github.com/spf13/cobra"

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
		return printChecks(s, checks, report)
	}
	cmd.AddCommand(newDoctorConnectivityCmd(s))
	return cmd
}
