package diff

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// words are all texts over a small alphabet up to a length.
func words(alphabet string, length int) []string {
	out := []string{""}
	last := out
	for range length {
		var next []string
		for _, w := range last {
			for _, b := range alphabet {
				next = append(next, w+string(b))
			}
		}
		out = append(out, next...)
		last = next
	}
	return out
}

// expression makes a random expression over a, b, / and -, with anchors, folded
// case and word boundaries now and then.
func expression(r *rand.Rand, depth int) string {
	if depth == 0 || r.IntN(5) == 0 {
		return []string{"a", "b", "/", "-", "[ab]", "[^a]", ".", "", "(?i:A)", "^", "$", `\b`, `\B`, `\w`, `(?m:^)`}[r.IntN(15)]
	}
	x := expression(r, depth-1)
	switch r.IntN(8) {
	case 0, 1, 2:
		return x + expression(r, depth-1)
	case 3, 4:
		return "(?:" + x + "|" + expression(r, depth-1) + ")"
	case 5:
		return "(?:" + x + ")*"
	case 6:
		return "(?:" + x + ")?"
	}
	return "(?:" + x + "){1,2}"
}

func TestInclusionAgreesWithEnumeration(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	texts := words("ab/-", 4)
	contained := 0
	for range 2500 {
		a, b := expression(r, 3), expression(r, 3)
		if r.IntN(3) == 0 { // likely a superset
			a = "(?:" + b + "|" + a + ")"
		}
		got, known := Contains(a, b)
		if !known {
			t.Fatalf("%q in %q: these are small, and it was not decided", b, a)
		}
		ra, rb := regexp.MustCompile(`\A(?:`+a+`)\z`), regexp.MustCompile(`\A(?:`+b+`)\z`)
		for _, text := range texts {
			if rb.MatchString(text) && !ra.MatchString(text) && got {
				t.Fatalf("%q is in %q and not in %q, which is said to hold it", text, b, a)
			}
		}
		if got {
			contained++
		}
	}
	if contained < 300 {
		t.Errorf("%d of 2500 pairs were contained: the test asks too little", contained)
	}
}

// A pair that is said not to be contained has a text that proves it.
func TestExclusionHasAWitness(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	excluded := 0
	for range 2500 {
		a, b := "/"+expression(r, 3), "/"+expression(r, 3)
		w := newWeigher()
		for _, e := range w.beyond([]class{{paths: []string{b}}}, []class{{paths: []string{a}}}) {
			excluded++
			path := e.example.Path
			if !regexp.MustCompile(`\A(?:`+b+`)\z`).MatchString(path) || regexp.MustCompile(`\A(?:`+a+`)\z`).MatchString(path) {
				t.Fatalf("%q against %q: %q is no witness", b, a, path)
			}
			if normal, ok := ir.NormalisePath(path); !ok || normal != path {
				t.Fatalf("%q is no path that a proxy judges (%q)", path, normal)
			}
		}
	}
	if excluded < 300 {
		t.Errorf("%d of 2500 pairs differed: the test asks too little", excluded)
	}
}

func TestEqualLanguagesWrittenDifferently(t *testing.T) {
	for _, pair := range [][2]string{
		{"a|b", "[ab]"}, {"^(?:/a).*$", "/a.*"}, {"/books/?", "/books|/books/"}, {"(?:/x)+", "/x(?:/x)*"},
		{"/a{2,3}", "/aaa?"}, {"(?i)/ab", "/[aA][bB]"}, {`/\d+`, "/[0-9][0-9]*"}, {"/.*", "/(?:.*)(?:.*)"}, {`/a\b.*`, `/a(?:[^\w].*)?`},
	} {
		for _, p := range [][2]string{pair, {pair[1], pair[0]}} {
			if in, known := Contains(p[0], p[1]); !in || !known {
				t.Errorf("%q holds %q: %v, known %v", p[0], p[1], in, known)
			}
		}
	}
	for _, pair := range [][2]string{{"/books", "/books.*"}, {"/a.b", "/a.*"}, {`/a\.b`, "/a.b"}, {"", "a"}} {
		if in, _ := Contains(pair[0], pair[1]); in {
			t.Errorf("%q is said to hold %q", pair[0], pair[1])
		}
	}
}

