package diag

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func many(n int, s Severity) List {
	var l List
	for i := range n {
		f := sample()
		f.Severity, f.Message = s, fmt.Sprintf("fault %d", i)
		l.Add(f)
	}
	return l
}

// GitHub drops the eleventh annotation of a level without a word: we say so, and the
// whole list is in the step summary.
func TestGitHubIsToldOfWhatItWouldDrop(t *testing.T) {
	var steps bytes.Buffer
	out := render(t, "github", Report{Findings: append(many(12, Warning), many(11, Error)...), Steps: &steps})
	if n := strings.Count(out, "::error "); n != 10 {
		t.Errorf("%d errors are annotated, want 10", n)
	}
	if n := strings.Count(out, "::warning "); n != 10 {
		t.Errorf("%d warnings are annotated, want 10", n)
	}
	if !strings.HasPrefix(out, "::error ") {
		t.Error("a warning comes before the errors")
	}
	if !strings.Contains(out, "3 more findings are not annotated") {
		t.Errorf("nothing says what is hidden:\n%s", out)
	}
	if n := strings.Count(steps.String(), "| warning MSH1004 |") + strings.Count(steps.String(), "| error MSH1004 |"); n != 23 {
		t.Errorf("the step summary has %d findings, want 23", n)
	}
}

// A name in a manifest must not become a command of the workflow, nor markup or a
// mention in a comment.
func TestOthersTextStaysText(t *testing.T) {
	f := sample()
	f.Message = "name \"a\n::set-output name=x::y\" and @everybody <img src=x> | [link](http://x) %0A"
	f.Locations[0].File = "a,b:c\n::error::.yaml"
	for _, line := range strings.Split(strings.TrimSuffix(render(t, "github", Report{Findings: List{f}}), "\n"), "\n") {
		if !strings.HasPrefix(line, "::error file=a%2Cb%3Ac%0A") {
			t.Errorf("a line of the file's making: %q", line)
		}
	}
	md := render(t, "markdown", Report{Findings: List{f}, Summary: "1 error"})
	for _, bad := range []string{"@everybody", "<img", "[link]("} {
		if strings.Contains(md, bad) {
			t.Errorf("the comment contains %q:\n%s", bad, md)
		}
	}
}

// A comment over the limit is refused whole, so what does not fit is counted instead.
func TestACommentFits(t *testing.T) {
	l := many(5_000, Error)
	out := render(t, "markdown", Report{Findings: l, Summary: "5000 errors"})
	if len(out) > 65_536 {
		t.Errorf("the comment has %d characters", len(out))
	}
	if !strings.Contains(out, "more findings do not fit into a comment") {
		t.Error("nothing says that findings are missing")
	}
}

// A message quotes the beginning of a long text, never half a character.
func TestLongQuotesAreCut(t *testing.T) {
	for in, want := range map[string]string{
		"/a": "/a", strings.Repeat("é", 120): strings.Repeat("é", 120), strings.Repeat("é", 200_000): strings.Repeat("é", 120) + "...",
	} {
		if got := Clip(in); got != want {
			t.Errorf("%d bytes became %q", len(in), got)
		}
	}
}

// What somebody accepted is shown as accepted and fails nothing.
func TestAcceptedFindingsDoNotCount(t *testing.T) {
	waived, known := sample(), sample()
	waived.Waiver = &Waiver{Reason: "migration", Owner: "team-a", Expires: "2026-12-31"}
	known.Known = true
	l := List{waived, known}
	if l.HasErrors() {
		t.Error("accepted findings fail the build")
	}
	r := Report{Findings: l, FailOn: Error}
	for format, wants := range map[string][]string{
		"text":     {"waived: until 2026-12-31 by team-a: migration"},
		"compact":  {waived.Message + " (waived until 2026-12-31 by team-a: migration)\n", " (in the baseline)\n"},
		"sarif":    {`"suppressions"`, `"justification": "waived until 2026-12-31 by team-a: migration"`},
		"junit":    {`failures="0" skipped="2"`, " (waived until 2026-12-31"},
		"markdown": {" (waived until 2026-12-31"},
	} {
		out := render(t, format, r)
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %s:\n%s", format, want, out)
			}
		}
	}
	if out := render(t, "github", r); out != "" {
		t.Errorf("GitHub is told of accepted findings:\n%s", out)
	}
	if out := render(t, "gitlab", r); strings.TrimSpace(out) != "[]" {
		t.Errorf("GitLab is told of accepted findings:\n%s", out)
	}
}

// GitLab keeps one finding of a fingerprint, and would lose the second of two alike.
func TestFindingsAlikeHaveFingerprintsOfTheirOwn(t *testing.T) {
	a, b := sample(), sample()
	b.Locations = []Location{{Span: Span{"access.yaml", 2, 3, 2, 8}}}
	var out []struct{ Fingerprint string }
	if err := json.Unmarshal([]byte(render(t, "gitlab", Report{Findings: List{a, b}})), &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 2 || out[0].Fingerprint == out[1].Fingerprint {
		t.Errorf("fingerprints: %v", out)
	}
}

// An item that comes before another in a list does not make the other's fault new.
func TestAFingerprintOutlivesItsNeighbours(t *testing.T) {
	a, b := sample(), sample()
	b.Path = "spec.rules[4].matches[2]"
	if a.Mark() != b.Mark() {
		t.Error("a finding that moved in its list is another")
	}
	b.Message = "no match is named \"other\""
	if a.Mark() == b.Mark() {
		t.Error("two faults have one fingerprint")
	}
}

// Fixes reach editors and code scanning as edits with their places.
func TestSARIFHasFixes(t *testing.T) {
	f := sample().WithFix("name the match there is", Edit{Span: Span{"access.yaml", 5, 15, 5, 24}, NewText: "buy-a-book"})
	out := render(t, "sarif", Report{Findings: List{f}})
	for _, want := range []string{`"startColumn": 15`, `"endColumn": 24`, `"text": "buy-a-book"`, `"relatedLocations"`} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}
