package lab

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
	"github.com/meshc/meshc/compiler/verify"
)

// Report is what real Envoys said to verdict tables.
type Report struct {
	Cases []CaseReport
	Took  time.Duration
}

// CaseReport is one case of a table.
type CaseReport struct {
	Table    string
	Name     string
	At       diag.Span
	Question string // "bookbuyer/bookbuyer to bookstore/bookstore:14001 GET /books"
	Expect   ir.Outcome
	IR       ir.Outcome // what the IR says
	Compiled ir.Outcome // what the compiled configuration says
	Live     ir.Outcome // what the Envoys did
	Requests int
	Statuses []int
	By       []string       // the deciding objects, as the Envoys name them
	Shares   map[string]int // requests that reached each backend service
	Faults   []string       // sentences; none: the case holds
}

// Failed counts the cases that do not hold.
func (r Report) Failed() int {
	n := 0
	for _, c := range r.Cases {
		if len(c.Faults) > 0 {
			n++
		}
	}
	return n
}

// splitRequests is how often a request is sent whose shares are measured;
// leafRequests where every leaf is to be met, however it is chosen.
const (
	splitRequests = 1000
	leafRequests  = 100
)

// Test runs the tables of the lab's manifests on its Envoys. An error is a
// failure of the lab; a case that does not hold is in the report.
func (l *Lab) Test(ctx context.Context) (Report, error) {
	start := time.Now()
	var report Report
	result := l.Compiled()
	compiled, err := verdict.Compiled(result.Mesh, result.Plan)
	if err != nil {
		return report, err
	}
	for _, table := range result.Tables {
		for _, c := range table.Cases {
			if err := ctx.Err(); err != nil {
				return report, err
			}
			one, err := l.testCase(c, compiled)
			if err != nil {
				return report, fmt.Errorf("%s: case %q: %w", c.At, c.Name, err)
			}
			one.Table = table.Name
			report.Cases = append(report.Cases, one)
		}
	}
	report.Took = time.Since(start)
	return report, nil
}

func (l *Lab) testCase(c syntax.VerdictCase, compiled *verify.Mesh) (CaseReport, error) {
	result := l.Compiled()
	out := CaseReport{Name: c.Name, At: c.At, Expect: ir.Outcome(c.Expect)}
	r, err := verdict.Question(result.Mesh.Settings.TrustDomain, c)
	if err != nil {
		out.Faults = []string{err.Error()}
		return out, nil
	}
	out.Question = verdict.Sentence(r)
	decided, does, err := verdict.Decide(result.Mesh, compiled, r)
	if err != nil {
		return out, err
	}
	out.IR, out.Compiled = decided.Outcome, does.Outcome
	if decided.Outcome == ir.Unknown {
		out.Faults = []string{decided.Reason}
		return out, nil
	}
	if d := decided.Disagreement(does); d != "" {
		out.Faults = []string{verdict.Defect(d)}
	}
	observed, err := l.Request(r, times(c, decided))
	if err != nil {
		return out, err
	}
	out.Live, _ = observed.Outcome()
	out.Requests, out.Statuses, out.By, out.Shares = len(observed.Seen), observed.Statuses(), observed.By(), observed.Shares()
	out.Faults = slices.Concat(out.Faults, judge(c, observed), disagreements(decided, observed))
	return out, nil
}

// times is how often a case's request must be sent to show what it is to show.
func times(c syntax.VerdictCase, decided ir.Verdict) int {
	if c.Split != nil {
		return splitRequests
	}
	var sum, least uint64
	leaves := 0
	for _, leaf := range decided.Leaves {
		if leaf.Weight == 0 {
			continue
		}
		leaves++
		sum += uint64(leaf.Weight)
		if w := uint64(leaf.Weight); least == 0 || w < least {
			least = w
		}
	}
	switch {
	case leaves <= 1:
		return 1
	case least*10 < sum: // one in ten would be missed by a hundred once in 40,000 runs
		return splitRequests
	}
	return leafRequests
}

// disagreements are the differences between what the IR says and what was met.
func disagreements(decided ir.Verdict, o *Observation) []string {
	var faults []string
	outcome, _ := o.Outcome()
	if outcome != decided.Outcome && outcome != ir.Unknown {
		faults = append(faults, fmt.Sprintf("the IR says %s (%s), the Envoys say %s", decided.Outcome, decided.Reason, outcome))
	}
	for _, name := range o.By() {
		if !slices.Contains(decided.By, name) {
			faults = append(faults, fmt.Sprintf("the Envoys name %s, the IR names %s", name, list(decided.By)))
		}
	}
	if got := o.Statuses(); decided.Status != 0 && outcome != ir.Unknown && !slices.Equal(got, []int{decided.Status}) {
		faults = append(faults, fmt.Sprintf("the IR says status %d, the Envoys answered %s", decided.Status, statuses(got)))
	}
	return faults
}

// Print writes the report for people: a line for each case, its faults below it.
func (r Report) Print(w io.Writer) {
	for _, c := range r.Cases {
		mark := "ok  "
		if len(c.Faults) > 0 {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "%s  %s\n", mark, c.Name)
		fmt.Fprintf(w, "      %s: %s%s\n", c.Question, c.Live, c.details())
		for _, f := range c.Faults {
			fmt.Fprintf(w, "      %s\n", f)
		}
		if len(c.Faults) > 0 {
			fmt.Fprintf(w, "      at %s\n", c.At)
		}
	}
	fmt.Fprintf(w, "%d of %d cases hold on real Envoys, in %.1f s\n", len(r.Cases)-r.Failed(), len(r.Cases), r.Took.Seconds())
}

// details are what was measured beside the outcome.
func (c CaseReport) details() string {
	var parts []string
	if len(c.Statuses) > 0 {
		parts = append(parts, "status "+statuses(c.Statuses))
	}
	if len(c.By) > 0 {
		parts = append(parts, "by "+list(c.By))
	}
	if c.Requests > 1 {
		var shares []string
		for _, name := range slices.Sorted(maps.Keys(c.Shares)) {
			shares = append(shares, fmt.Sprintf("%s %d", name, c.Shares[name]))
		}
		parts = append(parts, fmt.Sprintf("of %d requests %s", c.Requests, strings.Join(shares, ", ")))
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}
