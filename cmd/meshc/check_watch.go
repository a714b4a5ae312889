package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/gitops/watch"
)

// checkWatch is a check that goes on: one session follows the files, and every edit
// is answered with what it changed among the findings.
type checkWatch struct {
	s       streams
	report  *reportFlags
	compile *compileFlags
	locked  *lockedFlags
	paths   []string

	session *compiler.Session
	before  *earlier // of the revisions, as they are when it begins
	kept    source.Kept
	last    watched
	told    bool // something
}

// watched is what is known of the files.
type watched struct {
	tree   *source.Tree // that was compiled; nil: none yet
	lock   lockFile
	day    string            // of the judgement
	compat [sha256.Size]byte // of the policies of another tool
	judged diag.List         // of the tree, sorted
	left   int               // findings that --changed-since leaves out
	// Of files that cannot be loaded now: the tree before stays what is judged.
	faults  diag.List
	failure string
	text    diag.Sources
	end     func() error // what a check of it would end with
}

// all are the findings that hold, sorted.
func (a watched) all() diag.List {
	if len(a.faults) == 0 {
		return a.judged
	}
	return slices.Concat(a.judged, a.faults).Sorted()
}

// watchable refuses flags that make no sense for a check that goes on.
func (w *checkWatch) watchable() error {
	if _, err := w.report.of(nil, nil); err != nil {
		return err
	}
	if slices.Contains(w.paths, "-") {
		return usage(errors.New("--watch follows files, and standard input is none"))
	}
	for _, spec := range w.report.reports {
		if format, _, _ := strings.Cut(spec, "="); !toFile(spec) && format != "text" && format != "compact" {
			return usage(fmt.Errorf("--watch prints text or compact; %s is for a file, which is written anew after every edit: --report %s=FILE", format, format))
		}
	}
	return nil
}

// run checks, and checks again after every edit, until the context ends. It ends as
// a check of the last state would.
func (w *checkWatch) run(ctx context.Context) error {
	if err := w.watchable(); err != nil {
		return err
	}
	files, err := watch.New(watch.Poll)
	if err != nil {
		return engine(fmt.Errorf("files cannot be watched: %w", err))
	}
	defer files.Close()
	opts := compiler.Options{NoPlan: w.compile.noPlan, NoRules: w.compile.noRules, NoVerify: w.compile.noVerify, Baseline: w.compile.judging.accepted}
	if opts.Now, err = w.compile.judging.time(); err != nil {
		return usage(err)
	}
	if w.before, err = w.compile.judging.open(opts, w.paths, w.compile.env); err != nil {
		return err
	}
	opts.Base, opts.Ruling = w.before.base, w.before.ruling
	if w.compile.compat != nil {
		opts.Also = w.compile.compat.also
	}
	w.session = compiler.NewSession(ir.Known{}, opts)
	files.Follow(w.follows()...)
	for edit := (watch.Edit{At: time.Now()}); ; {
		if err := w.answer(edit.At); err != nil {
			return err
		}
		if files.Follow(w.follows()...) { // something may have changed there before
			if err := w.answer(time.Now()); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return w.last.end()
		case edit = <-files.Edits():
		case <-time.After(unhurried):
			collectEarly()
			select {
			case <-ctx.Done():
				return w.last.end()
			case edit = <-files.Edits():
			}
		}
	}
}

// unhurried is how long after an answer nobody is taken to wait for another.
const unhurried = 300 * time.Millisecond

// follows are the paths whose changes concern the check.
func (w *checkWatch) follows() []string {
	out := slices.Clone(w.paths)
	if len(out) == 0 {
		out = []string{"."}
	}
	if t := w.last.tree; t != nil {
		out = append(out, w.last.lock.Path)
		if t.Config != nil {
			out = append(out, t.Dir())
		}
		out = append(out, t.Names()...)
	}
	return append(out, w.compile.compat.follows()...)
}

// answer tells what is other than before. An error is about the run, not the files.
func (w *checkWatch) answer(since time.Time) error {
	now, err := w.compile.judging.time()
	if err != nil {
		return usage(err)
	}
	next, changed, err := w.look(now)
	if err != nil {
		return err
	}
	if !changed && w.told {
		return nil
	}
	before := w.last
	w.last = next
	return w.tell(before.all(), next, since)
}

// look loads what changed and judges it; changed is false when nothing did.
func (w *checkWatch) look(now time.Time) (next watched, changed bool, err error) {
	next = w.last
	next.faults, next.failure = nil, ""
	tree, found, err := source.Load(source.Options{Paths: w.paths, Environment: w.compile.env, Kept: &w.kept, RuleSets: keptRules})
	var lock lockFile
	if err == nil {
		var faults diag.List
		lock, faults, err = readLock(tree, w.paths)
		found.Add(faults...)
	}
	if err != nil {
		next.faults, next.failure, next.text = found.Sorted(), err.Error(), tree.Text
		next.end = func() error { return failed(exitInput) }
		return next, next.failure != w.last.failure || !slices.EqualFunc(next.faults, w.last.faults, sameFinding), nil
	}
	day, compat := now.Format(time.DateOnly), w.compile.compat.state()
	if was := w.last; was.tree != nil && was.failure == "" && tree.Same(was.tree) && day == was.day && compat == was.compat && lock.same(was.lock) {
		return next, false, nil
	}
	told, err := w.before.told(tree, w.paths, w.compile.env)
	if err != nil {
		return next, false, err
	}
	w.session.At(now)
	result, more := w.session.Load(tree, lock.Known)
	c := &compilation{Result: result, Tree: tree, Lock: lock, Now: now, Findings: slices.Concat(found, w.compile.judging.faults, told, more), judging: w.compile.judging, before: w.before}
	if err := w.compile.compat.done(c); err != nil { // the policies cannot be read now: what was judged stays
		next.failure, next.text = err.Error(), c.text
		next.end = func() error { return err }
		return next, next.failure != w.last.failure, nil
	}
	c.Findings.Add(w.locked.check(c)...)
	left := c.narrow()
	next = watched{left: left, tree: tree, lock: lock, day: day, compat: compat, judged: c.Findings.InOrder(), text: c.text}
	next.end = func() error {
		report, err := w.report.of(next.judged, nil)
		if err != nil {
			return err
		}
		return c.outcome(report.verdict())
	}
	return next, true, nil
}

func sameFinding(a, b diag.Finding) bool {
	return a.At() == b.At() && a.Mark() == b.Mark()
}
