package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/lab"
)

func newLabCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Run a mesh on this machine, with real Envoys",
		Long: `Run the mesh that manifests describe on this machine: every replica of a workload
in a network namespace of its own with addresses and names as in a cluster, a
real Envoy beside it, a control plane. No Kubernetes and no root are needed.

Machines without Kubernetes come from the project's catalog.yaml, or the one that
--catalog names: each workload of it runs in a namespace of its own at its own
addresses. The file is followed while the lab runs.`,
	}
	cmd.AddCommand(newLabUpCmd(s), newLabExecCmd(s), newLabTestCmd(s), newLabDownCmd(s))
	return cmd
}

// labFlags are the flags of every verb that starts a lab.
type labFlags struct {
	envoy    string
	catalog  string
	rootless bool
}

func addLabFlags(cmd *cobra.Command) *labFlags {
	f := &labFlags{}
	cmd.Flags().StringVar(&f.envoy, "envoy", "", "Envoy `BINARY` (default MESHC_ENVOY, what 'make envoy' fetched, PATH)")
	cmd.Flags().StringVar(&f.catalog, "catalog", "", "run the machines of the catalog in `FILE`, too (default catalog.yaml beside meshc.yaml)")
	cmd.Flags().BoolVar(&f.rootless, "rootless", false, "use a user namespace even as root")
	return f
}

// options compiles manifests for a lab. Findings are reported; an error among
// them ends the run.
func (f *labFlags) options(s streams, report *reportFlags, compile *compileFlags, paths []string) (lab.Options, error) {
	c, err := compile.compile(s, report, paths)
	if err != nil {
		return lab.Options{}, err
	}
	if err := report.emit(s, report.worth(c.Findings), c.text); err != nil {
		return lab.Options{}, err
	}
	now, err := judgement()
	if err != nil {
		return lab.Options{}, usage(err)
	}
	machines, err := f.machines(s, report, c)
	if err != nil {
		return lab.Options{}, err
	}
	return lab.Options{
		Tree: c.Tree, Known: c.Lock.Known, Now: now, Catalog: machines, Envoy: f.envoy, Rootless: f.rootless,
		Progress: func(text string) { fmt.Fprintln(s.Err, text) },
	}, nil
}

// catalogName is the catalog of a project, beside its meshc.yaml.
const catalogName = "catalog.yaml"

// machines follows the catalog that is named, else the project's; nil where there
// is none. It is followed until the process ends.
func (f *labFlags) machines(s streams, report *reportFlags, c *compilation) (catalog.Provider, error) {
	name := f.catalog
	if name == "" && c.Tree.Config != nil {
		name = filepath.Join(filepath.FromSlash(c.Tree.Dir()), catalogName)
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
	}
	if name == "" {
		return nil, nil
	}
	provider, err := file.OpenWith(name, file.Options{Log: slog.New(slog.DiscardHandler)}) // the lab tells what is wrong
	var invalid *file.Invalid
	if errors.As(err, &invalid) {
		text := func(string) ([]byte, bool) { data, err := os.ReadFile(name); return data, err == nil }
		return nil, report.emit(s, invalid.Findings, text)
	}
	if err != nil {
		return nil, input(err)
	}
	return provider, nil
}
