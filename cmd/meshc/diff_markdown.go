package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diff"
)

// commentLimit is the most characters that GitHub takes in a comment; GitLab
// takes more.
const commentLimit = 65_536

// diffMarkdown is the differences as a comment on a pull request: what widens is
// open, all else folded.
func diffMarkdown(w io.Writer, r *difference, _ bool) error {
	c := comment{left: commentLimit - 400} // the last words always fit
	verdict := "no change in meaning"
	narrows := slices.ContainsFunc(r.Changes, func(c told) bool { return c.Effect == diff.Narrowed || c.Effect == diff.Both })
	switch {
	case r.Widens && narrows:
		verdict = "access is **widened** and narrowed"
	case r.Widens:
		verdict = "access is **widened**"
	case r.Narrows:
		verdict = "access is narrowed"
	case len(r.Changes) > 0:
		verdict = "nothing is widened or narrowed"
	}
	c.write("### meshc diff: " + verdict + "\n\n" + escape(r.summary()) + "\n")
	sections := []struct {
		title string
		open  bool
		of    func(diff.Change) bool
	}{
		{"Widened", true, func(c diff.Change) bool { return c.Effect.Widens() && c.Kind != diff.Rule }},
		{"What judges this change", true, func(c diff.Change) bool { return c.Kind == diff.Rule }},
		{"Narrowed", false, func(c diff.Change) bool { return c.Effect == diff.Narrowed && c.Kind != diff.Rule }},
		{"Other changes", false, func(c diff.Change) bool { return c.Effect == diff.Changed && c.Kind != diff.Rule }},
	}
	for _, s := range sections {
		c.section(r, s.title, s.open, s.of)
	}
	if len(r.Findings) > 0 {
		c.write(fmt.Sprintf("\n#### Found by rules that compare (%d)\n\n", len(r.Findings)))
		c.items(func(add func(string)) {
			for _, f := range r.Findings {
				add("- " + escape(f.text()+r.where(f.Environments)) + fmt.Sprintf(" <sub>%s:%d</sub>\n", escape(f.File), f.Line))
			}
		})
	}
	for _, p := range r.Proxies {
		c.write("\n<details><summary>Proxies" + escape(r.where(p.Environments)) + "</summary>\n\n")
		c.items(func(add func(string)) {
			for _, phrase := range proxyText(p.Proxies) {
				add("- " + escape(phrase) + "\n")
			}
		})
		c.write("\n</details>\n")
	}
	if c.omitted > 0 {
		c.text.WriteString(fmt.Sprintf("\n%s left out: a comment may have %d characters. `meshc diff` prints all.\n", pluralOf(c.omitted, "line is", "lines are"), commentLimit))
	}
	_, err := io.WriteString(w, c.text.String())
	return err
}

// comment is text up to a limit. What does not fit is counted.
type comment struct {
	text    strings.Builder
	left    int
	omitted int
}

// write writes what frames lines; it is short and always fits.
func (c *comment) write(s string) {
	c.text.WriteString(s)
	c.left -= len(s)
}

// items writes lines while there is room.
func (c *comment) items(each func(add func(string))) {
	each(func(line string) {
		if len(line) > c.left {
			c.omitted++
			return
		}
		c.write(line)
	})
}

func (c *comment) section(r *difference, title string, open bool, of func(diff.Change) bool) {
	var chosen []told
	for _, change := range r.Changes {
		if of(change.Change) {
			chosen = append(chosen, change)
		}
	}
	if len(chosen) == 0 {
		return
	}
	if open {
		c.write(fmt.Sprintf("\n#### %s (%d)\n\n", title, len(chosen)))
	} else {
		c.write(fmt.Sprintf("\n<details><summary>%s (%d)</summary>\n\n", title, len(chosen)))
	}
	c.items(func(add func(string)) {
		for _, change := range chosen {
			markdownLines(r, change, add)
		}
	})
	if !open {
		c.write("\n</details>\n")
	}
}

func markdownLines(r *difference, change told, add func(string)) {
	for i, l := range change.Lines() {
		text := escape(l.Text)
		if change.Source != "" {
			text = "**" + escape(change.Source) + "** " + text
		}
		if l.Example != "" {
			text += ", such as " + escape(l.Example)
		}
		text += escape(r.where(change.Environments))
		if i == 0 {
			if change.Note != "" {
				text += "; " + escape(change.Note)
			}
			if by := causesText(change.Causes); by != "" {
				text += " <sub>" + escape(by) + "</sub>"
			}
		}
		add("- `" + l.Effect.Sign() + "` " + text + "\n")
	}
}

// escaper takes the meaning out of what Markdown and GitHub would read: markup,
// HTML, and names of people who would be called by it.
var escaper = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`, "#", `\#`,
	"<", "&lt;", ">", "&gt;", "&", "&amp;", "@", "&#64;", "\n", " ",
)

func escape(s string) string { return escaper.Replace(s) }
