package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// compileFlags are the flags of every verb that compiles manifests.
type compileFlags struct {
	env string
	// judging is nil for verbs without its flags.
	judging *judging
	// compat judges by policies of another tool too; nil: none does.
	compat *compatRun
	// noPlan is for verbs that want findings or the mesh only.
	noPlan bool
	// Of benchmarks only.
	noRules, noVerify bool
}

// addCompileFlags gives a verb --env.
func addCompileFlags(cmd *cobra.Command) *compileFlags {
	f := &compileFlags{}
	cmd.Flags().StringVar(&f.env, "env", "", "lay the environment `NAME` of meshc.yaml over it")
	return f
}

// compilation is a tree with what it means.
type compilation struct {
	*compiler.Result
	Tree     *source.Tree
	Lock     lockFile
	Now      time.Time      // of the judgement
	Findings diag.List      // of all stages, the lock's too
	others   []diag.Sources // files that are no part of the tree
	judging  *judging
	before   *earlier
	loaded   diag.List // of loading and of the lock alone
	paths    []string
	options  compiler.Options // it was compiled with
}

// compile loads paths and the lock and compiles them. An error means that there
// is nothing to judge; its findings are already reported.
func (f *compileFlags) compile(s streams, report *reportFlags, paths []string) (*compilation, error) {
	return f.compileEnvironment(s, report, paths, f.env)
}

func (f *compileFlags) compileEnvironment(s streams, report *reportFlags, paths []string, env string) (*compilation, error) {
	now, err := f.judging.time()
	if err != nil {
		return nil, usage(err)
	}
	tree, findings, err := source.Load(source.Options{Paths: paths, Stdin: s.In, Environment: env, RuleSets: keptRules})
	if err != nil {
		if len(findings) > 0 { // they have the positions
			if reported := report.emit(s, findings, tree.Text); reported != nil && exitCode(reported) == exitUsage {
				return nil, reported
			}
			return nil, failed(exitInput)
		}
		return nil, input(err)
	}
	lock, faults, err := readLock(tree, paths)
	if err != nil {
		return nil, input(err)
	}
	findings.Add(faults...)
	opts := compiler.Options{Now: now, NoPlan: f.noPlan, NoRules: f.noRules, NoVerify: f.noVerify}
	c := &compilation{Tree: tree, Lock: lock, Now: now, loaded: slices.Clone(findings), judging: f.judging, paths: paths}
	before := &earlier{}
	if f.judging != nil {
		if before, err = f.judging.open(opts, paths, env); err != nil {
			return nil, err
		}
		opts.Baseline = f.judging.accepted
		findings.Add(f.judging.faults...)
	}
	opts.Base, opts.Ruling = before.base, before.ruling
	if f.compat != nil {
		opts.Also = f.compat.also
	}
	told, err := before.told(tree, paths, env)
	if err != nil {
		return nil, err
	}
	c.loaded.Add(told...)
	result, more := compiler.Compile(tree, lock.Known, opts)
	findings.Add(told...)
	if len(findings) == 0 {
		findings = more
	} else {
		findings.Add(more...)
	}
	c.Result, c.Findings, c.options, c.before = result, findings, opts, before
	if err := f.compat.done(c); err != nil {
		return nil, err
	}
	if env != "" && slices.ContainsFunc(findings, func(one diag.Finding) bool { return one.Code == "MSH0119" }) {
		return nil, badFlag(report.emit(s, findings, c.text))
	}
	return c, nil
}

// badFlag ends a run whose findings, written with err, say what is wrong with a flag.
func badFlag(err error) error {
	if err != nil && exitCode(err) != exitFindings {
		return err
	}
	return failed(exitUsage)
}

// text is the content of a file that a finding may point into.
func (c *compilation) text(name string) ([]byte, bool) {
	if name == c.Lock.Path {
		return c.Lock.Data, true
	}
	if c.judging != nil && name == c.judging.name && c.judging.text != nil {
		return c.judging.text, true
	}
	for _, other := range c.others {
		if text, ok := other(name); ok {
			return text, true
		}
	}
	if text, ok := c.Tree.Text(name); ok || c.before == nil || c.before.ruling == nil {
		return text, ok
	}
	return c.before.ruling.Tree.Text(name)
}

// report writes the findings. It fails the run when one reaches --fail-on, and
// with the code of an engine failure when meshc itself is at fault or when there
// was nothing to judge: a mistyped path must not look like a clean mesh.
func (c *compilation) report(s streams, report *reportFlags) error {
	return c.outcome(report.emit(s, c.Findings, c.text))
}

// outcome is how a run ends whose findings alone would end it with err.
func (c *compilation) outcome(err error) error {
	if err == nil && c.Objects == 0 {
		return engine(fmt.Errorf("nothing was compiled: no document of a kind that a mesh reads was found (%s of other kinds)", plural(c.Passed, "document")))
	}
	if err != nil && exitCode(err) == exitFindings && slices.ContainsFunc(c.Findings, unjudged) {
		return failed(exitEngine)
	}
	return err
}

// unjudged tells whether a finding says that something could not be judged.
func unjudged(f diag.Finding) bool {
	return policies.Failed(diag.List{f}) || f.Code == compiler.CodeInternal || f.Code == compiler.CodeUnfaithful
}

// judgement is the time at which end dates are judged. SOURCE_DATE_EPOCH stands
// for the clock where builds must be reproducible.
func judgement() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH %q is no number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}
