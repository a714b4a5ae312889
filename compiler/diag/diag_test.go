package diag

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const accessYAML = `spec:
  rules:
  - kind: HTTPRouteGroup
    name: bookstore-routes
    matches: [buy-a-bok]
`

func sample() Finding {
	return Finding{
		Code: "MSH1004", Severity: Error, Title: "a TrafficTarget names a match that does not exist",
		Message:   `no match is named "buy-a-bok" in HTTPRouteGroup bookstore/bookstore-routes`,
		Effect:    "bookbuyer cannot call bookstore: the rule would match nothing",
		Help:      `did you mean "buy-a-book"?`,
		Object:    &Object{Group: "access.smi-spec.io", Kind: "TrafficTarget", Namespace: "bookstore", Name: "buyers"},
		Path:      "spec.rules[0].matches[0]",
		Locations: []Location{{Span: Span{"access.yaml", 5, 15, 5, 24}}},
		Related:   []Location{{Span: Span{"routes.yaml", 9, 11, 9, 21}, Label: "a similar name is defined here"}},
	}
}

func files(name string) ([]byte, bool) {
	switch name {
	case "access.yaml":
		return []byte(accessYAML), true
	case "routes.yaml":
		return []byte(strings.Repeat("#\n", 8) + "  - name: buy-a-book\n"), true
	}
	return nil, false
}

