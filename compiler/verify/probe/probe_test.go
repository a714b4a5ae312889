package probe_test

import (
	"regexp"
	"slices"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// An expression without a string on each side of it would go unproved.
func TestStringsLieOnBothSidesOfAnExpression(t *testing.T) {
	for _, expr := range []string{
		"^(?:/api/v1/.*).*$", "^(?:/a$).*$", "^(?:/books/[0-9]+).*$", `^(?:/a\.b).*$`, "^(?:/(?:get|list)-books).*$", "^(?:/x{2,3}/y?).*$",
	} {
		re := regexp.MustCompile(`\A(?:` + expr + `)\z`)
		in, out := 0, 0
		for _, p := range probe.Paths(expr) {
			if re.MatchString(p) {
				in++
			} else {
				out++
			}
		}
		if in == 0 || out == 0 {
			t.Errorf("%s: %d paths match, %d do not: %q", expr, in, out, probe.Paths(expr))
		}
	}
}

// A dot that lost its backslash takes any character.
func TestAnUnescapedDotIsFound(t *testing.T) {
	if !slices.Contains(probe.Paths(`^(?:/a\.b).*$`), "/azb") {
		t.Errorf("no path tells an escaped dot from another: %q", probe.Paths(`^(?:/a\.b).*$`))
	}
}

func TestHitHoldsEveryPart(t *testing.T) {
	m := ir.Match{Path: "^(?:/a/[a-z]+).*$", Methods: []string{"POST"}, Headers: []ir.HeaderMatch{{Name: "x", Regex: "^(?:one|two)$"}}}
	r := probe.Hit(m)
	if r.Method != "POST" || !regexp.MustCompile(m.Path).MatchString(r.Path) || len(r.Headers) != 1 || r.Headers[0].Value != "one" {
		t.Errorf("%+v", r)
	}
}
