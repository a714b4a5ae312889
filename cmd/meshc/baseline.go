package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/baseline"
	"github.com/meshc/meshc/compiler/diag"
)

// judging is by what time, and beside which findings of old, a tree is judged.
type judging struct {
	now      string
	read     string // --baseline
	write    string // --write-baseline
	name     string // of the file that is in force, as findings show it
	text     []byte
	accepted *baseline.Baseline
	faults   diag.List
	revisions
}

// addJudgingFlags gives check and build --now, --baseline and --write-baseline.
func addJudgingFlags(cmd *cobra.Command) *judging {
	j := &judging{}
	cmd.Flags().StringVar(&j.now, "now", "", "judge ends of waivers and assumptions at `TIME`: 2027-01-31, or with a time of day as 2027-01-31T12:00:00Z (default the clock, or SOURCE_DATE_EPOCH)")
	cmd.Flags().StringVar(&j.read, "baseline", "", "do not count the findings that `FILE` has")
	cmd.Flags().StringVar(&j.write, "write-baseline", "", "write the findings to `FILE`, which is then the baseline of this run")
	j.revisions.add(cmd)
	return j
}

// time is the time of judgement.
func (j *judging) time() (time.Time, error) {
	if j == nil || j.now == "" {
		return judgement()
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, j.now); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("--now %q is no time: write 2027-01-31, or 2027-01-31T12:00:00Z", j.now)
}

// prepare makes the baseline: it reads the file, or writes what is found now in
// each of the environments, so that the run itself counts what is left.
func (j *judging) prepare(s streams, f *compileFlags, report *reportFlags, paths, envs []string) error {
	if err := j.revisions.check(); err != nil {
		return err
	}
	if j.read != "" && j.write != "" && filepath.Clean(j.read) != filepath.Clean(j.write) {
		return usage(errors.New("--write-baseline is the baseline of the run: --baseline names another file"))
	}
	if j.write != "" {
		if err := j.renew(s, f, report, paths, envs); err != nil {
			return err
		}
	}
	file := cmp.Or(j.write, j.read)
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return input(err)
	}
	j.name, j.text = filepath.ToSlash(file), text
	j.accepted, j.faults = baseline.Parse(j.name, text)
	return nil
}

// renew writes the findings of all environments.
func (j *judging) renew(s streams, f *compileFlags, report *reportFlags, paths, envs []string) error {
	j.accepted, j.faults = nil, nil
	all, stay := &baseline.Baseline{}, 0
	for _, env := range envs {
		c, err := f.compileEnvironment(s, report, paths, env)
		if err != nil {
			return err
		}
		b, left := baseline.Of(c.Findings)
		all, stay = all.And(b), stay+left
	}
	if err := replaceFile(j.write, all.Print()); err != nil {
		return input(err)
	}
	fmt.Fprintf(s.Err, "%s: %s\n", j.write, plural(all.Len(), "finding"))
	if stay > 0 {
		fmt.Fprintf(s.Err, "%s cannot be in a baseline: mend them\n", plural(stay, "finding"))
	}
	return nil
}

// idle collects, over all environments, the notes about entries of the baseline
// that nothing was found for: an entry that one environment needs is needed.
type idle struct {
	left  int // environments to come; 0: there is but one
	notes diag.List
	begun bool
}

// of takes the notes out of an environment's findings; those that all have had are
// told with the last.
func (i *idle) of(all diag.List) diag.List {
	if i.left == 0 {
		return all
	}
	var rest, notes diag.List
	for _, f := range all {
		if f.Code == baseline.CodeUnneeded {
			notes.Add(f)
		} else {
			rest.Add(f)
		}
	}
	if i.begun {
		i.notes = slices.DeleteFunc(i.notes, func(f diag.Finding) bool {
			return !slices.ContainsFunc(notes, func(g diag.Finding) bool { return f.At() == g.At() })
		})
	} else {
		i.notes, i.begun = notes, true
	}
	if i.left--; i.left == 0 {
		rest.Add(i.notes...)
	}
	return rest
}
