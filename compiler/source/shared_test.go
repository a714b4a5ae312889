package source

import (
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
)

const repeating = `first: &x none
---
matches:
- &base
  name: a
  pathRegex: &p /a$
  methods: &m
  - get
- {name: b, pathRegex: *p, methods: *m}
- <<: *base
  name: c
- <<: [*base]
  methods: [PUT]
- name: d
  methods: &alone [post]
other: *p
json: [{"name":&j get},*j]
`

// An edit of what aliases repeat changes each of them: whoever edits is told how many,
// and told when it would leave aliases without their anchor.
func TestSharedByCountsWhatAnEditChanges(t *testing.T) {
	for name, c := range map[string]struct {
		at   string // the edit begins here
		line bool   // it takes the whole line
		uses int
	}{
		"a list that is repeated and merged":  {"get", false, 3}, // a, b, c: in the fourth it is another
		"a text that is repeated and merged":  {"/a$", false, 5},
		"a name that every merge but one has": {"a\n  pathRegex", false, 2},
		"a line of a merged map":              {"name: a\n", true, 2},
		"an anchor that nothing repeats":      {"post", false, 1},
		"outside of anchors":                  {"PUT", false, 1},
		"an alias":                            {"*m}", false, 1},
		"an anchor beside a colon":            {"get},*j", false, 2},
		"another document":                    {"none", false, 1},
		"a field with its anchor":             {"methods: &m", true, 0},
	} {
		i := strings.Index(repeating, c.at)
		line := strings.Count(repeating[:i], "\n") + 1
		col := i - strings.LastIndex(repeating[:i], "\n")
		e := diag.Span{File: "a.yaml", Line: line, Col: col, EndLine: line, EndCol: col + 1}
		if c.line {
			e.Col, e.EndLine, e.EndCol = 1, line+1, 1
		}
		got := 1
		if s := SharedBy("a.yaml", []byte(repeating), e, Limits{}); s != nil {
			got = s.Uses
		}
		if got != c.uses {
			t.Errorf("%s: %d values, want %d", name, got, c.uses)
		}
	}
}

// A span is that of the value: an edit of it leaves anchor and tag, and what stands behind.
func TestASpanLeavesOutAnchorsAndTags(t *testing.T) {
	for text, want := range map[string]string{
		"a: {k: &x val, l: 1}":   "val",
		"a: {k: &x 'v l', l: 1}": "'v l'",
		"a: {k: !!str &x 12}":    "12",
		"a: {k: &x [1, 2]}":      "[1, 2]",
		"a: {ü: 1, k: &x val}":   "val",
	} {
		docs, _ := Split("a.yaml", []byte(text), 10)
		root, _ := docs[0].Parse()
		n, _, _ := Find(root, []any{"a", "k"})
		s := docs[0].Span(n)
		if got := string([]rune(text)[s.Col-1 : s.EndCol-1]); got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// A text is taken apart once for all its edits, and again when it has changed.
func TestSharingsFollowTheText(t *testing.T) {
	s := Sharings{}
	at := diag.Span{File: "a.yaml", Line: 1, Col: 7, EndLine: 1, EndCol: 8}
	for _, c := range []struct {
		text string
		uses int
	}{{"a: &x v\nb: *x\n", 2}, {"a: &x v\nb: [*x, *x]\n", 3}, {"a:    v\nb: c\n", 0}, {"a: &x v\nb: *x\n", 2}} {
		for range 2 {
			uses := 0
			if by := s.By([]byte(c.text), at, Limits{}); by != nil {
				uses = by.Uses
			}
			if uses != c.uses {
				t.Errorf("%q: %d values, want %d", c.text, uses, c.uses)
			}
		}
	}
}
