package diag

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// annotationsOfALevel is how many annotations of one level GitHub shows of one step;
// it drops the others without a word.
const annotationsOfALevel = 10

var githubLevel = map[Severity]string{Error: "error", Warning: "warning", Info: "notice"}

// renderGitHub writes workflow commands that become annotations of the lines in a pull
// request: the gravest first, no more than GitHub shows. All findings go to the step
// summary where there is one, and how many are not annotated is said.
func renderGitHub(w io.Writer, r Report) error {
	counting := slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return !f.Counts() })
	slices.SortStableFunc(counting, func(a, b Finding) int { return int(b.Severity) - int(a.Severity) })
	var b strings.Builder
	shown, hidden := map[Severity]int{}, 0
	for _, f := range counting {
		if shown[f.Severity]++; shown[f.Severity] > annotationsOfALevel {
			hidden++
			continue
		}
		b.WriteString(annotation(f))
	}
	if hidden > 0 {
		where := "run meshc with '--report text' to see them"
		if r.Steps != nil {
			where = "they are in the step summary"
		}
		fmt.Fprintf(&b, "%d more findings are not annotated, since GitHub shows %d of a level: %s\n", hidden, annotationsOfALevel, where)
	}
	if r.Steps != nil {
		var summary bytes.Buffer
		if err := renderMarkdown(&summary, r); err != nil {
			return err
		}
		if _, err := r.Steps.Write(summary.Bytes()); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// annotation is one workflow command.
func annotation(f Finding) string {
	at := f.At()
	properties := []string{}
	add := func(name string, value any) {
		properties = append(properties, name+"="+githubProperty.Replace(fmt.Sprint(value)))
	}
	if at.File != "" {
		add("file", at.File)
	}
	if at.Line > 0 {
		add("line", at.Line)
		// Columns count only where a span ends on its own line.
		if at.EndLine == 0 || at.EndLine == at.Line {
			add("col", at.Col)
			if at.EndCol > at.Col {
				add("endColumn", at.EndCol-1) // inclusive
			}
		} else {
			add("endLine", at.EndLine)
		}
	}
	add("title", string(f.Code)+" "+f.Title)
	text := f.Message
	for _, more := range []struct{ head, text string }{{"effect", f.Effect}, {"help", f.Help}} {
		if more.text != "" {
			text += "\n" + more.head + ": " + more.text
		}
	}
	return "::" + githubLevel[f.Severity] + " " + strings.Join(properties, ",") + "::" + githubData.Replace(printableLines(text)) + "\n"
}

// A command ends at its line's end, and a property at a comma: what other people write
// into a file name or a message must not become a command.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
