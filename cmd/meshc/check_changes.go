package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
)

// changes are the findings that only one of two sorted lists has. One that only moved,
// with the lines around it, is in both.
func changes(before, after diag.List) (appeared, went diag.List) {
	appeared, went = diag.Compared(before, after)
	was, stayed := map[string]int{}, map[string]int{}
	for _, f := range went {
		was[f.Mark()]++
	}
	appeared = slices.DeleteFunc(appeared, func(f diag.Finding) bool {
		m := f.Mark()
		if stayed[m] == was[m] {
			return false
		}
		stayed[m]++
		return true
	})
	went = slices.DeleteFunc(went, func(f diag.Finding) bool {
		m := f.Mark()
		stayed[m]--
		return stayed[m] >= 0
	})
	return appeared, went
}

// tell prints what became of the findings, and how long after an edit that was known.
func (w *checkWatch) tell(before diag.List, next watched, since time.Time) error {
	appeared, went := changes(before, next.all())
	fresh, err := w.report.of(appeared, next.text)
	if err != nil {
		return err
	}
	gone, err := w.report.of(went, nil)
	if err != nil {
		return err
	}
	fresh.Summary = ""
	if err := w.shown(fresh, gone); err != nil {
		return err
	}
	took := time.Since(since)
	if err := w.renew(next); err != nil {
		return err
	}
	fmt.Fprintf(w.s.Err, "%s; answered in %.1f ms\n", w.conclusion(next, len(fresh.Findings), len(gone.Findings)), float64(took.Microseconds())/1000)
	w.told = true
	return nil
}

// shown prints findings that appeared as a check would, and a line for one that went.
func (w *checkWatch) shown(fresh, gone judgedReport) error {
	formats := slices.DeleteFunc(slices.Clone(w.report.reports), func(spec string) bool { return strings.Contains(spec, "=") })
	if len(w.report.reports) == 0 {
		formats = []string{"text"}
	}
	for _, format := range formats {
		if len(fresh.Findings) == 0 {
			break
		}
		if err := w.report.write(w.s, format, fresh); err != nil {
			return err
		}
	}
	compact, err := diag.RendererFor("compact")
	if err != nil {
		return err
	}
	var lines strings.Builder
	if err := compact(&lines, gone.Report); err != nil {
		return err
	}
	for line := range strings.Lines(lines.String()) {
		fmt.Fprint(w.s.Err, "gone: "+line)
	}
	return nil
}

// conclusion is the state of the files in a line.
func (w *checkWatch) conclusion(next watched, appeared, went int) string {
	text := fmt.Sprintf("%d appeared, %d gone: ", appeared, went)
	if !w.told {
		text = ""
	}
	count := summary(next.all())
	if count == "" {
		count = "no findings"
	}
	text += count
	if next.tree != nil {
		text += " in " + plural(len(next.tree.Names()), "file")
	}
	if next.left > 0 {
		text += ", " + strings.TrimSuffix(notShown(next.left), "\n")
	}
	if next.failure != "" {
		return text + "; not judged as it is now: " + next.failure
	}
	return text
}

// renew writes the reports that go to files.
func (w *checkWatch) renew(next watched) error {
	if !slices.ContainsFunc(w.report.reports, func(spec string) bool { return strings.Contains(spec, "=") }) {
		return nil
	}
	report, err := w.report.of(next.all(), next.text)
	if err != nil {
		return err
	}
	for _, spec := range w.report.reports {
		if strings.Contains(spec, "=") {
			if err := w.report.write(w.s, spec, report); err != nil {
				return err
			}
		}
	}
	return nil
}
