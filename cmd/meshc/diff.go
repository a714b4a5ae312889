package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
)

type diffFlags struct {
	paths        []string
	env          string
	allEnvs      bool
	mergeBase    bool
	output       string
	failOnChange string
	exitCode     bool
	rulesFrom    string
	registry     registryFlags
	report       *reportFlags
	sources      []diag.Sources // of HEAD, in each environment
}

func newDiffCmd(s streams) *cobra.Command {
	f := &diffFlags{}
	cmd := &cobra.Command{
		Use:   "diff BASE [HEAD]",
		Short: "Tell what a change means: who may now, or no longer, call what",
		Long: `Tell what a change means: which identity may now or no longer call what, which
settings, splits and accounts change, which proxies are sent something else, and
which of their listeners drain.

BASE and HEAD are each a Git revision (main, HEAD~1, a commit; read from the
object store, without a checkout), a folder or file of manifests, a bundle
(./bundle, oci://REGISTRY/NAME:TAG), or the admin address of a running server
(http://HOST:15129). Without HEAD it is the
files as they are now. Where a name could be a path as well as a revision, say
git:NAME or path:NAME. Of revisions, and of the files as they are now, --path is
compared: the working directory if it is left out.

Requests are compared as sets: two expressions that match the same paths are no
change, however they are written. "widened" means that something may be allowed
that was refused before. What is too large to decide is "unknown", and counts as
widened and as narrowed.

Rules, severities and waivers that judge the mesh are compared too, in a section
of their own; judging less strictly is a widening. --rules-from says what they
are compared with, if it is not BASE. Rules that compare with the state before, such
as MSH2505 on the weights of a split, judge HEAD: those of HEAD, or of --rules-from.

The exit code is 0; with --fail-on-change it is 1 when there is such a change,
with --exit-code when there is any. It is 1, too, when a rule that compares has a
finding of --fail-on or above. Where a side does not compile, nothing can be
told: 1 when it is HEAD, 4 when it is BASE.`,
		Example: `  meshc diff HEAD --path examples/01-bookstore
  meshc diff main --merge-base --fail-on-change widen -o markdown > comment.md
  meshc diff examples/01-bookstore examples/05-permissive-to-strict
  meshc diff http://127.0.0.1:15129 ./bundle
  meshc diff HEAD --path examples/04-kustomize-overlays --all-envs`,
		Args: cobra.RangeArgs(1, 2),
	}
	f.report = addReportFlags(cmd)
	cmd.Flags().StringArrayVar(&f.paths, "path", nil, "the `PATH` to compare at revisions and now; repeatable")
	cmd.Flags().StringVar(&f.env, "env", "", "compare the environment `NAME` of meshc.yaml")
	cmd.Flags().BoolVar(&f.allEnvs, "all-envs", false, "compare every environment of meshc.yaml, equal changes told once")
	cmd.Flags().BoolVar(&f.mergeBase, "merge-base", false, "compare with the commit at which HEAD and BASE part, instead of BASE")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "`FORMAT`: text, json or markdown")
	cmd.Flags().StringVar(&f.failOnChange, "fail-on-change", "", "exit with 1 if there is a change of `KIND` widen, narrow or any")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit with 1 if there is any change, as git diff does")
	cmd.Flags().StringVar(&f.rulesFrom, "rules-from", "", "compare rules, severities and waivers with those of `REVISION`, of a folder, or of the rule set oci://HOST/NAME@DIGEST")
	f.registry.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), s, args) }
	return cmd
}

func (f *diffFlags) check() error {
	switch {
	case diffFormats[f.output] == nil:
		return fmt.Errorf("-o %q is none of text, json, markdown", f.output)
	case !slices.Contains([]string{"", "widen", "narrow", "any"}, f.failOnChange):
		return fmt.Errorf("--fail-on-change %q is none of widen, narrow, any", f.failOnChange)
	case f.env != "" && f.allEnvs:
		return errors.New("--env and --all-envs exclude each other")
	}
	return nil
}