func TestPathsNobodyCanSendAreNoDifference(t *testing.T) {
	w := newWeigher()
	for _, more := range []string{"/a|books", "/a|/b c", "/a|/b//c", `/a|/b\?q=.*`, "/a|/#b"} {
		if got := w.beyond([]class{{paths: []string{more}}}, []class{{paths: []string{"/a"}}}); got != nil {
			t.Errorf("%s: %v", more, got[0].example)
		}
	}
}

func TestTooLargeIsUnknownAndWidens(t *testing.T) {
	big := "/.*a.{18}"
	got := newWeigher().beyond([]class{{paths: []string{big}}}, []class{{paths: []string{"/.*b.{18}", "/.*c.{19}"}}, {paths: []string{"/(?:.*a.{17}.|.*d.{20})"}}})
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	if got[0].example != nil {
		t.Fatal("it was decided after all: make it larger")
	}
	r := newRequests(got[0])
	if e := effectOf([]Requests{r}, nil); e != Unknown || !e.Widens() || r.Certain {
		t.Errorf("%v %v", e, r)
	}
}

func TestHeadersNarrow(t *testing.T) {
	h := func(name, regex string) []ir.HeaderMatch { return []ir.HeaderMatch{{Name: name, Regex: regex}} }
	all := class{}
	for _, c := range []struct {
		what        string
		more, fewer class
	}{
		{"a header more", all, class{headers: h("x", "a")}},
		{"a longer expression", class{headers: h("x", "a")}, class{headers: h("x", "^ab")}},
		{"two headers", class{headers: h("x", "a")}, class{headers: append(h("x", "a"), h("y", "b")...)}},
		{"a method fewer", class{methods: []string{"GET", "POST"}}, class{methods: []string{"GET"}}},
		{"a full match", class{headers: h("x", "a")}, class{headers: []ir.HeaderMatch{{Name: "x", Regex: "a", Full: true}}}},
	} {
		w := newWeigher()
		if got := w.beyond([]class{c.fewer}, []class{c.more}); got != nil {
			t.Errorf("%s: the narrower one is beyond: %v", c.what, got[0].example)
		}
		if got := w.beyond([]class{c.more}, []class{c.fewer}); len(got) != 1 || got[0].example == nil {
			t.Errorf("%s: the wider one is not beyond", c.what)
		}
	}
	// Two grants on two values of a header are together one on both.
	w := newWeigher()
	if got := w.beyond([]class{{headers: h("x", "^[ab]$")}}, []class{{headers: h("x", "^a$")}, {headers: h("x", "^b$")}}); got != nil {
		t.Errorf("the union of ^a$ and ^b$ holds ^[ab]$, and yet: %v", got[0].example)
	}
	got := w.beyond([]class{{paths: []string{"/.*"}, headers: h("x", "a|b")}}, []class{{headers: h("x", "a")}, {paths: []string{"/p.*"}, headers: h("x", "b")}})
	if len(got) != 1 || got[0].example.Path != "/" || len(got[0].example.Headers) != 1 || got[0].example.Headers[0].Value != "b" {
		t.Errorf("what is beyond is / with x: b, got %v", got)
	}
}

func TestExamplesLookLikeRequests(t *testing.T) {
	w := newWeigher()
	got := w.beyond([]class{{methods: []string{"GET", "POST"}, paths: []string{"(?:/books).*"}}}, nil)
	if len(got) != 1 || fmt.Sprint(newRequests(got[0])) != "GET, POST /books.*" || newRequests(got[0]).Example != "GET /books" {
		t.Errorf("%v", newRequests(got[0]))
	}
	if !strings.Contains(newRequests(excess{class: class{headers: []ir.HeaderMatch{{Name: ":authority", Regex: "x"}}}}).String(), "host: x") {
		t.Error("the authority is called host in SMI")
	}
}
