package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/oci"
)

// lockCommand is a run of lock.
type lockCommand struct {
	update, allEnvs bool
	from, contracts string
	push            string
	registry        registryFlags
	cluster         clusterFlags
	compile         *compileFlags
	report          *reportFlags
}

const lockHelp = `Write meshc.lock: the facts that the policy in PATH needs and that no manifest
there shows, one a line. Facts that nothing needs any more are left out; with
--all-envs, those that no environment of meshc.yaml needs.

New facts come from --from EXPORT: a file that 'meshc catalog export' wrote, or a
folder with the manifests of the applications, or the word cluster: what the
Kubernetes cluster of the current context holds. What the lock already holds stays,
unless --update takes everything from the export.

With --contract the lock is turned round, too: for each namespace a file with the
facts that the policy relies on there, and the lines of the policy that rely on
them. Applications hold their changes against it: 'meshc check --contract'. It is
written to the folder contracts beside the lock, or to --contract=FOLDER; with
--all-envs to a folder for each environment in it. --push puts the contracts into an
OCI registry as well, under a tag, for repositories that have no clone of the policy;
the reference by digest is printed. Credentials are those of 'docker login'.`

func newLockCmd(s streams) *cobra.Command {
	f := &lockCommand{}
	cmd := &cobra.Command{
		Use:   "lock [PATH...]",
		Short: "Pin what the policy needs to know of things that are not in the tree",
		Long:  lockHelp,
		Example: `  meshc catalog export --catalog catalog.yaml > export.lock
  meshc lock ./policy --from export.lock
  meshc lock ./policy --update --from export.lock
  meshc lock ./policy --from ../applications
  meshc lock ./policy --update --from cluster --context prod
  meshc lock ./policy --contract
  meshc lock ./policy --contract --all-envs --push oci://registry.example/contracts:main`,
	}
	f.report, f.compile = addReportFlags(cmd), addCompileFlags(cmd)
	cmd.Flags().BoolVar(&f.allEnvs, "all-envs", false, "pin what every environment of meshc.yaml needs")
	cmd.Flags().StringVar(&f.from, "from", "", "`EXPORT` to take new facts from")
	cmd.Flags().BoolVar(&f.update, "update", false, "take every fact from the export anew")
	cmd.Flags().StringVar(&f.contracts, "contract", "", "write what the policy relies on to `FOLDER`, a file for each namespace")
	cmd.Flags().Lookup("contract").NoOptDefVal = besideLock
	cmd.Flags().StringVar(&f.push, "push", "", "with --contract: put the contracts to `REFERENCE`, oci://HOST/NAME[:TAG], too")
	f.registry.add(cmd)
	f.cluster.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args) }
	return cmd
}

// environments are those to lock; "" is the mesh as it is without one.
func (f *lockCommand) environments(s streams, paths []string) ([]string, error) {
	switch {
	case f.update && f.from == "":
		return nil, usage(errors.New("--update needs --from EXPORT"))
	case f.push != "" && f.contracts == "":
		return nil, usage(errors.New("--push puts contracts into a registry: it needs --contract"))
	case f.allEnvs && f.compile.env != "":
		return nil, usage(errors.New("--env and --all-envs exclude each other"))
	case f.allEnvs:
		return environments(s, paths)
	}
	return []string{f.compile.env}, nil
}

func (f *lockCommand) run(ctx context.Context, s streams, paths []string) error {
	envs, err := f.environments(s, paths)
	if err != nil {
		return err
	}
	var to oci.Reference
	if f.push != "" {
		if to, err = f.registry.reference(f.push); err != nil {
			return err
		}
	}
	if err := f.registry.idle(f.push); err != nil {
		return err
	}
	var all []locked
	var findings diag.List
	for _, env := range envs {
		c, err := f.compile.compileEnvironment(s, f.report, paths, env)
		if err != nil {
			return err
		}
		known, found, err := f.newFacts(ctx, c)
		if err != nil {
			return err
		}
		pinned, found := pin(c, known, found, f.from != "")
		all = append(all, locked{c, env, pinned})
		findings = withNew(findings, found)
	}
	if findings.HasErrors() {
		return f.report.emit(s, findings, texts(all))
	}
	if err := writeLocks(s, all); err != nil {
		return input(err)
	}
	if f.contracts != "" {
		dir, err := writeContracts(s, all, f.allEnvs, f.contracts)
		if err != nil {
			return err
		}
		if f.push != "" {
			if err := pushContracts(ctx, s, dir, to); err != nil {
				return err
			}
		}
	}
	return f.report.emit(s, findings, texts(all))
}

// withNew adds the findings that another environment did not have already.
func withNew(have, more diag.List) diag.List {
	for _, one := range more {
		if !slices.ContainsFunc(have, func(o diag.Finding) bool {
			return o.Code == one.Code && o.At() == one.At() && o.Message == one.Message
		}) {
			have.Add(one)
		}
	}
	return have
}

func texts(all []locked) diag.Sources {
	return func(name string) ([]byte, bool) {
		for _, l := range all {
			if data, ok := l.text(name); ok {
				return data, true
			}
		}
		return nil, false
	}
}

// writeLocks writes the lock, which may be another file in some environments, with
// what all need that share it.
func writeLocks(s streams, all []locked) error {
	var names []string
	facts := map[string]ir.Known{}
	for _, l := range all {
		name := l.Lock.Path
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		facts[name] = ir.Known{Header: l.known.Header, Facts: append(facts[name].Facts, l.known.Facts...)}
	}
	for _, name := range names {
		data := resolve.PrintLock(facts[name])
		if err := replaceFile(filepath.FromSlash(name), data); err != nil {
			return err
		}
		written, _ := resolve.ParseLock(name, data) // what several need is one line
		fmt.Fprintf(s.Out, "%s: %s\n", name, plural(len(written.Facts), "fact"))
	}
	return nil
}

// newFacts are the facts there are to choose from: the lock's before the
// export's, or the export's alone.
func (f *lockCommand) newFacts(ctx context.Context, c *compilation) (known ir.Known, findings diag.List, err error) {
	switch f.from {
	case "":
		return c.Lock.Known, nil, nil
	case fromCluster:
		known, err = f.cluster.facts(ctx, c.Config.Name, c.Now)
	default:
		known, findings, err = readExport(f.from, c.Now)
	}
	if err != nil {
		return ir.Known{}, nil, input(err)
	}
	if !f.update {
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
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name a file", name)
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".new-")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, unwrapped(err))
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
