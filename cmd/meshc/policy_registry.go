package main

import (
	"errors"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/oci"
	"github.com/meshc/meshc/gitops/ruleset"
	"github.com/meshc/meshc/policies"
)

func newPolicyPushCmd(s streams) *cobra.Command {
	var registry registryFlags
	var signing signFlags
	var tags []string
	var from string
	cmd := &cobra.Command{
		Use:   "push DIR oci://HOST/NAME[:TAG]",
		Short: "Put rules into a registry",
		Long: `Put the rules below DIR, with their tests and samples, into an OCI registry as one rule
set, under a tag (latest if none is named). Rules that cannot be judged by are not pushed.
Equal folders have equal digests, if the same keys sign them. Credentials are those of
'docker login'.

The reference by digest is printed: it goes into spec.rules.dirs of meshc.yaml.`,
		Example: "  meshc policy push ./rules oci://registry.example/rules:v1 --sign key.pem",
		Args:    cobra.ExactArgs(2),
	}
	report := addReportFlags(cmd)
	registry.add(cmd)
	cmd.Flags().StringArrayVar(&signing.keys, "sign", nil, "sign with a private key: PEM `KEY` file of mode 0600, ed25519 or ECDSA P-256; repeatable")
	cmd.Flags().StringArrayVar(&tags, "tag", nil, "put it under this `TAG` too; repeatable")
	cmd.Flags().StringVar(&from, "source", "", "`URL` of the sources, for registries to show")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		to, err := registry.reference(args[1])
		if err != nil {
			return err
		}
		signers, err := signing.check()
		if err != nil {
			return err
		}
		set, rules, err := packRules(s, report, args[0], signers)
		if err != nil {
			return err
		}
		at, err := ruleset.Push(cmd.Context(), set, to, from, tags...)
		if err != nil {
			return input(fmt.Errorf("%s: %w", args[1], err))
		}
		fmt.Fprintln(s.Out, at)
		fmt.Fprintf(s.Err, "%s, signed by %s\n", plural(rules, "rule"), plural(len(signers), "key"))
		return nil
	}
	return cmd
}

// packRules makes a signed set of a folder, if its rules can be judged by.
func packRules(s streams, report *reportFlags, dir string, signers []signature.Signer) (*ruleset.Set, int, error) {
	if err := isFolder(dir); err != nil {
		return nil, 0, err
	}
	files, err := folderFiles(dir)
	if err != nil {
		return nil, 0, input(err)
	}
	var rego []*source.File
	for name, text := range files {
		if path.Ext(name) == ".rego" {
			rego = append(rego, &source.File{Path: path.Join(dir, name), Data: text})
		}
	}
	judge, found := policies.Load(policies.Options{Files: rego, NoLibrary: true, Disabled: true})
	texts := func(name string) ([]byte, bool) {
		for _, f := range rego {
			if f.Path == name {
				return f.Data, true
			}
		}
		return nil, false
	}
	if err := report.emit(s, found, texts); err != nil && exitCode(err) != exitFindings {
		return nil, 0, err
	}
	if policies.Failed(found) {
		return nil, 0, failed(exitEngine)
	}
	set, err := ruleset.Pack(files)
	if err != nil {
		return nil, 0, input(fmt.Errorf("%s: %w", dir, err))
	}
	for _, by := range signers {
		if set, err = set.Sign(by); err != nil {
			return nil, 0, engine(err)
		}
	}
	return set, len(judge.Known()), nil
}

func newPolicyPullCmd(s streams) *cobra.Command {
	var registry registryFlags
	var output, env string
	var keys []string
	cmd := &cobra.Command{
		Use:   "pull [PATH | oci://HOST/NAME[:TAG|@DIGEST]]",
		Short: "Fetch rules from a registry",
		Long: `Fetch the rule sets that spec.rules.dirs of the meshc.yaml in PATH names, and keep them
by their digests in the user's folder for caches (MESHC_CACHE sets another). Every other verb
takes them from there and asks no network. Each must be pinned by a digest, and signed by one
of the keys in spec.rules.trust where that is written.

With a reference, fetch that rule set, print the reference by digest, and with -o write its
files to a folder that must not be there. Credentials are those of 'docker login'.`,
		Example: "  meshc policy pull .\n  meshc policy pull oci://registry.example/rules:v1 -o ./rules --key rules.pub",
		Args:    cobra.MaximumNArgs(1),
	}
	report := addReportFlags(cmd)
	registry.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "folder `DIR` to write the files of a reference to")
	cmd.Flags().StringVar(&env, "env", "", "lay the environment `NAME` of meshc.yaml over it")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "require a signature by one of the public keys in `FILE` or folder; repeatable; for a reference")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && oci.IsReference(args[0]) {
			return pullOne(cmd, s, report, &registry, args[0], output, keys)
		}
		if output != "" || len(keys) > 0 {
			return usage(errors.New("-o and --key are for a reference; the keys for a mesh stand in spec.rules.trust"))
		}
		count := 0
		tree, found, err := source.Load(source.Options{Paths: args, Environment: env, RuleSets: fetchedRules(cmd.Context(), registry.plainHTTP, func(at oci.Reference, set *ruleset.Set) {
			count++
			fmt.Fprintf(s.Out, "%s\n", at)
		})})
		if err != nil {
			return errors.Join(input(err), report.emit(s, found, nil))
		}
		var own diag.List
		for _, f := range found { // what else is wrong in the tree is for check
			if policies.Failed(diag.List{f}) {
				own.Add(f)
			}
		}
		if err := report.emit(s, own, tree.Text); err != nil {
			return err
		}
		if count == 0 && len(own) == 0 {
			if err := registry.idle(args...); err != nil {
				return err
			}
			fmt.Fprintln(s.Err, "no rule set is named in spec.rules.dirs")
		}
		return nil
	}
	return cmd
}

// pullOne fetches the rule set of a reference.
func pullOne(cmd *cobra.Command, s streams, report *reportFlags, registry *registryFlags, ref, output string, paths []string) error {
	from, err := registry.reference(ref)
	if err != nil {
		return err
	}
	var keys []signature.Key
	var found diag.List
	for _, p := range paths {
		more, faults, err := signature.LoadKeys(p)
		if err != nil {
			return input(fmt.Errorf("--key: %w", err))
		}
		keys = append(keys, more...)
		found.Add(faults...)
	}
	keep, err := ruleset.DefaultCache()
	if err != nil {
		return input(err)
	}
	set, at, err := ruleset.Pull(cmd.Context(), from, keep)
	var damaged *ruleset.DamagedError
	switch {
	case errors.As(err, &damaged):
		found.Add(diag.New(policies.CodeDamaged, diag.Span{File: ref}, "%q is no whole rule set: %v", ref, err).
			WithEffect("nothing of it is taken").WithHelp("push rules there with `meshc policy push`, or correct the reference"))
	case err != nil:
		return input(fmt.Errorf("%s: %w", ref, err))
	case len(paths) > 0 && len(found) == 0:
		if _, err := set.Check(keys); err != nil {
			found.Add(untrustedSet(diag.Span{File: ref}, ref, err))
		}
	}
	if err := report.emit(s, found, nil); err != nil {
		return err
	}
	if len(found) > 0 {
		return failed(exitFindings)
	}
	if output != "" {
		if err := writeFolder(output, set.Files()); err != nil {
			return input(err)
		}
	}
	fmt.Fprintln(s.Out, at)
	return nil
}
