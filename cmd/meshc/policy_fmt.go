package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"
	"github.com/spf13/cobra"
)

func newPolicyFmtCmd(s streams) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Format Rego files in place",
		Long: `Format the Rego files that are named, and those below the folders that are named, in
place. The names of files that changed are printed. With --check nothing is written, and
the exit code is 1 if a file is not formatted.`,
		Example: "  meshc policy fmt ./rules\n  meshc policy fmt --check ./rules",
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; exit 1 if a file is not formatted")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		files, err := regoFiles(args)
		if err != nil {
			return input(err)
		}
		if len(files) == 0 {
			return engine(fmt.Errorf("there is no file that ends in .rego"))
		}
		changed := false
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				return input(err)
			}
			formatted, err := format.SourceWithOpts(name, text, format.Opts{RegoVersion: ast.RegoV1})
			if err != nil {
				return engine(err)
			}
			if bytes.Equal(text, formatted) {
				continue
			}
			changed = true
			fmt.Fprintln(s.Out, name)
			if !check {
				if err := os.WriteFile(name, formatted, 0o644); err != nil {
					return input(err)
				}
			}
		}
		if check && changed {
			return failed(exitFindings)
		}
		return nil
	}
	return cmd
}

// regoFiles are the Rego files at and below paths; the working folder if there are none.
func regoFiles(paths []string) ([]string, error) {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	var out []string
	for _, p := range paths {
		err := filepath.WalkDir(p, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && filepath.Ext(name) == ".rego" {
				out = append(out, name)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
