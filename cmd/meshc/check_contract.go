package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/meshc/meshc/compiler/contract"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// contractFlags hold manifests against what a policy elsewhere relies on.
type contractFlags struct {
	ref  string
	part bool
}

func (f *contractFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.ref, "contract", "", "hold an application's manifests against the contracts at `REF`")
	cmd.Flags().BoolVar(&f.part, "part", false, "with --contract: PATH holds a part of its namespaces only, what is missing may lie elsewhere")
}

// besideContract are the flags that say something of --contract; the others say
// how a policy is judged, which is not there.
var besideContract = []string{"contract", "part", "report", "output", "fail-on", "min-severity", "color", "env", "plain-http"}

func (f *contractFlags) check(cmd *cobra.Command) error {
	if f.ref == "" {
		if f.part {
			return errors.New("--part says something of --contract REF")
		}
		return nil
	}
	var err error
	cmd.Flags().Visit(func(set *pflag.Flag) {
		if !slices.Contains(besideContract, set.Name) {
			err = fmt.Errorf("--%s is about a policy: with --contract only an application is judged", set.Name)
		}
	})
	return err
}

// run reports what the manifests break or widen. Without anything to compare it
// fails: a mistyped path must not look like a change that breaks nothing.
func (f *contractFlags) run(s streams, report *reportFlags, paths []string, env string, from registryFlags) error {
	if err := from.idle(f.ref); err != nil {
		return err
	}
	held, contracts, findings, err := openContracts(f.ref, from)
	if err != nil {
		return err
	}
	contracts, env, faults := f.picked(contracts, paths, env)
	if findings.Add(faults...); faults.HasErrors() {
		return badFlag(report.emit(s, findings, held.Text))
	}
	tree, faults, err := source.Load(source.Options{Paths: paths, Stdin: s.In, Environment: env})
	if findings.Add(faults...); err != nil {
		if len(faults) > 0 { // they have the positions
			_ = report.emit(s, faults, tree.Text) // whatever they are, nothing was compared
			return failed(exitInput)
		}
		return input(err)
	}
	files, more := syntax.Parse(tree)
	findings.Add(more...)
	mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
	findings.Add(contract.Check(contracts, contract.Application{Files: files, Mesh: mesh, Inventory: inventory, Part: f.part})...)
	err = report.emit(s, findings, func(name string) ([]byte, bool) {
		if data, ok := tree.Text(name); ok {
			return data, true
		}
		return held.Text(name)
	})
	switch {
	case err != nil:
		return err
	case len(files.Objects) == 0:
		return engine(fmt.Errorf("nothing was compared: no document of a kind that a mesh reads was found (%s of other kinds)", plural(files.Passed, "document")))
	case len(findings) == 0 && len(report.reports) == 0:
		fmt.Fprintf(s.Err, "no findings: nothing that the policy relies on changes (%s)\n", plural(len(contracts), "contract"))
	}
	return nil
}

// picked are the contracts of the environment that --env names, with those that are
// of none; without one of it nothing can be compared, and the finding says so. An
// application that has no meshc.yaml has no environments of its own to lay over.
func (f *contractFlags) picked(all []*contract.Contract, paths []string, env string) ([]*contract.Contract, string, diag.List) {
	if env == "" {
		return all, "", nil
	}
	picked, found := contract.In(all, env)
	if found.HasErrors() {
		return nil, "", found
	}
	tree, _, err := source.Load(source.Options{Paths: slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == "-" })})
	overlaid := err == nil && tree.Config != nil && (!slices.Contains(paths, "-") || len(paths) > 1)
	switch {
	case overlaid && len(found) > 0, overlaid && slices.Contains(configOf(tree).Environments, env):
		return picked, env, nil // of the application's own, at least: one that it lacks is told by who reads it
	}
	return picked, "", found
}
