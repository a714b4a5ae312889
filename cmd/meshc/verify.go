package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
)

type verifyFlags struct {
	registryFlags
	keys       []string
	provenance string
}

func newVerifyCmd(s streams) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify BUNDLE|oci://REF",
		Short: "Check that a bundle is whole, and who signed it",
		Long: `Check that a bundle is whole: that this meshc reads its format and has the
features it requires, that every byte has the digest the manifest names, and
that every reference in it leads somewhere. Exit code 1 and a finding that names
the file and the offset if it is not.

With --key it must be signed as well, by one of the keys; with --provenance the
file must be a SLSA provenance of this bundle, signed by one of the keys if there
are any.`,
		Example: "  meshc verify ./bundle\n  meshc verify ./bundle --key mesh.pub --provenance bundle.intoto.json\n  meshc verify oci://registry.example/mesh:v1 --key mesh.pub",
		Args:    cobra.ExactArgs(1),
	}
	report := addReportFlags(cmd)
	cmd.Flags().StringArrayVar(&f.keys, "key", nil, "require a signature by one of the public keys in `FILE` or folder; repeatable")
	cmd.Flags().StringVar(&f.provenance, "provenance", "", "require that `FILE` tells how this bundle was built")
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.idle(args[0]); err != nil {
			return err
		}
		b, findings, err := f.read(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		var keys []signature.Key
		var by signature.Key
		if b != nil && len(f.keys) > 0 {
			if by, keys, findings, err = signedBy(b, f.keys); err != nil {
				return err
			}
		}
		if f.provenance != "" && len(findings) == 0 {
			if findings, err = judgeProvenance(f.provenance, b, keys); err != nil {
				return input(err)
			}
		}
		if err := report.emit(s, findings, nil); err != nil {
			return err
		}
		if len(findings) > 0 {
			return failed(exitFindings)
		}
		f.print(s, args[0], b, by)
		return nil
	}
	return cmd
}

func (f *verifyFlags) print(s streams, path string, b *bundle.Bundle, by signature.Key) {
	m := b.Manifest
	fmt.Fprintf(s.Out, "%s is whole: mesh %q, format %s\npolicy digest %s\nbundle digest %s\n", path, m.Mesh, m.Format, m.PolicyDigest, m.BundleDigest)
	if m.Epoch > 0 {
		fmt.Fprintf(s.Out, "epoch %d\n", m.Epoch)
	}
	switch n := len(b.Signatures()); {
	case by.ID != "":
		fmt.Fprintf(s.Out, "signed by %s (%s)\n", by.Short(), by.Name)
	case n == 0:
		fmt.Fprintln(s.Out, "not signed")
	default:
		fmt.Fprintf(s.Out, "%s, looked at by nobody: name a public key with --key\n", plural(n, "signature"))
	}
	if f.provenance != "" {
		fmt.Fprintf(s.Out, "%s tells how it was built\n", f.provenance)
	}
}
