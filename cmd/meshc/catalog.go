package main

import (
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
)

func newCatalogCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "Look at what runs: services, workloads, identities",
	}
	cmd.AddCommand(newCatalogExportCmd(s))
	return cmd
}

func newCatalogExportCmd(s streams) *cobra.Command {
	var path, from, output string
	var cluster clusterFlags
	cmd := &cobra.Command{
		Use:     "export --catalog FILE | --from cluster",
		Short:   "Write all facts of a catalog in the form of meshc.lock",
		Long:    "What is exported is what policy may rest on: services with their ports and accounts,\naccounts, and what workloads back together. No address, weight or health. A build pins\nwhat it needs of it with `meshc lock --update --from FILE`.\n\nWith --from cluster it is what a Kubernetes cluster holds. A pod counts as meshed\nif its namespace is in the mesh and nothing opts it out, whether it was started\nwith its sidecar yet or not.",
		Example: "  meshc catalog export --catalog catalog.yaml -o facts.lock\n  meshc catalog export --from cluster --context prod -o facts.lock",
		Args:    cobra.NoArgs,
	}
	report := addReportFlags(cmd)
	cmd.Flags().StringVar(&path, "catalog", "", "`FILE` of the catalog")
	cmd.Flags().StringVar(&from, "from", "", "a `CATALOG`'s file, or the word cluster")
	cmd.MarkFlagsOneRequired("catalog", "from")
	cmd.MarkFlagsMutuallyExclusive("catalog", "from")
	cluster.add(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if path == "" {
			path = from
		}
		var known ir.Known
		var err error
		if from == fromCluster {
			if known, err = cluster.facts(cmd.Context(), "", time.Now()); err != nil {
				return input(err)
			}
		} else if known, err = factsOf(s, report, path); err != nil || known.Header.From == "" {
			return err
		}
		text := resolve.PrintLock(known)
		if output == "" {
			_, err = s.Out.Write(text)
		} else {
			err = os.WriteFile(output, text, 0o644)
		}
		if err != nil {
			return input(err)
		}
		return nil
	}
	return cmd
}

// factsOf are the facts of a catalog's file, none of a faulty one.
func factsOf(s streams, report *reportFlags, path string) (ir.Known, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return ir.Known{}, input(err)
	}
	snap, findings := file.Parse(path, data)
	if len(findings) > 0 {
		sources := func(name string) ([]byte, bool) { return data, name == path }
		if err := report.emit(s, findings, sources); err != nil || snap == nil {
			return ir.Known{}, err
		}
	}
	return ir.Known{
		Facts:  catalog.Facts(snap),
		Header: ir.LockHeader{From: "file " + filepath.Base(path), By: whoami(), At: time.Now().UTC().Format(time.RFC3339)},
	}, nil
}

// whoami is who exports, for the lock's header; empty where nobody can tell.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
