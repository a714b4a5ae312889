package verdict

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Text writes a run as go test does: the failed cases with what does not hold,
// then a line for each table. verbose shows the cases that hold, too.
func Text(w io.Writer, cases []Case, verbose bool) error {
	p := &printer{w: w}
	for i := range cases {
		p.oneCase(&cases[i], verbose)
	}
	for _, t := range Tables(cases) {
		switch {
		case t.Failed == 0:
			p.printf("ok    %s\t%s\n", t.Name, plural(t.Cases, "case"))
		default:
			p.printf("FAIL  %s\t%d of %s\n", t.Name, t.Failed, plural(t.Cases, "case"))
		}
	}
	return p.err
}

// Table is the sum of a table's cases.
type Table struct {
	Name          string
	Cases, Failed int
}

// Tables sums up the cases by table, in the order in which they were run.
func Tables(cases []Case) []Table {
	var out []Table
	for i := range cases {
		if len(out) == 0 || out[len(out)-1].Name != cases[i].Table {
			out = append(out, Table{Name: cases[i].Table})
		}
		t := &out[len(out)-1]
		t.Cases++
		if cases[i].Failed() {
			t.Failed++
		}
	}
	return out
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}

func (p *printer) oneCase(c *Case, verbose bool) {
	if !c.Failed() && !verbose {
		return
	}
	mark := "PASS"
	if c.Failed() {
		mark = "FAIL"
	}
	p.printf("--- %s: %s (%s)\n    %s\n", mark, title(c), c.At, Sentence(c.Request))
	for _, f := range c.Faults {
		p.printf("    %s\n", f.sentence())
	}
	if c.Failed() {
		for _, near := range c.Mesh.Near {
			if !strings.Contains(c.Mesh.Reason, near) {
				p.printf("    near: %s\n", near)
			}
		}
	}
	if verbose {
		p.printf("    %s\n", c.summary())
	}
}

func title(c *Case) string {
	if c.Name == "" {
		return c.Table
	}
	return c.Table + "/" + c.Name
}

// sentence says which column speaks, unless it is the mesh itself.
func (f Fault) sentence() string {
	if f.In == InMesh || f.In == InAgreement {
		return f.Message
	}
	return string(f.In) + ": " + f.Message
}

// summary is what the columns say in one line.
func (c *Case) summary() string {
	out := string(c.Mesh.Outcome)
	if len(c.Mesh.By) > 0 {
		out += " by " + strings.Join(c.Mesh.By, ", ")
	}
	if c.Live == nil {
		return out
	}
	out += fmt.Sprintf("; envoys: %s", c.Live.Outcome)
	if len(c.Live.Statuses) > 0 {
		out += fmt.Sprintf(", status %s", strings.Trim(fmt.Sprint(c.Live.Statuses), "[]"))
	}
	if c.Live.Requests > 1 {
		var shares []string
		for _, name := range slices.Sorted(maps.Keys(c.Live.Shares)) {
			shares = append(shares, fmt.Sprintf("%s %d", name, c.Live.Shares[name]))
		}
		out += fmt.Sprintf(", of %d requests %s", c.Live.Requests, strings.Join(shares, ", "))
	}
	return out
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Shares are the percentages of a verdict by backend service, for people; empty
// where there is one leaf, or where they depend on endpoints.
func Shares(v ir.Verdict) []string {
	got, ok := shares(v)
	if !ok || len(got) < 2 {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(got)) {
		out = append(out, fmt.Sprintf("%s %.4g%%", name, got[name]))
	}
	return out
}
