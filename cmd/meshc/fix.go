package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/baseline"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
)

// fixFlags say whether check changes what it finds fault with.
type fixFlags struct{ fix, dryRun bool }

func (f *fixFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.fix, "fix", false, "make the changes that findings offer (fix: in the text), and report what is left")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "with --fix: print the changes as a diff on standard output, and write nothing")
}

func (f *fixFlags) check(narrowed bool) error {
	switch {
	case f.dryRun && !f.fix:
		return usage(errors.New("--dry-run is for --fix"))
	case f.fix && narrowed:
		return usage(errors.New("--fix mends the whole tree, once: it goes with neither --watch nor --changed-since"))
	}
	return nil
}

// apply makes the fixes that the findings offer, as far as they go, compiles what
// came of them and says what was done. Nothing is written before all are made.
func (f *fixFlags) apply(s streams, c *compilation) error {
	if !f.fix {
		return nil
	}
	w := &workbench{c: c, session: compiler.NewSession(c.Lock.Known, c.options)}
	w.session.Load(c.Tree, c.Lock.Known)
	result := fix.Run{Text: c.text, Closed: c.closed, Shared: c.shared(), Compile: w.compile}.All(c.Findings)
	for _, r := range result.Refused {
		fmt.Fprintf(s.Err, "not fixed: %s: %s (%s): %s\n", r.Finding.At(), r.Finding.Code, r.Fix.Title, r.Why)
	}
	done, verb := "fixed", "in"
	if f.dryRun {
		done = "would fix"
		for _, file := range result.Files {
			if _, err := s.Out.Write(fix.Unified(file.Path, file.Before, file.After)); err != nil {
				return err
			}
		}
	} else if err := rewrite(result.Files); err != nil {
		return input(err)
	}
	for _, m := range result.Made {
		if f.dryRun {
			break // the diff says it
		}
		fmt.Fprintf(s.Err, "fixed: %s: %s: %s\n", m.Finding.At(), m.Finding.Code, m.Fix.Title)
	}
	fmt.Fprintf(s.Err, "%s %s %s %s\n", done, plural(len(result.Made), "finding"), verb, plural(len(result.Files), "file"))
	c.Findings = result.Left
	return nil
}

// shared tells how many values an edit changes: a text below an anchor is a value at
// each of its aliases too.
func (c *compilation) shared() func(diag.Edit) (uses int, what string) {
	sharings := source.Sharings{}
	return func(e diag.Edit) (int, string) {
		data, _ := c.text(e.File)
		by := sharings.By(data, e.Span, c.Tree.Limits)
		switch {
		case by == nil:
			return 1, ""
		case by.Uses == 0:
			return 0, fmt.Sprintf("it would take the anchor &%s (%s) away from its aliases: write the values out first", by.Anchor, by.At)
		}
		return by.Uses, fmt.Sprintf("the text below the anchor &%s (%s) is %s, and not all of them have this fault: the others would change too; "+
			"write the value out where it is wrong", by.Anchor, by.At, plural(by.Uses, "value"))
	}
}

// workbench compiles files that fixes have changed. It works on a tree of its own:
// the files on disk are written at the end.
type workbench struct {
	c       *compilation
	session *compiler.Session
}

// compile takes over files, and gives the findings of all stages: those of loading
// stay, as no fix touches what they are about.
func (w *workbench) compile(changed []fix.File) diag.List {
	c := w.c
	for _, file := range changed {
		if c.judging != nil && file.Path == c.judging.name {
			c.judging.text = file.After
			c.judging.accepted, c.judging.faults = baseline.Parse(file.Path, file.After)
			c.options.Baseline = c.judging.accepted
			w.session = compiler.NewSession(c.Lock.Known, c.options)
			continue
		}
		c.Tree = c.Tree.With(file.Path, file.After)
	}
	result, found := w.session.Load(c.Tree, c.Lock.Known)
	c.Result = result
	out := slices.Concat(c.loaded, found)
	if c.judging != nil {
		out.Add(c.judging.faults...)
	}
	return out
}
