package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// checkCommand is a run of check: its flags, by what they are about.
type checkCommand struct {
	output   string
	watching bool
	report   *reportFlags
	compile  *compileFlags
	held     contractFlags
	fixes    fixFlags
	locked   lockedFlags
	compat   compatFlags
}

const checkHelp = `Find what is wrong in manifests: every finding that build would have, with its
place, what it means for the mesh and what to do. No Envoy configuration is made, so
a defect of meshc itself (MSH0498, MSH0499) shows in build alone. Nothing is written.

PATH is as in build. -o FORMAT is the same as --report FORMAT,
and may stand beside a --report FORMAT=FILE.

--write-baseline FILE writes what may be accepted for now: rules' findings, and the
compiler's warnings and hints from MSH1000 on. With --baseline FILE these are shown
and not counted, new ones are, and lines that nothing needs any more are told.

--fix makes the changes that findings offer: misspelt names and fields, versions,
quotation marks, dots in paths and the like, wherever nobody could mean otherwise.
Comments and layout stay. It compiles again, goes on until nothing is left to fix,
and reports what is left. What came from standard input, or is rendered by a
kustomization, is not changed, nor is what aliases of YAML repeat where one of them
means what it says; which is told.

--changed-since REVISION shows, and counts, only findings on objects that differ from
that revision and on what is at the other end of a reference to or from them; how many
others there are is told. A setting of the whole mesh concerns everything, and so does
a rule, a severity or a parameter that differs, unless --rules-from judges. --base gives
the state before to rules that compare, and leaves nothing out.

With --rules-from REF the rules, parameters, severities and waivers of that revision or
folder judge, or those of a rule set, so that a change cannot excuse itself; what the
tree says otherwise is told. A rule set is pinned, oci://HOST/NAME@sha256:..., and is
fetched once: 'meshc policy push' prints the reference.

--watch goes on until Ctrl-C: after each edit it tells which findings appeared and
which are gone, and how long after the first notice of the edit. It prints text or
compact; a --report FORMAT=FILE is written anew each time. A finding that only moves
with the lines around it is neither. It ends as a check of the last state would.

With --contract REF the manifests are those of an application, whose policy lies
in another repository: they are held against what that policy relies on, as
'meshc lock --contract' wrote it there. What breaks the mesh is an error, what
widens it a warning. REF is a folder or a file, a revision of a repository on
disk, git:[REPOSITORY@]REVISION[:PATH], or oci://HOST/NAME[:TAG|@DIGEST]. Nothing
else is judged but how the manifests are written. Where there are contracts for
several environments, all are held, and findings name theirs; --env picks one.

With --compat conftest, policies that were written for conftest judge every document as
well, also those of kinds that the mesh does not read, as they are: deny and violation are
errors, warn is a warning, exceptions spare what they name; waivers and baselines count for
them as for all else. They have no network, no
environment and no files.`

func newCheckCmd(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [PATH...]",
		Short: "Find what is wrong in manifests, without building",
		Long:  checkHelp,
		Example: `  meshc check examples/01-bookstore
  meshc check --fix --dry-run examples/01-bookstore
  meshc check examples/01-bookstore --write-baseline baseline.txt
  meshc check examples/01-bookstore --baseline baseline.txt --fail-on info
  meshc check ./manifests -o json --fail-on warning
  meshc check ./manifests --watch -o compact
  meshc check --changed-since main --rules-from main
  meshc check ./deploy --contract ../policy/contracts
  meshc check ./deploy --contract oci://registry.example/contracts:main --env prod
  helm template shop ./chart | meshc check --contract git:../policy@main:contracts -
  meshc check ./manifests --compat conftest --policy ./policy`,
	}
	f := &checkCommand{report: addReportFlags(cmd), compile: addCompileFlags(cmd)}
	f.compile.noPlan = true
	f.compile.judging = addJudgingFlags(cmd)
	f.compile.judging.addSince(cmd)
	f.fixes.add(cmd)
	f.locked.add(cmd)
	f.compat.add(cmd)
	f.compat.addJudging(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "", "report `FORMAT`: the same as --report")
	cmd.Flags().BoolVar(&f.watching, "watch", false, "go on, and tell after every edit what it changed, until Ctrl-C")
	f.held.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(cmd); err != nil {
			return err
		}
		f.compile.compat = f.compat.run(f.compile.judging)
		if f.held.ref != "" {
			return f.held.run(s, f.report, args, f.compile.env, f.compile.judging.registry)
		}
		if err := f.compile.judging.prepare(s, f.compile, f.report, args, []string{f.compile.env}); err != nil {
			return err
		}
		if f.watching {
			ctx, stop := untilStopped(cmd)
			defer stop()
			return (&checkWatch{s: s, report: f.report, compile: f.compile, locked: &f.locked, paths: args}).run(ctx)
		}
		return f.once(s, args)
	}
	return cmd
}

// check refuses flags that do not go together.
func (f *checkCommand) check(cmd *cobra.Command) error {
	if err := f.compat.check(cmd); err != nil {
		return err
	}
	if err := f.fixes.check(f.watching || cmd.Flags().Changed("changed-since")); err != nil {
		return err
	}
	if f.output != "" {
		if slices.ContainsFunc(f.report.reports, func(spec string) bool { return !toFile(spec) }) {
			return usage(errors.New("-o and --report without a file say the same: use one"))
		}
		f.report.reports = append([]string{f.output}, f.report.reports...)
	}
	if err := f.held.check(cmd); err != nil {
		return usage(err)
	}
	return nil
}

// once judges the manifests as they are now.
func (f *checkCommand) once(s streams, paths []string) error {
	c, err := f.compile.compile(s, f.report, paths)
	if err != nil {
		return err
	}
	if err := f.fixes.apply(s, c); err != nil {
		return err
	}
	c.Findings.Add(f.locked.check(c)...)
	left := c.narrow()
	if err := c.report(s, f.report); err != nil || left > 0 {
		fmt.Fprint(s.Err, notShown(left))
		return err
	}
	if len(c.Findings) == 0 && f.output == "" && len(f.report.reports) == 0 {
		fmt.Fprintf(s.Err, "no findings in %s\n", plural(len(c.Tree.Names()), "file"))
	}
	return nil
}
