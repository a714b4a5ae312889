package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/gitops/oci"
)

// registryFlags are the flags of every verb that reads or writes a registry.
type registryFlags struct {
	plainHTTP bool
}

func (f *registryFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.plainHTTP, "plain-http", false, "ask the registry without TLS, such as one on this machine")
}

func (f *registryFlags) reference(s string) (oci.Reference, error) {
	ref, err := oci.Parse(s, f.plainHTTP)
	if err != nil {
		return ref, usage(err)
	}
	return ref, nil
}

// idle refuses --plain-http where nothing is asked of a registry: a slip in the
// reference would go unseen.
func (f *registryFlags) idle(paths ...string) error {
	if !f.plainHTTP || slices.ContainsFunc(paths, oci.IsReference) {
		return nil
	}
	return usage(errors.New("--plain-http is for a registry, and none is named: references begin with oci://"))
}

// read opens a bundle in a folder, or in a registry if path is a reference. What
// is wrong with its content are findings, and then there is no bundle.
func (f *registryFlags) read(ctx context.Context, path string) (*bundle.Bundle, diag.List, error) {
	if !oci.IsReference(path) {
		b, findings, err := bundle.Open(path)
		if err != nil {
			err = input(err)
		}
		return b, findings, err
	}
	ref, err := f.reference(path)
	if err != nil {
		return nil, nil, err
	}
	b, _, findings, err := oci.Pull(ctx, ref)
	if err != nil {
		err = input(fmt.Errorf("%s: %w", path, err))
	}
	return b, findings, err
}

func newPushCmd(s streams) *cobra.Command {
	var registry registryFlags
	var tags []string
	var source string
	cmd := &cobra.Command{
		Use:   "push BUNDLE oci://HOST/NAME[:TAG]",
		Short: "Put a bundle into a registry",
		Long: `Put a bundle, with its signatures, into an OCI registry, under a tag (latest if
none is named). Equal bundles have equal digests. The artifact is one that Flux's
OCIRepository extracts as it is. Credentials are those of 'docker login'.

The reference by digest is printed: what it leads to never changes.`,
		Example: "  meshc push ./bundle oci://registry.example/mesh:v1 --tag stable",
		Args:    cobra.ExactArgs(2),
	}
	report := addReportFlags(cmd)
	registry.add(cmd)
	cmd.Flags().StringArrayVar(&tags, "tag", nil, "put it under this `TAG` too; repeatable")
	cmd.Flags().StringVar(&source, "source", "", "`URL` of the sources, for Flux to show")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		to, err := registry.reference(args[1])
		if err != nil {
			return err
		}
		b, err := openBundle(cmd.Context(), s, report, &registry, args[0])
		if err != nil {
			return err
		}
		at, err := oci.Push(cmd.Context(), b, to, source, tags...)
		if err != nil {
			return input(fmt.Errorf("%s: %w", args[1], err))
		}
		fmt.Fprintf(s.Out, "%s\npolicy digest %s\n", at, b.Manifest.PolicyDigest)
		return nil
	}
	return cmd
}

func newPullCmd(s streams) *cobra.Command {
	var registry registryFlags
	var output string
	var keys []string
	cmd := &cobra.Command{
		Use:   "pull oci://HOST/NAME[:TAG|@DIGEST] -o DIR",
		Short: "Fetch a bundle from a registry",
		Long: `Fetch a bundle from an OCI registry and put it at DIR in one step, in place of the
bundle that is there. All digests are checked, and with --key who signed it;
what does not fit is a finding, and DIR stays as it is. Credentials are those of
'docker login'.`,
		Example: "  meshc pull oci://registry.example/mesh:v1 -o ./bundle --key mesh.pub",
		Args:    cobra.ExactArgs(1),
	}
	report := addReportFlags(cmd)
	registry.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "folder `DIR` to put the bundle to (required)")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "require a signature by one of the public keys in `FILE` or folder; repeatable")
	_ = cmd.MarkFlagRequired("output") // it fails only for a flag that is not there
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := registry.reference(args[0])
		if err != nil {
			return err
		}
		b, at, findings, err := oci.Pull(cmd.Context(), from)
		if err != nil {
			return input(fmt.Errorf("%s: %w", args[0], err))
		}
		if b != nil && len(keys) > 0 {
			if _, _, findings, err = signedBy(b, keys); err != nil {
				return err
			}
		}
		if err := report.emit(s, findings, nil); err != nil {
			return err
		}
		if b == nil || len(findings) > 0 {
			return failed(exitFindings)
		}
		if err := writeBundle(output, b); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s: mesh %q from %s\npolicy digest %s\n", output, b.Manifest.Mesh, at, b.Manifest.PolicyDigest)
		return nil
	}
	return cmd
}

// signedBy finds which of the keys in files and folders vouches for a bundle.
func signedBy(b *bundle.Bundle, paths []string) (by signature.Key, keys []signature.Key, findings diag.List, err error) {
	for _, path := range paths {
		more, faults, err := signature.LoadKeys(path)
		if err != nil {
			return by, nil, nil, input(fmt.Errorf("--key: %w", err))
		}
		keys = append(keys, more...)
		findings.Add(faults...)
	}
	if len(findings) == 0 {
		by, findings = signature.Check(b, keys)
	}
	return by, keys, findings, nil
}
