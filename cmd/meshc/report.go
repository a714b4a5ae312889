package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/meshc/meshc/compiler/diag"
)

// reportFlags are the flags by which every verb reports findings.
type reportFlags struct {
	reports     []string
	failOn      string
	minSeverity string
	color       string
}

// addReportFlags gives a verb --report, --fail-on and --color.
func addReportFlags(cmd *cobra.Command) *reportFlags {
	f := &reportFlags{}
	cmd.Flags().StringArrayVar(&f.reports, "report", nil, "write findings as `FORMAT[=FILE]` ("+strings.Join(diag.Formats(), ", ")+"); repeatable (default text on standard error)")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "error", "least `SEVERITY` of a finding that makes the exit code 1 (info, warning, error)")
	cmd.Flags().StringVar(&f.minSeverity, "min-severity", "info", "least `SEVERITY` of a finding that is reported")
	cmd.Flags().StringVar(&f.color, "color", "auto", "colour the text: auto, always or never")
	return f
}

// emit writes the findings in every format asked for, and fails the run when one
// reaches --fail-on. sources gives the files the findings point into; it may be nil.
func (f *reportFlags) emit(s streams, findings diag.List, sources diag.Sources) error {
	report, err := f.of(findings, sources)
	if err != nil {
		return err
	}
	reports := f.reports
	if len(reports) == 0 {
		reports = []string{"text"}
	}
	for _, spec := range reports {
		if err := f.write(s, spec, report); err != nil {
			return err
		}
	}
	return report.verdict()
}

// judgedReport is a report of all findings, those too that are not shown.
type judgedReport struct {
	diag.Report
	all diag.List
}

// of is the report of findings that the flags ask for.
func (f *reportFlags) of(findings diag.List, sources diag.Sources) (r judgedReport, err error) {
	if !slices.Contains([]string{"", "auto", "always", "never"}, f.color) {
		return r, usage(fmt.Errorf("--color %q is none of auto, always, never", f.color))
	}
	failOn, err := diag.ParseSeverity(f.failOn)
	if err != nil {
		return r, usage(fmt.Errorf("--fail-on: %w", err))
	}
	least, err := diag.ParseSeverity(cmp.Or(f.minSeverity, diag.Info.String()))
	if err != nil {
		return r, usage(fmt.Errorf("--min-severity: %w", err))
	}
	shown := diag.Report{Findings: atLeast(least, findings.InOrder()), Sources: sources, Summary: summary(findings), FailOn: failOn, Tool: version}
	return judgedReport{shown, findings}, nil
}

// verdict fails the run when a finding reaches --fail-on.
func (r judgedReport) verdict() error {
	if max, ok := r.all.Max(); ok && max >= r.FailOn {
		return failed(exitFindings)
	}
	return nil
}

// write renders to a file, to standard error for text, to standard output for the rest.
func (f *reportFlags) write(s streams, spec string, judged judgedReport) error {
	report := judged.Report
	format, file, toFile := strings.Cut(spec, "=")
	render, err := diag.RendererFor(format)
	if err != nil {
		return usage(fmt.Errorf("--report: %w", err))
	}
	if path := os.Getenv(stepSummary); format == "github" && path != "" {
		steps, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return input(err)
		}
		defer steps.Close()
		report.Steps = steps
	}
	w := s.Out
	if format == "text" {
		w = s.Err
	}
	if toFile && file == "" {
		return usage(fmt.Errorf("--report %s names no file", spec))
	}
	if file == "-" { // as others write standard output
		toFile, w = false, s.Out
	}
	if !toFile {
		report.Color = f.colored(w)
		return render(w, report)
	}
	report.Color = f.color == "always"
	out, err := os.Create(file)
	if err != nil {
		return input(err)
	}
	if err := render(out, report); err != nil {
		out.Close()
		return input(err)
	}
	return out.Close()
}

// toFile tells whether a --report is written to a file.
func toFile(spec string) bool {
	_, file, ok := strings.Cut(spec, "=")
	return ok && file != "-"
}

// stepSummary names the file that a GitHub workflow shows below its annotations.
const stepSummary = "GITHUB_STEP_SUMMARY"

func atLeast(least diag.Severity, all diag.List) diag.List {
	if least == diag.Info {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(f diag.Finding) bool { return f.Severity < least })
}

// colored tells whether w wants colour: a terminal, unless NO_COLOR is set.
func (f *reportFlags) colored(w io.Writer) bool {
	switch f.color {
	case "always":
		return true
	case "never":
		return false
	}
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
}

// summary is the closing line of a text report: what counts, then what somebody
// accepted; nothing for no findings.
func summary(l diag.List) string {
	count := map[diag.Severity]int{}
	waived, known := 0, 0
	for _, f := range l {
		switch {
		case f.Waiver != nil:
			waived++
		case f.Known:
			known++
		default:
			count[f.Severity]++
		}
	}
	var parts []string
	for _, s := range []diag.Severity{diag.Error, diag.Warning, diag.Info} {
		if n := count[s]; n > 0 {
			parts = append(parts, plural(n, s.String()))
		}
	}
	if waived > 0 {
		parts = append(parts, fmt.Sprintf("%d waived", waived))
	}
	if known > 0 {
		parts = append(parts, fmt.Sprintf("%d in the baseline", known))
	}
	return strings.Join(parts, ", ")
}

func plural(n int, noun string) string {
	if n == 1 || noun == "info" {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// worth are the findings that a verb shows which does more than judging: hints
// are for 'meshc check', unless they were asked for.
func (f *reportFlags) worth(all diag.List) diag.List {
	if len(f.reports) > 0 || f.failOn == diag.Info.String() {
		return all
	}
	var out diag.List
	for _, one := range all {
		if one.Severity > diag.Info {
			out.Add(one)
		}
	}
	return out
}
