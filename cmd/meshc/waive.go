package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/fix"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/waive"
)

type waiveFlags struct {
	reason, owner, until, path, file string
	dryRun                           bool
	compile                          *compileFlags
}

func newWaiveCmd(s streams) *cobra.Command {
	f := &waiveFlags{}
	cmd := &cobra.Command{
		Use:   "waive CODE TARGET --reason WHY --owner WHO --until DAY [PATH...]",
		Short: "Accept a finding until a day",
		Long: `Write a waiver: the findings of CODE about TARGET are shown and not counted until
the day is over. TARGET is KIND/NAMESPACE/NAME as findings show it, or NAMESPACE/NAME;
kind, namespace and name may hold * and ?.

The waiver goes to --file; without it to the only file with an object of kind
Waivers in PATH, else to the meshc.yaml. All else in the file stays byte for byte.
What cannot be waived, what is not found in PATH and an end beyond rules.maxWaiver
are refused, with what there is. See docs/waivers.md.`,
		Example: `  meshc waive MSH1506 HTTPRouteGroup/bookstore/bookstore-service-routes --until 2027-01-31 \
    --owner team-books --reason "the new target comes next week" examples/01-bookstore --dry-run --now 2027-01-01`,
		Args: cobra.MinimumNArgs(2),
	}
	report := addReportFlags(cmd)
	f.compile = addCompileFlags(cmd)
	f.compile.judging = &judging{}
	cmd.Flags().StringVar(&f.compile.judging.now, "now", "", "judge the end at `TIME` (default the clock, or SOURCE_DATE_EPOCH)")
	cmd.Flags().StringVar(&f.reason, "reason", "", "`WHY` it is accepted")
	cmd.Flags().StringVar(&f.owner, "owner", "", "`WHO` answers for it")
	cmd.Flags().StringVar(&f.until, "until", "", "the last `DAY` on which it holds, as 2027-01-31")
	cmd.Flags().StringVar(&f.path, "field", "", "only the findings in this `FIELD` and below it, as spec.matches")
	cmd.Flags().StringVar(&f.file, "file", "", "`FILE` to write it to: a meshc.yaml, or one of kind Waivers; made when there is none")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the change as a diff, and write nothing")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		w, err := f.waiver(args[0], args[1])
		if err != nil {
			return usage(err)
		}
		return f.run(s, report, w, args[2:])
	}
	return cmd
}

// waiver reads the command line.
func (f *waiveFlags) waiver(code, target string) (syntax.Waiver, error) {
	w := syntax.Waiver{Code: diag.Code(strings.ToUpper(code)), Path: f.path, Reason: f.reason, Owner: f.owner}
	for _, flag := range []struct{ name, value string }{{"--reason", f.reason}, {"--owner", f.owner}, {"--until", f.until}} {
		if strings.TrimSpace(flag.value) == "" || strings.ContainsAny(flag.value, "\r\n") {
			return w, fmt.Errorf("waive needs %s, in one line: who reads the waiver later wants to know", flag.name)
		}
	}
	var err error
	if w.Expires, err = time.Parse(time.DateOnly, f.until); err != nil {
		return w, fmt.Errorf("--until %q is no day: write it as 2027-01-31", f.until)
	}
	parts := strings.Split(target, "/")
	path := slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." })
	switch {
	case path:
		return w, fmt.Errorf("TARGET %q is a path: it is KIND/NAMESPACE/NAME, as findings show it, and sources come after it", target)
	case len(parts) == 3:
		w.Target = syntax.WaiverTarget{Kind: parts[0], Namespace: parts[1], Name: parts[2]}
	case len(parts) == 2:
		w.Target = syntax.WaiverTarget{Namespace: parts[0], Name: parts[1]}
	default:
		return w, fmt.Errorf("TARGET %q is no KIND/NAMESPACE/NAME, as findings show it", target)
	}
	return w, nil
}

func (f *waiveFlags) run(s streams, report *reportFlags, w syntax.Waiver, paths []string) error {
	c, err := f.compile.compile(s, report, paths)
	if err != nil {
		return err
	}
	w, matched, err := waive.Propose(c.Findings, w, c.Config.Rules.MaxWaiver, c.Now)
	if err != nil {
		return usage(err)
	}
	if i := slices.IndexFunc(c.Waivers, func(one syntax.Waiver) bool { return one.Covers(w) }); i >= 0 {
		return usage(fmt.Errorf("a waiver for this until %s stands at %s already", c.Waivers[i].Expires.Format(time.DateOnly), c.Waivers[i].At))
	}
	file, text, err := f.home(c)
	if err != nil {
		return err
	}
	after, err := waive.Write(file, text, w)
	if err != nil {
		return usage(fmt.Errorf("%s: %w", file, err))
	}
	if f.dryRun {
		_, err := s.Out.Write(fix.Unified(file, text, after))
		return err
	}
	if text == nil {
		err = f.create(s, file, after, paths)
	} else {
		err = rewrite([]fix.File{{Path: file, Before: text, After: after}})
	}
	if err != nil {
		return input(err)
	}
	fmt.Fprintf(s.Out, "%s: %s about %s is waived until %s (%s)\n", file, w.Code,
		diag.Object{Kind: w.Target.Kind, Namespace: w.Target.Namespace, Name: w.Target.Name}, w.Expires.Format(time.DateOnly), plural(len(matched), "finding"))
	return nil
}

// home is the file to write to, and its text; nil: it is to be made.
func (f *waiveFlags) home(c *compilation) (string, []byte, error) {
	file := filepath.ToSlash(f.file)
	if file == "" {
		var there []string
		for _, one := range c.Tree.Files {
			if bytes.Contains(one.Data, []byte("kind: Waivers")) && c.closed(one.Path) == "" {
				there = append(there, one.Path)
			}
		}
		switch {
		case len(there) > 1:
			return "", nil, usage(fmt.Errorf("there are several files with waivers: say --file %s", strings.Join(there, ", or --file ")))
		case len(there) == 1:
			file = there[0]
		case c.Tree.Config != nil:
			file = c.Tree.Config.Path
		default:
			return "", nil, usage(errors.New("there is neither a meshc.yaml nor a file with waivers: say --file FILE, in a folder that is built"))
		}
	}
	file = filepath.ToSlash(filepath.Clean(filepath.FromSlash(file)))
	text, err := os.ReadFile(filepath.FromSlash(file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file, nil, nil
	case err != nil:
		return "", nil, input(err)
	}
	if why := c.closed(file); why != "" {
		return "", nil, usage(fmt.Errorf("%s is none of the files that are judged: a waiver in it counts for nothing", file))
	}
	return file, append([]byte{}, text...), nil
}

// create writes a file that was not there, where it counts.
func (f *waiveFlags) create(s streams, file string, text []byte, paths []string) error {
	if err := os.WriteFile(filepath.FromSlash(file), text, 0o644); err != nil {
		return err
	}
	tree, _, err := source.Load(source.Options{Paths: paths, Stdin: s.In, Environment: f.compile.env})
	if err == nil && slices.ContainsFunc(tree.Files, func(one *source.File) bool { return one.Path == file }) {
		return nil
	}
	return errors.Join(fmt.Errorf("%s would be none of the files that are judged", file), err, os.Remove(filepath.FromSlash(file)))
}