func render(t *testing.T, format string, r Report) string {
	t.Helper()
	f, err := RendererFor(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTextShowsBothEndsOfAReference(t *testing.T) {
	got := render(t, "text", Report{Findings: List{sample()}, Sources: files, Summary: "1 error"})
	want := `error[MSH1004]: a TrafficTarget names a match that does not exist
 --> access.yaml:5:15  (TrafficTarget/bookstore/buyers spec.rules[0].matches[0])
  |
5 |     matches: [buy-a-bok]
  |               ^^^^^^^^^ no match is named "buy-a-bok" in HTTPRouteGroup bookstore/bookstore-routes
 ::: routes.yaml:9:11
  |
9 |   - name: buy-a-book
  |           ---------- a similar name is defined here
  = effect: bookbuyer cannot call bookstore: the rule would match nothing
  = help: did you mean "buy-a-book"?
  = docs: meshc explain MSH1004

1 error
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestTextWithoutTheFileStillSaysWhere(t *testing.T) {
	got := render(t, "text", Report{Findings: List{sample()}})
	for _, want := range []string{"access.yaml:5:15", "no match is named", "routes.yaml:9:11"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

// A span past the end of its line or file must not break the report of all others.
func TestTextSurvivesSpansThatPointNowhere(t *testing.T) {
	for _, s := range []Span{{"access.yaml", 5, 400, 5, 410}, {"access.yaml", 99, 1, 0, 0}, {"access.yaml", 0, 0, 0, 0}, {"access.yaml", 2, 3, 4, 1}} {
		f := sample()
		f.Locations[0].Span = s
		if got := render(t, "text", Report{Findings: List{f}, Sources: files}); !strings.Contains(got, "MSH1004") {
			t.Errorf("%v: %q", s, got)
		}
	}
}

// A minified manifest is one line: the frame shows what is around the span.
func TestTextClipsLongLines(t *testing.T) {
	filler := strings.Repeat("x", 5000)
	for _, c := range []struct{ line, want string }{
		{"wrong" + filler, "| wrong"},
		{filler + "wrong" + filler, "xwrongx"},
		{filler + "wrong", "xwrong\n"},
		{filler + strings.Repeat("wrong", 1000), "xwrongwrong"},
	} {
		f, col := sample(), strings.Index(c.line, "wrong")+1
		f.Locations, f.Related = []Location{{Span: Span{"long.yaml", 1, col, 1, col + strings.Count(c.line, "wrong")*5}}}, nil
		got := render(t, "text", Report{Findings: List{f}, Sources: func(string) ([]byte, bool) { return []byte(c.line + "\n"), true }})
		lines := strings.Split(got, "\n")
		if !strings.Contains(got, c.want) || len(lines[3]) > 420 || len(lines[4]) > 520 {
			t.Fatalf("the line is not clipped around its span:\n%s", got)
		}
		if mark := strings.Index(lines[4], "^"); !strings.HasPrefix(lines[3][mark:], "wrong") {
			t.Errorf("the caret is not below the span:\n%s", got)
		}
	}
}

func TestJSONHasWhatTextHas(t *testing.T) {
	var out struct {
		Findings []map[string]any
	}
	if err := json.Unmarshal([]byte(render(t, "json", Report{Findings: List{sample()}})), &out); err != nil {
		t.Fatal(err)
	}
	f := out.Findings[0]
	for _, key := range []string{"code", "severity", "title", "message", "effect", "help", "object", "path", "locations", "related", "fingerprint"} {
		if f[key] == nil || f[key] == "" {
			t.Errorf("%s is missing: %v", key, f)
		}
	}
	if f["severity"] != "error" {
		t.Errorf("severity is %v", f["severity"])
	}
}

// A baseline must survive reformatting: the fingerprint may not see positions.
func TestFingerprintIgnoresPositions(t *testing.T) {
	a, b := sample(), sample()
	b.Locations = []Location{{Span: Span{"moved.yaml", 50, 1, 0, 0}}}
	if a.Mark() != b.Mark() {
		t.Error("a moved finding has another fingerprint")
	}
	b.Message = "another"
	if a.Mark() == b.Mark() {
		t.Error("another finding has the same fingerprint")
	}
}

func TestSortedIsByPosition(t *testing.T) {
	late, early := sample(), sample()
	early.Locations = []Location{{Span: Span{"access.yaml", 1, 1, 0, 0}}}
	if got := (List{late, early}).Sorted(); got[0].At().Line != 1 {
		t.Errorf("the first finding is at line %d", got[0].At().Line)
	}
}

func TestFilesAreCutIntoLinesOnce(t *testing.T) {
	asked := 0
	many := List{}
	for line := 1; line <= 3; line++ {
		f := sample()
		f.Locations[0].Span, f.Related = Span{"access.yaml", line, 1, line, 2}, nil
		many.Add(f)
	}
	render(t, "text", Report{Findings: many, Sources: func(name string) ([]byte, bool) {
		asked++
		return files(name)
	}})
	if asked != 1 {
		t.Errorf("a file with %d findings was searched %d times: a large file with many takes hours", len(many), asked)
	}
}

func TestTextDoesNotSteerATerminal(t *testing.T) {
	f := sample()
	f.Message, f.Help, f.Object.Name = "no \x1b[2Jmatch", "write\rthis\xff", "a\x1b]0;b\a"
	got := render(t, "text", Report{Findings: List{f}, Sources: func(string) ([]byte, bool) {
		return []byte(strings.Repeat("- \x1b[31mred\x9b\r::\n", 9)), true
	}})
	for _, r := range got {
		if r != '\n' && (r < ' ' || r >= 0x7f && r <= 0x9f || r == '\ufffd') {
			t.Fatalf("%q reaches the terminal:\n%q", r, got)
		}
	}
}

// A list that is patched is the one that sorting everything would make.
func TestAPatchedListIsTheSortedOne(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	some := func(n int) List {
		var out List
		for range n {
			out.Add(New("MSH1017", Span{File: "f", Line: r.IntN(20), Col: 1}, "m%d", r.IntN(3)))
		}
		return out
	}
	for range 500 {
		stay, gone, come := some(r.IntN(12)), some(r.IntN(4)), some(r.IntN(4))
		before := append(slices.Clone(stay), gone...).Sorted()
		want := append(slices.Clone(stay), come...).Sorted()
		if got := before.Patched(come, gone); !reflect.DeepEqual(slices.Clone(got), want) && len(got)+len(want) > 0 {
			t.Fatalf("%v less %v and with %v is\n%v, not\n%v", before, gone, come, got, want)
		}
	}
}
