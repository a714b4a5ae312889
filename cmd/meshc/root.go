package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// streams are a run's standard streams, so that tests can be the terminal.
type streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// verbs is every verb, in the order of DESIGN 10. A verb is a file and a line here.
var verbs = []func(streams) *cobra.Command{
	newBuildCmd,
	newCheckCmd,
	newDiffCmd,
	newLockCmd,
	newTestCmd,
	newCanCmd,
	newAllowCmd,
	newGraphCmd,
	newExplainCmd,
	newLSPCmd,
	newWaiveCmd,
	newPolicyCmd,
	newInspectCmd,
	newVerifyCmd,
	newCatalogCmd,
	newPushCmd,
	newPullCmd,
	newServeCmd,
	newControllerCmd,
	newStatusCmd,
	newTokenCmd,
	newCACmd,
	newProxyCmd,
	newLabCmd,
	newDemoCmd,
	newNetinitCmd,
	newCNICmd,
	newInjectCmd,
	newInstallCmd,
	newUpgradeCmd,
	newUninstallCmd,
	newDoctorCmd,
	newNamespaceCmd,
	newMetricsCmd,
	newSupportCmd,
	newBreakglassCmd,
	newVersionCmd,
}

// newRoot is the command line.
func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "meshc",
		Short:         "Compile service-mesh policy into Envoy configuration",
		Long:          "meshc compiles SMI manifests ahead of time into validated, versioned bundles of Envoy\nconfiguration, tells who may call whom, and serves the bundles over xDS.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	for _, verb := range verbs {
		root.AddCommand(verb(s))
	}
	return root
}

// run executes one command line and gives the exit code of DESIGN 8.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitClean
	}
	var e *exitError
	if !errors.As(err, &e) {
		// cobra's own complaints (unknown verbs, wrong number of arguments) are usage.
		e = &exitError{code: exitUsage, err: err}
	}
	if e.err != nil {
		fmt.Fprintf(s.Err, "meshc: %v\n", e.err)
		if e.code == exitUsage {
			fmt.Fprintf(s.Err, "run '%s --help' for usage\n", cmd.CommandPath())
		}
	}
	return e.code
}
