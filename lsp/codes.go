package lsp

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
	"github.com/meshc/meshc/policies"
)

// documents of codes on the web.
const documentation = "https://github.com/meshc/meshc/blob/main/docs/"

// rules are the pages of the rules that are compiled in, by code.
var rules = sync.OnceValue(func() map[diag.Code]string {
	out := map[diag.Code]string{}
	for _, r := range policies.LibraryRules() {
		out[r.Code] = path.Base(path.Dir(r.File))
	}
	return out
})

// description is the page of a code; nil for a rule that users own.
func description(code diag.Code) *protocol.CodeDescription {
	if page, ok := rules()[code]; ok {
		return &protocol.CodeDescription{Href: documentation + "rules/" + page + ".md"}
	}
	e, ok := diag.Lookup(code)
	if !ok {
		return nil
	}
	return &protocol.CodeDescription{Href: documentation + "findings.md#" + anchor(string(e.Code)+": "+e.Title)}
}

// anchor is what a heading is called in a link to it.
func anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-', r == '_', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}

// entryOf finds what is known of a code: a rule's before a built-in one's.
func entryOf(code diag.Code) (diag.Entry, bool) {
	if _, rule := rules()[code]; rule {
		for _, e := range policies.Entries() {
			if e.Code == code {
				return e, true
			}
		}
	}
	return diag.Lookup(code)
}

// explanation is what `meshc explain` says of a code, in Markdown.
func explanation(e diag.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**: %s\n\n%s in a build, %s at admission, %s in a live mesh.\n\n%s\n",
		e.Code, e.Title, e.Build, e.Admission, e.Live, strings.TrimSpace(e.Explain))
	for _, x := range []struct{ head, text string }{{"Bad", e.Bad}, {"Good", e.Good}} {
		if x.text != "" {
			fmt.Fprintf(&b, "\n%s:\n\n```yaml\n%s\n```\n", x.head, strings.Trim(x.text, "\n"))
		}
	}
	return b.String()
}

const commandExplain = "meshc.explain"
