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
	var path, output string
	cmd := &cobra.Command{
		Use:     "export --catalog FILE",
		Short:   "Write all facts of a catalog in the form of meshc.lock",
		Long:    "What is exported is what policy may rest on: services with their ports and accounts,\naccounts, and what workloads back together. No address, weight or health. A build pins\nwhat it needs of it with `meshc lock --update --from FILE`.",
		Example: "  meshc catalog export --catalog catalog.yaml -o facts.lock",
		Args:    cobra.NoArgs,
	}
	report := addReportFlags(cmd)
	cmd.Flags().StringVar(&path, "catalog", "", "`FILE` of the catalog (required)")
	_ = cmd.MarkFlagRequired("catalog") // it fails only for a flag that is not there
	cmd.Flags().StringVarP(&output, "output", "o", "", "write to `FILE` instead of standard output")
	cmd.RunE = func(*cobra.Command, []string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return input(err)
		}
		snap, findings := file.Parse(path, data)
		if len(findings) > 0 {
			sources := func(name string) ([]byte, bool) { return data, name == path }
			if err := report.emit(s, findings, sources); err != nil || snap == nil {
				return err
			}
		}
		known := ir.Known{
			Facts:  catalog.Facts(snap),
			Header: ir.LockHeader{From: "file " + filepath.Base(path), By: whoami(), At: time.Now().UTC().Format(time.RFC3339)},
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

// whoami is who exports, for the lock's header; empty where nobody can tell.
func whoami() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
