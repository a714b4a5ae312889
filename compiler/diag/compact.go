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
		fmt.Fprintf(&b, "%s: %s[%s]: %s%s\n", printable(f.At().String()), f.Severity, f.Code, oneLine(f.Message), behind(f))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine makes text of other people fit on one line.
func oneLine(s string) string {
	return printable(strings.Join(strings.Fields(s), " "))
}

// mostQuoted is how many characters of a text of other people a message quotes.
const mostQuoted = 120

// Clip cuts a long text of other people, for a message that quotes it.
func Clip(s string) string {
	if len(s) <= mostQuoted {
		return s
	}
	if runes := []rune(s[:min(len(s), 8*mostQuoted)]); len(runes) > mostQuoted {
		return string(runes[:mostQuoted]) + "..."
	}
	return s
}

// behind is accepted in parentheses, to stand behind a message.
func behind(f Finding) string {
	if why := accepted(f); why != "" {
		return " (" + why + ")"
	}
	return ""
}

// accepted says why a finding does not count; nothing where it does.
func accepted(f Finding) string {
	switch {
	case f.Waiver != nil:
		return oneLine(fmt.Sprintf("waived until %s by %s: %s", f.Waiver.Expires, f.Waiver.Owner, f.Waiver.Reason))
	case f.Known:
		return "in the baseline"
	}
	return ""
}
