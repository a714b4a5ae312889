package diag

import (
	"fmt"
	"io"
	"strings"
)

// commentLimit is how many characters a comment of a pull request may have, less room
// for the line that says what was left out.
const commentLimit = 65_536 - 200

// renderMarkdown writes a comment for a pull request: a table of the findings, then
// each with its effect and help, folded. What does not fit is counted.
func renderMarkdown(w io.Writer, r Report) error {
	var b strings.Builder
	b.WriteString("### meshc: " + orNone(r.Summary) + "\n")
	if len(r.Findings) > 0 {
		b.WriteString("\n| | where | what |\n|---|---|---|\n")
	}
	rows := cut(&b, r.Findings, commentLimit*2/3, row)
	if rows < len(r.Findings) {
		fmt.Fprintf(&b, "\n%d more findings do not fit into a comment.\n", len(r.Findings)-rows)
	}
	if rows > 0 {
		b.WriteString("\n<details><summary>effects and help</summary>\n\n")
		if n := cut(&b, r.Findings, commentLimit, details); n < len(r.Findings) {
			fmt.Fprintf(&b, "The texts of %d more findings do not fit into a comment.\n", len(r.Findings)-n)
		}
		b.WriteString("\n</details>\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(summary string) string {
	if summary == "" {
		return "no findings"
	}
	return summary
}

// cut writes findings while they fit, and gives how many did.
func cut(b *strings.Builder, l List, limit int, write func(Finding) string) int {
	for i, f := range l {
		s := write(f)
		if b.Len()+len(s) > limit {
			return i
		}
		b.WriteString(s)
	}
	return len(l)
}

func row(f Finding) string {
	return fmt.Sprintf("| %s %s | %s | %s |\n", f.Severity, f.Code, code(f.At().String()), prose(f.Message+behind(f)))
}

func details(f Finding) string {
	s := fmt.Sprintf("**%s** %s at %s\n", f.Code, prose(f.Title), code(f.At().String()))
	for _, l := range f.Related {
		s += fmt.Sprintf("- %s: %s\n", code(l.Span.String()), prose(l.Label))
	}
	if f.Effect != "" {
		s += "- effect: " + prose(f.Effect) + "\n"
	}
	if f.Help != "" {
		s += "- help: " + prose(f.Help) + "\n"
	}
	return s + "\n"
}

// prose makes other people's text plain: no markup, no mention of anybody.
func prose(s string) string {
	return markup.Replace(oneLine(s))
}

var markup = strings.NewReplacer(
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "|", "\\|", "#", "\\#",
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "&#64;", "~", "\\~", "!", "\\!",
)

// code is text in the type of code, on one line of a table.
func code(s string) string {
	return "`" + strings.NewReplacer("`", "'", "|", "\\|").Replace(oneLine(s)) + "`"
}
