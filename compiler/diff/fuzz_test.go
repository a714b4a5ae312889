package diff

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/test/fuzz/guard"
)

// notSent are characters that no header holds, and those that are no single byte.
func notSent(r rune) bool { return r > unicode.MaxASCII || unicode.IsControl(r) && r != '\t' }

// Whatever two expressions and a text: what is said to hold another expression
// matches every text that it matches, and the answer takes bounded work. Were it
// wrong, a change that opens a path would pass for one that opens none.
func FuzzContains(f *testing.F) {
	for _, s := range [][3]string{
		{"/books.*", "/books/[0-9]+", "/books/7"}, {"(?i)/a|b", "/A", "/A"}, {`\b/a\B.*$`, "(?m:^)/a", "/a"}, {"", "()*", ""},
		{"(a|aa)*b", "(a*)*b", "aaab"}, {`[^\x00-\x7f]`, `\PL`, "1"}, {"a{3,1000}", "(?:a{10}){10}", "aaaa"}, {"(?U)a+?", "(?s).*\\z", "a\n"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, a, b, text string) {
		if len(a)+len(b) > 1<<10 || len(text) > 1<<8 || strings.ContainsFunc(text, notSent) {
			return
		}
		for _, expr := range []string{a, b} { // others are findings before they come here
			if size, err := ir.ExpressionSize(expr); err != nil || size > ir.ProgramLimit {
				return
			}
		}
		var contained, known bool
		guard.Run(t, 1<<30, func() { contained, known = Contains(a, b) })
		full := func(expr string) bool {
			re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
			return err == nil && re.MatchString(text)
		}
		if contained && known && full(b) && !full(a) {
			t.Errorf("%q is said to hold all that %q matches, and it does not hold %q", a, b, text)
		}
	})
}
