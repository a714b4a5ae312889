package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
)

func newLockCmd(s streams) *cobra.Command {
	var update bool
	var from, contracts string
	cmd := &cobra.Command{
		Use:   "lock [PATH...]",
		Short: "Pin what the policy needs to know of things that are not in the tree",
		Long: `Write meshc.lock: the facts that the policy in PATH needs and that no manifest
there shows, one a line. Facts that nothing needs any more are left out.

New facts come from --from EXPORT: a file that 'meshc catalog export' wrote, or a
folder with the manifests of the applications. What the lock already holds stays,
unless --update takes everything from the export.

With --contract the lock is turned round, too: for each namespace a file with the
facts that the policy relies on there, and the lines of the policy that rely on
them. Applications hold their changes against it: 'meshc check --contract'. It is
written to the folder contracts beside the lock, or to --contract=FOLDER.`,
		Example: `  meshc catalog export --catalog catalog.yaml > export.lock
  meshc lock ./policy --from export.lock
  meshc lock ./policy --update --from export.lock
  meshc lock ./policy --from ../applications
  meshc lock ./policy --contract`,
	}
	report := addReportFlags(cmd)
	compile := addCompileFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "`EXPORT` to take new facts from")
	cmd.Flags().BoolVar(&update, "update", false, "take every fact from the export anew")
	cmd.Flags().StringVar(&contracts, "contract", "", "write what the policy relies on to `FOLDER`, a file for each namespace")
	cmd.Flags().Lookup("contract").NoOptDefVal = besideLock
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if update && from == "" {
			return usage(errors.New("--update needs --from EXPORT"))
		}
		c, err := compile.compile(s, report, args)
		if err != nil {
			return err
		}
		known, findings, err := newFacts(c, from, update)
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
		if contracts != "" {
			if err := writeContracts(s, c, pinned, contracts); err != nil {
				return err
			}
		}
		return report.emit(s, findings, c.text)
	}
	return cmd
}

// newFacts are the facts there are to choose from: the lock's before the
// export's, or the export's alone.
func newFacts(c *compilation, from string, update bool) (ir.Known, diag.List, error) {
	if from == "" {
		return c.Lock.Known, nil, nil
	}
	known, findings, err := readExport(from, c.Now)
	if err != nil {
		return ir.Known{}, nil, input(err)
	}
	if !update {
		known.Facts = append(append([]ir.Fact{}, c.Lock.Known.Facts...), known.Facts...)
	}
	return known, findings, nil
}

// readExport reads the facts of an export, or of the manifests in a folder.
func readExport(from string, now time.Time) (ir.Known, diag.List, error) {
	if info, err := os.Stat(from); err != nil || !info.IsDir() {
		data, err := os.ReadFile(from)
		if err != nil {
			return ir.Known{}, nil, err
		}
		known, findings := resolve.ParseLock(from, data)
		return known, findings, nil
	}
	tree, findings, err := source.Load(source.Options{Paths: []string{from}})
	if err != nil {
		return ir.Known{}, nil, err
	}
	lock, faults, err := readLock(tree, []string{from})
	if err != nil {
		return ir.Known{}, nil, err
	}
	result, more := compiler.Compile(tree, lock.Known, compiler.Options{Now: now, NoPlan: true})
	for _, f := range append(append(findings, faults...), more...) {
		if f.Severity == diag.Error && f.Counts() { // facts of a faulty tree would be guesses
			return ir.Known{}, nil, fmt.Errorf("%s has errors, as %s: %s; see 'meshc check %s'", from, f.At(), f.Message, from)
		}
	}
	return ir.Known{
		Facts:  resolve.FactsOf(result.Mesh, result.Inventory),
		Header: ir.LockHeader{From: "manifests " + filepath.ToSlash(from), By: whoami(), At: now.Format(time.RFC3339)},
	}, nil, nil
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