func (f *diffFlags) run(ctx context.Context, s streams, args []string) error {
	if err := f.check(); err != nil {
		return usage(err)
	}
	if err := f.registry.idle(append([]string{f.rulesFrom}, args...)...); err != nil {
		return err
	}
	base, head, err := f.sides(ctx, args)
	if err != nil {
		return err
	}
	defer base.close()
	defer head.close()
	r, err := f.compare(s, base, head)
	if err != nil {
		return err
	}
	if err := diffFormats[f.output](s.Out, r, f.report.colored(s.Out)); err != nil {
		return err
	}
	if err := f.reported(s, r); err != nil || !f.fails(r) {
		return err
	}
	return failed(exitFindings)
}

func (f *diffFlags) fails(r *difference) bool {
	switch {
	case f.exitCode || f.failOnChange == "any":
		return len(r.Changes) > 0
	case f.failOnChange == "widen":
		return r.Widens
	case f.failOnChange == "narrow":
		return r.Narrows
	}
	return false
}

// sides opens what is compared. HEAD is opened first: with --merge-base it says
// which commit BASE is.
func (f *diffFlags) sides(ctx context.Context, args []string) (base, head *diffSide, err error) {
	if len(args) == 2 {
		head, err = f.side(ctx, args[1])
	} else {
		head, err = f.present()
	}
	if err != nil {
		return nil, nil, err
	}
	name := args[0]
	if f.mergeBase {
		if name, err = f.parting(name, head); err != nil {
			head.close()
			return nil, nil, err
		}
	}
	if base, err = f.side(ctx, name); err != nil {
		head.close()
		return nil, nil, err
	}
	return base, head, nil
}

// difference is what a run tells.
type difference struct {
	Base    sideName     `json:"base"`
	Head    sideName     `json:"head"`
	Widens  bool         `json:"widens"`
	Narrows bool         `json:"narrows"`
	Changes []told       `json:"changes"`
	Proxies []envProxies `json:"proxies,omitempty"`
	// Findings of rules that compare HEAD with BASE.
	Findings []foundBy `json:"findings,omitempty"`
	// Files that differ as text, of both sides together.
	Files int `json:"filesChanged"`
	// Environments that were compared; empty: the mesh without one.
	Environments []string `json:"environments,omitempty"`
}

// told is a change with the environments it is one of.
type told struct {
	diff.Change
	Environments []string `json:"environments,omitempty"`
}

type envProxies struct {
	Environments []string `json:"environments,omitempty"`
	diff.Proxies
}

// compare compares two sides in every environment that was asked for.
func (f *diffFlags) compare(s streams, base, head *diffSide) (*difference, error) {
	envs, err := f.environments(base, head)
	if err != nil {
		return nil, err
	}
	r := &difference{Changes: []told{}}
	if f.allEnvs {
		r.Environments = envs
	}
	for _, env := range envs {
		c, err := f.compareIn(s, env, base, head)
		if err != nil {
			return nil, err
		}
		r.add(env, c)
	}
	r.Base, r.Head, r.Files = base.sideName, head.sideName, filesChanged(base, head)
	return r, nil
}

// add takes in the changes of an environment; what is equal in several is told
// once.
func (r *difference) add(env string, of compared) {
	var here []string
	if len(r.Environments) > 0 {
		here = []string{env}
	}
	r.Widens, r.Narrows = r.Widens || of.changes.Widens(), r.Narrows || of.changes.Narrows()
	for _, c := range of.changes {
		i := slices.IndexFunc(r.Changes, func(o told) bool { return sameChange(o.Change, c) })
		if i < 0 {
			r.Changes = append(r.Changes, told{c, here})
		} else {
			r.Changes[i].Environments = append(r.Changes[i].Environments, here...)
		}
	}
	if !of.proxies.Empty() {
		r.Proxies = append(r.Proxies, envProxies{here, of.proxies})
	}
	r.addFindings(here, of.findings)
}

// sameChange compares what people read: overlays differ in their positions.
func sameChange(a, b diff.Change) bool {
	return a.Kind == b.Kind && a.Effect == b.Effect && a.Text == b.Text && a.Note == b.Note && a.Namespace == b.Namespace && a.Source == b.Source
}
