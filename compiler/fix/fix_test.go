package fix

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/diag"
)

func edit(line, col, endLine, endCol int, text string) diag.Edit {
	return diag.Edit{Span: diag.Span{File: "a.yaml", Line: line, Col: col, EndLine: endLine, EndCol: endCol}, NewText: text}
}

// Comments, line ends, a byte order mark and letters of more than one byte stay as
// they are around what is changed.
func TestEditsLeaveTheRestAsItIs(t *testing.T) {
	for _, c := range []struct {
		name, before string
		edits        []diag.Edit
		after        string
	}{
		{"one word", "a: über # why\nb: 1\n", []diag.Edit{edit(1, 4, 1, 8, "unter")}, "a: unter # why\nb: 1\n"},
		{"Windows", "a: x\r\nb: y\r\n", []diag.Edit{edit(2, 4, 2, 5, "z")}, "a: x\r\nb: z\r\n"},
		{"a byte order mark", "\ufeffa: x\n", []diag.Edit{edit(1, 1, 1, 2, "b")}, "\ufeffb: x\n"},
		{"an insertion", "a: x\n", []diag.Edit{edit(1, 5, 0, 0, "y")}, "a: xy\n"},
		{"a whole line", "a\nb\nc\n", []diag.Edit{edit(2, 1, 3, 1, "")}, "a\nc\n"},
		{"the last line, unended", "a\nb", []diag.Edit{edit(2, 1, 3, 1, "")}, "a\n"},
		{"several, in any order", "a b c\n", []diag.Edit{edit(1, 5, 1, 6, "C"), edit(1, 1, 1, 2, "A")}, "A b C\n"},
	} {
		got, err := Apply([]byte(c.before), c.edits)
		if err != nil || string(got) != c.after {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	for _, c := range []struct {
		before string
		edits  []diag.Edit
		err    error
	}{
		{"abc\n", []diag.Edit{edit(1, 1, 1, 3, "x"), edit(1, 2, 1, 4, "y")}, ErrOverlap},
		{"abc\n", []diag.Edit{edit(1, 5, 1, 6, "x")}, ErrOutside},
		{"abc\n", []diag.Edit{edit(4, 1, 4, 1, "x")}, ErrOutside},
		{"abc\n", []diag.Edit{edit(1, 3, 1, 2, "x")}, ErrOutside},
		{"a\rb\r", []diag.Edit{edit(1, 1, 1, 2, "x")}, ErrEncoding},
		{"\xff\xfea\x00", []diag.Edit{edit(1, 1, 1, 2, "x")}, ErrEncoding},
	} {
		if got, err := Apply([]byte(c.before), c.edits); !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %v, want %v", c.before, got, err, c.err)
		}
	}
}

// desk compiles by looking for words: each "bad" is a finding that offers "worse",
// each "worse" one that offers "good", each "stuck" one whose fix helps nobody.
type desk struct{ text string }

func (d *desk) found() diag.List {
	var out diag.List
	for i, line := range strings.Split(d.text, "\n") {
		for _, w := range []struct{ old, new string }{{"bad", "worse"}, {"worse", "good"}, {"stuck", "stuck "}} {
			if col := strings.Index(line, w.old); col >= 0 {
				e := edit(i+1, col+1, i+1, col+1+len(w.old), w.new)
				out.Add(diag.New("MSH1021", e.Span, "%s stands here", w.old).About(diag.Object{Kind: "Line", Name: strconv.Itoa(i)}, "").WithFix("write "+w.new, e))
			}
		}
	}
	return out.Sorted()
}

func (d *desk) run() Result {
	return Run{
		Text:   func(string) ([]byte, bool) { return []byte(d.text), true },
		Closed: func(string) string { return "" },
		Compile: func(changed []File) diag.List {
			d.text = string(changed[0].After)
			return d.found()
		},
	}.All(d.found())
}

// What a fix brings to light is fixed in the same run; a second run does nothing.
func TestFixesAreMadeUntilNoneIsLeft(t *testing.T) {
	d := &desk{"# keep\nbad\nfine\nworse # keep\nstuck\n"}
	got := d.run()
	if d.text != "# keep\ngood\nfine\ngood # keep\nstuck \n" || len(got.Made) != 4 {
		t.Errorf("%q after %d fixes", d.text, len(got.Made))
	}
	if len(got.Refused) != 1 || len(got.Left) != 1 || !strings.Contains(got.Refused[0].Why, "did not help") {
		t.Errorf("refused %+v, left %v", got.Refused, got.Left)
	}
	d = &desk{"good\n"}
	if again := d.run(); len(again.Files) != 0 {
		t.Errorf("a second run changes %v", again.Files)
	}
}

// Of two fixes of one place the first is made, and nobody's file is changed that
// is closed; both are told.
func TestOverlapsAndClosedFilesAreRefused(t *testing.T) {
	at := edit(1, 1, 1, 4, "one")
	other := edit(1, 2, 1, 3, "two")
	closed := diag.Edit{Span: diag.Span{File: "stdin", Line: 1, Col: 1}, NewText: "x"}
	found := diag.List{
		diag.New("MSH1021", at.Span, "first").WithFix("one", at),
		diag.New("MSH1021", other.Span, "second").WithFix("two", other),
		diag.New("MSH1021", closed.Span, "third").WithFix("x", closed),
	}
	texts := map[string]string{"a.yaml": "abcd\n", "stdin": "abcd\n"}
	got := Run{
		Text: func(n string) ([]byte, bool) { return []byte(texts[n]), true },
		Closed: func(n string) string {
			if n == "stdin" {
				return "it came from standard input"
			}
			return ""
		},
		Compile: func([]File) diag.List { return nil },
	}.All(found)
	if len(got.Files) != 1 || string(got.Files[0].After) != "oned\n" {
		t.Errorf("changed %+v", got.Files)
	}
	if len(got.Made) != 1 || got.Left != nil {
		t.Errorf("made %v, left %v", got.Made, got.Left)
	}
}

// What somebody accepted is left alone.
func TestAcceptedFindingsAreNotFixed(t *testing.T) {
	e := edit(1, 1, 1, 2, "x")
	f := diag.New("MSH1021", e.Span, "x").WithFix("x", e)
	f.Known = true
	r := Run{Text: func(string) ([]byte, bool) { return []byte("a\n"), true }, Closed: func(string) string { return "" }}
	if got := r.All(diag.List{f}); len(got.Files)+len(got.Made) != 0 {
		t.Errorf("made %v", got.Made)
	}
}

func TestAnEntryEndsWhereTheNextBegins(t *testing.T) {
	lines := strings.Split("spec:\n  matches:\n  - name: a\n    methods:\n    - GET\n\n    # more\n    headers: x\n  # of b\n  - name: b\n  other: 1", "\n")
	for at, want := range map[int]int{0: 10, 1: 9, 2: 7, 3: 4, 4: 4, 9: 9, 10: 10} {
		if got := Last(lines, at); got != want {
			t.Errorf("line %d goes on to %d, want %d", at, got, want)
		}
	}
}

// Whatever text and edits come, what lies outside of the edits is kept.
func FuzzApply(f *testing.F) {
	f.Add("a: x\nb: y\n", 1, 4, 1, 5, "z")
	f.Add("\ufeffä\r\n", 1, 1, 2, 1, "")
	f.Fuzz(func(t *testing.T, text string, line, col, endLine, endCol int, with string) {
		got, err := Apply([]byte(text), []diag.Edit{edit(line, col, endLine, endCol, with)})
		if err != nil {
			return
		}
		for i := 0; i+len(with) <= len(got); i++ {
			if string(got[i:i+len(with)]) == with && strings.HasPrefix(text, string(got[:i])) && strings.HasSuffix(text, string(got[i+len(with):])) {
				return
			}
		}
		t.Fatalf("%q became %q with %q", text, got, with)
	})
}
