package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/diff"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
)

// revisions are the earlier states that a tree is compared with, and judged by.
type revisions struct {
	base      string // --base
	since     string // --changed-since; of check only
	rulesFrom string // --rules-from
	registry  registryFlags
}

func (r *revisions) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.base, "base", "", "give rules the state at `REVISION`, or in a folder, to compare with")
	cmd.Flags().StringVar(&r.rulesFrom, "rules-from", "", "judge by the rules, severities and waivers of `REVISION`, of a folder, or of the rule set oci://HOST/NAME@DIGEST, instead of the tree's own")
	r.registry.add(cmd)
}

// addSince gives a verb --changed-since.
func (r *revisions) addSince(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.since, "changed-since", "", "show and count only what concerns objects that changed since `REVISION`, or from a folder; implies --base")
}

func (r *revisions) check() error {
	if r.base != "" && r.since != "" && r.base != r.since {
		return usage(errors.New("--changed-since is the base of the run: --base names another one"))
	}
	return r.registry.idle(r.rulesFrom)
}

// earlier is what the revisions hold, in one environment.
type earlier struct {
	base    *compiler.Base
	lock    lockFile // of base
	ruling  *compiler.Ruling
	judging func(own diff.Judging) diff.Judging // of ruling, beside the tree's own
	rulesOf string                              // what ruling is called

	was      diff.Judging    // of base
	waivers  []syntax.Waiver // of base
	longest  time.Duration   // that one of them may last; 0: the default
	rejudged bool            // by other rules, severities or parameters than base
}

// open reads the revisions that a run over paths needs.
func (r *revisions) open(opts compiler.Options, paths []string, env string) (*earlier, error) {
	e := &earlier{}
	if name := r.base + r.since; name != "" {
		if r.base != "" {
			name = r.base
		}
		tree, lock, err := revisionOf(name, paths, env, "--base and --changed-since need", func(from *diffSide, tree *source.Tree) (err error) {
			e.was, err = judgingOf(tree, from.has(env, true), from.walk)
			return err
		})
		if err != nil {
			return nil, err
		}
		e.base, e.lock = compiler.Before(tree, lock.Known, opts), lock
		files, _ := syntax.Parse(tree)
		e.waivers, e.longest = files.Waivers, files.Config.Rules.MaxWaiver
	}
	if r.rulesFrom == "" {
		return e, nil
	}
	from, err := rulesFrom(r.rulesFrom, paths, env, r.registry)
	if err != nil {
		return nil, err
	}
	e.rulesOf, e.judging, e.ruling = from.name, from.judging, from.ruling()
	return e, nil
}

// revisionOf loads the manifests of a revision or folder. Paths that it does not
// have are an empty tree; an environment that it does not have is none.
func revisionOf(name string, paths []string, env, needs string, also func(*diffSide, *source.Tree) error) (*source.Tree, lockFile, error) {
	side, err := (&diffFlags{paths: paths}).side(context.Background(), name)
	if err != nil {
		return nil, lockFile{}, err
	}
	defer side.close()
	if side.bundle != nil {
		return nil, lockFile{}, usage(fmt.Errorf("%s manifests, and %s is a bundle", needs, name))
	}
	tree, lock, _, err := side.load(streams{}, side.has(env, true))
	if err != nil && side.tree != nil && errors.Is(err, fs.ErrNotExist) {
		tree, lock, err = source.FromMap(nil), lockFile{Known: ir.Known{}}, nil
	}
	if err == nil && also != nil {
		err = also(side, tree)
	}
	if err != nil {
		return nil, lockFile{}, input(fmt.Errorf("%s: %w", name, err))
	}
	return tree, lock, nil
}

// The codes of what judges otherwise than a tree says.
const (
	codeLessStrict diag.Code = "MSH0930"
	codeMoreStrict diag.Code = "MSH0931"
)

// told are the differences between what judges a tree and what the tree says.
func (e *earlier) told(tree *source.Tree, paths []string, env string) (diag.List, error) {
	if e.ruling == nil && e.base == nil {
		return nil, nil
	}
	own, err := judgingOf(tree, env, (&diffSide{paths: paths}).walk)
	if err != nil {
		return nil, input(err)
	}
	if e.ruling == nil {
		e.rejudged = !e.was.SameRules(own)
		return nil, nil
	}
	var out diag.List
	for _, c := range diff.Rules(e.judging(own), own, usualLevels) {
		at := diag.Span{File: source.ConfigName, Line: 1, Col: 1}
		if tree.Config != nil {
			at.File = tree.Config.Path
		}
		for _, cause := range c.Causes {
			if !cause.Before && cause.Line > 0 {
				at.File, at.Line, at.Col = cause.File, cause.Line, max(1, cause.Col)
			}
		}
		code := codeMoreStrict
		if c.Effect.Widens() {
			code = codeLessStrict
		}
		out.Add(diag.New(code, at, "%s", c.Text).
			WithEffect("it is not in force in this run: %s judges", e.rulesOf).
			WithHelp("compare with `meshc diff %s`", e.rulesOf))
	}
	return out, nil
}

// narrow leaves out the findings that the change since --changed-since does not
// concern, and tells how many. What could not be judged is never left out, and
// where other rules judge, all that they find is of the change.
func (c *compilation) narrow() (left int) {
	if c.judging == nil || c.judging.since == "" || c.Concern == nil || c.before.rejudged {
		return 0
	}
	if !c.Lock.sameText(c.before.lock) {
		c.Concern.Changed(c.Lock.Path)
	}
	all := len(c.Findings)
	c.Findings = slices.DeleteFunc(slices.Clone(c.Findings), func(f diag.Finding) bool {
		return !c.Concern.Holds(f) && !unjudged(f) && !c.before.uncovers(f, c.Now) && f.Code != codeLessStrict && f.Code != codeMoreStrict
	})
	return all - len(c.Findings)
}

// uncovers tells whether a waiver of the base accepted a finding that none accepts
// now: whoever takes a waiver away answers for what it was for.
func (e *earlier) uncovers(f diag.Finding, now time.Time) bool {
	if e.ruling != nil || !f.Counts() {
		return false
	}
	for _, w := range e.waivers {
		if w.Within.File != "" { // lines of the base: what counts is what the comment stood by
			object, _, _ := strings.Cut(w.Beside, ": ")
			w.Within, w.Target = diag.Span{}, syntax.WaiverTarget{}
			if f.Code != w.Code || f.Object == nil || f.Object.String() != object {
				continue
			}
			w.Target = syntax.WaiverTarget{Kind: f.Object.Kind, Namespace: f.Object.Namespace, Name: f.Object.Name}
		}
		if marked := waive.Mark(diag.List{f}, []syntax.Waiver{w}, e.longest, now); marked[0].Waiver != nil {
			return true
		}
	}
	return false
}

func notShown(left int) string {
	if left == 0 {
		return ""
	}
	if left == 1 {
		return "1 finding on what did not change is not shown\n"
	}
	return plural(left, "finding") + " on what did not change are not shown\n"
}
