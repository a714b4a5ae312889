package diag

import (
	"fmt"
	"io"
	"strings"
)

// renderCompact writes a line for each finding, as compilers do and editors read it:
// FILE:LINE:COLUMN: SEVERITY[CODE]: MESSAGE.
func renderCompact(w io.Writer, r Report) error {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s[%s]: %s%s\n", printable(f.At().String()), f.Severity, f.Code, oneLine(f.Message), accepted(f))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine makes text of other people fit on one line.
func oneLine(s string) string {
	return printable(strings.Join(strings.Fields(s), " "))
}

// accepted says why a finding does not count, behind its message.
func accepted(f Finding) string {
	switch {
	case f.Waiver != nil:
		return oneLine(fmt.Sprintf(" (waived until %s by %s: %s)", f.Waiver.Expires, f.Waiver.Owner, f.Waiver.Reason))
	case f.Known:
		return " (in the baseline)"
	}
	return ""
}
