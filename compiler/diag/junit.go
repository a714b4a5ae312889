package diag

import (
	"encoding/xml"
	"fmt"
	"io"
)

// The part of JUnit's XML that CI servers read: a test case for each finding.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Tests   int          `xml:"tests,attr"`
		Fails   int          `xml:"failures,attr"`
		Skipped int          `xml:"skipped,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name    string      `xml:"name,attr"`
		Tests   int         `xml:"tests,attr"`
		Fails   int         `xml:"failures,attr"`
		Skipped int         `xml:"skipped,attr"`
		Cases   []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		File    string   `xml:"file,attr,omitempty"`
		Line    int      `xml:"line,attr,omitempty"`
		Failure *failure `xml:"failure"`
		Skip    *skip    `xml:"skipped"`
		Out     string   `xml:"system-out,omitempty"`
	}
	failure struct {
		Type    string `xml:"type,attr"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	skip struct {
		Message string `xml:"message,attr"`
	}
)

// renderJUnit writes a suite for each file with findings. A finding that fails the run
// is a failure, one that somebody accepted is skipped, and what only informs passes
// with its text as output. No findings are one case that passes: an empty report is
// read as a broken run.
func renderJUnit(w io.Writer, r Report) error {
	all := junitSuites{Name: "meshc"}
	for _, f := range r.Findings {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != f.At().File {
			all.Suites = append(all.Suites, junitSuite{Name: f.At().File})
		}
		suite := &all.Suites[len(all.Suites)-1]
		c := r.junit(f)
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		all.Tests++
		if c.Failure != nil {
			suite.Fails++
			all.Fails++
		}
		if c.Skip != nil {
			suite.Skipped++
			all.Skipped++
		}
	}
	if len(all.Suites) == 0 {
		all.Tests = 1
		all.Suites = []junitSuite{{Name: "meshc", Tests: 1, Cases: []junitCase{{Name: "no findings", Class: "meshc"}}}}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r Report) junit(f Finding) junitCase {
	c := junitCase{Name: fmt.Sprintf("%s %s", f.Code, f.At()), Class: f.At().File, File: f.At().File, Line: f.At().Line}
	if f.Object != nil {
		c.Class = f.Object.String()
	}
	switch {
	case !f.Counts():
		c.Skip = &skip{oneLine(f.Message) + behind(f)}
	case f.Severity >= r.FailOn:
		c.Failure = &failure{Type: string(f.Code), Message: oneLine(f.Message), Text: plainly(f)}
	default:
		c.Out = plainly(f)
	}
	return c
}

// plainly is all of a finding in a few lines without frames.
func plainly(f Finding) string {
	s := fmt.Sprintf("%s[%s]: %s\n%s: %s\n", f.Severity, f.Code, f.Title, f.At(), f.Message)
	for _, l := range f.Related {
		s += fmt.Sprintf("%s: %s\n", l.Span, l.Label)
	}
	if f.Effect != "" {
		s += "effect: " + f.Effect + "\n"
	}
	if f.Help != "" {
		s += "help: " + f.Help + "\n"
	}
	return printableLines(s) + "docs: meshc explain " + string(f.Code) + "\n"
}
