package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
)

func newLockCmd(s streams) *cobra.Command {
	var update bool
	var from string
	cmd := &cobra.Command{
		Use:   "lock [PATH...]",
		Short: "Pin what the policy needs to know of things that are not in the tree",
		Long: `Write meshc.lock: the facts that the policy in PATH needs and that no manifest
there shows, one a line. Facts that nothing needs any more are left out.

New facts come from --from EXPORT, a file that 'meshc catalog export' wrote; what
the lock already holds stays, unless --update takes everything from the export.`,
		Example: `  meshc catalog export --catalog catalog.yaml > export.lock
  meshc lock ./policy --from export.lock
  meshc lock ./policy --update --from export.lock`,
	}
	report := addReportFlags(cmd)
	compile := addCompileFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "`EXPORT` to take new facts from")
	cmd.Flags().BoolVar(&update, "update", false, "take every fact from the export anew")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if update && from == "" {
			return usage(errors.New("--update needs --from EXPORT"))
		}
		c, err := compile.compile(s, report, args)
		if err != nil {
			return err
		}
		known, findings, err := newFacts(c.Lock, from, update)
		if err != nil {
			return err
		}
		pinned, findings := pin(c, known, findings, from != "")
		if findings.HasErrors() {
			return report.emit(s, findings, c.text)
		}
		if err := replaceFile(filepath.FromSlash(c.Lock.Path), resolve.PrintLock(pinned)); err != nil {
			return input(err)
		}
		fmt.Fprintf(s.Out, "%s: %s\n", c.Lock.Path, plural(len(pinned.Facts), "fact"))
		return report.emit(s, findings, c.text)
	}
	return cmd
}

// newFacts are the facts there are to choose from: the lock's before the
// export's, or the export's alone.
func newFacts(lock lockFile, from string, update bool) (ir.Known, diag.List, error) {
	if from == "" {
		return lock.Known, nil, nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return ir.Known{}, nil, input(err)
	}
	known, findings := resolve.ParseLock(from, data)
	if !update {
		known.Facts = append(append([]ir.Fact{}, lock.Known.Facts...), known.Facts...)
	}
	return known, findings, nil
}

// pin keeps the facts that the tree needs. An export is complete: what it does
// not know is absent. The findings are those of a build with the new lock.
func pin(c *compilation, known ir.Known, findings diag.List, complete bool) (ir.Known, diag.List) {
	result, _ := compiler.Compile(c.Tree, known, compiler.Options{Now: c.Now, NoPlan: true})
	used := result.Used
	pinned := ir.Known{Header: known.Header, Facts: used.Facts}
	if complete {
		pinned.Facts = append(pinned.Facts, used.Unknown...)
	}
	_, more := compiler.Compile(c.Tree, pinned, compiler.Options{Now: c.Now, NoPlan: true})
	findings.Add(more...)
	return pinned, findings
}

// replaceFile writes a file so that readers see the old one or the new one.
func replaceFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
