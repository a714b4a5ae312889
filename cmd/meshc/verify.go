package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/bundle"
)

func newVerifyCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify BUNDLE",
		Short: "Check that a bundle is whole: format, features, digests, references",
		Long: `Check that a bundle is whole: that this meshc reads its format and has the
features it requires, that every byte has the digest the manifest names, and
that every reference in it leads somewhere. Exit code 1 and a finding that names
the file and the offset if it is not.`,
		Example: "  meshc verify ./bundle",
		Args:    cobra.ExactArgs(1),
	}
	report := addReportFlags(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		b, findings, err := bundle.Open(args[0])
		if err != nil {
			return input(err)
		}
		if err := report.emit(s, findings, nil); err != nil {
			return err
		}
		if b == nil {
			return failed(exitFindings)
		}
		m := b.Manifest
		fmt.Fprintf(s.Out, "%s is whole: mesh %q, format %s\npolicy digest %s\nbundle digest %s\n", args[0], m.Mesh, m.Format, m.PolicyDigest, m.BundleDigest)
		return nil
	}
	return cmd
}
