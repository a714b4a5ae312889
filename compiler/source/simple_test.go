package source

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// same tells how two trees of nodes differ in what is read of them.
func same(a, b *yaml.Node, path string) error {
	if a.Kind != b.Kind || a.Style != b.Style || a.Tag != b.Tag || a.Value != b.Value || a.Anchor != b.Anchor || a.Alias != b.Alias ||
		a.Line != b.Line || a.Column != b.Column || len(a.Content) != len(b.Content) {
		show := func(n *yaml.Node) string {
			return fmt.Sprintf("kind %d style %d tag %q value %q at %d:%d with %d", n.Kind, n.Style, n.Tag, n.Value, n.Line, n.Column, len(n.Content))
		}
		return fmt.Errorf("%s: %s, the full parser has %s", path, show(a), show(b))
	}
	for i := range a.Content {
		if err := same(a.Content[i], b.Content[i], fmt.Sprintf("%s/%d", path, i)); err != nil {
			return err
		}
	}
	return nil
}

// agrees fails where the simple reader reads a document otherwise than the full
// parser; it tells whether it read it at all.
func agrees(t *testing.T, text []byte) bool {
	t.Helper()
	l := readSimple(text)
	if l == nil {
		return false
	}
	n := l.Nodes()
	full, err := parseNode(text)
	if err != nil || full == nil {
		t.Errorf("read, and the full parser gives %v, %v:\n%s", full, err, text)
	} else if err := same(n, full, ""); err != nil {
		t.Errorf("%v:\n%s", err, text)
	} else {
		placed(t, &Document{File: "x.yaml", Text: text}, l, full, nil)
	}
	return true
}

// placed fails where a layout finds a value, or what is not there, at another place
// than the nodes do.
func placed(t *testing.T, d *Document, l *Layout, root *yaml.Node, path []any) {
	t.Helper()
	n, key, left := Find(root, path)
	for _, wantKey := range []bool{false, true} {
		want := d.Place(n, key, wantKey && len(left) == 0)
		if got := d.PlaceIn(l, path, wantKey); got != want {
			t.Errorf("%v, key %t: %+v, the nodes say %+v:\n%s", path, wantKey, got, want, d.Text)
		}
	}
	if l.Has(path) != (len(left) == 0) {
		t.Errorf("%v: %t:\n%s", path, l.Has(path), d.Text)
	}
	if len(left) > 0 {
		return
	}
	down := func(step any) { placed(t, d, l, root, append(slices.Clone(path), step)) }
	for i, below := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			down(i)
		case i%2 == 0:
			down(below.Value)
		}
	}
	down("none")
	down(len(n.Content))
}

// oddities are documents at the border of what is read.
var oddities = []string{
	"a: b\n", "a: b", "---\na: b\n", "--- \n\na: b\n", "--- a: b\n", "a: b\n---\nc: d\n", "a: b\n...\n", "%YAML 1.2\n---\na: b\n",
	"a:\n", "a:\nb:\n", "a:\n- \n-\n- x\nb: c\n", "a:\n  -\n  - \nb: c\n", "a:\n  - b: c\n    d: e\n  - f:\n    - g\n", "a:\n    - b\n  - c\n",
	"a:\n  b: c\n d: e\n", "a: b\n  c\n", "a: b\n  c: d\n", "a: b\n- c\n", "- a\n- b\n", "a:\n- b\n  c\n", "a:\n- b: c\n d: e\n", "a:\n- b: c\n   d: e\n",
	"a: # no\n  b: c\n", "a: b # no\n", "a: b#yes\n", "a: 'b' # no\n", "a: 'b'# no\n", "a: 'b\n  c'\n", "a: \"b\\n\"\n", "a: 'it''s'\n", "'a': b\n", "\"a b\": c\n", "'a' : b\n", "a : b\n",
	"# first\na: b\n# last\n", "a:\n# between\n  b: c\n# odd\n  d: e\n   # deep\n", "a:\n- b\n# between\n- c\n",
	"a: b: c\n", "a: b:\n", "a: :b\n", "a: -b\n", "a: - b\n", "a: ?b\n", "a: &x b\n", "a: *x\n", "a: !!str b\n", "a: |\n  b\n", "a: >-\n  b\n", "a: @b\n", "a: `b`\n", "a: %b\n", "a: , b\n",
	"a: []\n", "a: {}\n", "a: [b, c]\n", "a: [ b , 'c', \"d\" ] # no\n", "a: [b, c,]\n", "a: [b,, c]\n", "a: [,]\n", "a: [b\n  , c]\n", "a: [b: c]\n", "a: [[b]]\n", "a: {b: c}\n", "a: {b: c, 'd': e}\n", "a: {b}\n", "a: {b: }\n", "a: {b: c,}\n", "a: {b:c}\n", "a: {'b':c}\n", "a: [b c]\n", "a: [b#c]\n", "a: [b #c]\n", "a: [*]\n", "a: [a*, +b]\n", "a: []b\n", "a: [] b\n", "a: []# b\n", "a: [a-b, a - b]\n", "a: [a}]\n", "a: {b: c]}\n", "a: [a?b]\n", "a: [-1]\n", "a: [[b], {c: d}]\n", "a: {b: {c: [d]}}\n", "a: {b: [c}]\n", "a: [{b: c]}\n", "a: {b: c d}\n", "a: [{b: c} d]\n", "a: {b: [], c: {}}\n", "- {a: b}\n", "a:\n- {b: c}\n- {d: e}\n", "a: {1: b, true: c}\n", "a: {b: {c: d}\n", "a: [[[[b]]]]\n", "a: [1, 0x1f, 2020-01-01, true]\n",
	"a: 1\nb: 01\nc: 0o7\nd: 0x1F\ne: 1.5\nf: 1e3\ng: -1\nh: +1\ni: .5\nj: .inf\nk: 1_000\nl: 2020-01-01\nm: 2020-01-01T00:00:00Z\nn: 1234567890123\no: 0\np: 0b11\nq: -0b1\nr: 1:30\n",
	"a: true\nb: True\nc: TRUE\nd: yes\ne: on\nf: null\ng: ~\nh: Null\ni: nul\nj: 'true'\nk: \"1\"\nl: \"\"\nm: ''\nn: no\no: False\n",
	"true: a\nnull: b\n1: c\ny: d\n1.5: e\n~: f\n", "<<: a\n", "a: <<\n", "? a\n: b\n", "a b: c\n", "-a: b\n", "a:b\n", "a:b: c\n", "a: b\na: c\n", "  a: b\n  c: d\n", "  a: b\nc: d\n",
	"a:\n  'b\n    c': d\n", "a:\n  - - b\n", "a:\n  - [b]\n  - {c: d}\n  - 'e'\n  - f: [g]\n", "a:\n-  b: c\n   d: e\n", "a:\n  -   b\n", "a:\n  b\n", "a:\n  'b'\n", "a:\n  [b]\n",
	"a:   b   \n", "a:  \n", "a: --- b\n", "a: ...\n", "a:\n  ---\n", "a:\n- ---\n", "a: b --- c\n", "a\n", "", "\n\n", "#\n", "---\n", "---\n---\na: b\n", "a: b\n\n\n", "a:\n\n  b:\n\n    c\n", "a:\n- b:\n  - c\n  d:\n- e\n",
	"a: /x?y=z&w\n", "a: ^/a(b|c)*$\n", "a: \\d+\n", "a: x{2}\n", "a: .*\n", "a: ['^a$', (b)]\n", "a: a'b\"c\n", "a: [a'b]\n", "a: it's # it's\n", "a: b ' # c\n", "a: --flag\n", "a: -\n", "a:\n- -\n", "a:\n- --flag=x\n",
}

func TestSimpleDocumentsAreReadAsByTheFullParser(t *testing.T) {
	for _, text := range oddities {
		agrees(t, []byte(text))
	}
}

// pieces are what random documents are put together of.
var pieces = []string{
	"a", "b", "key", "- ", "-", ": ", ":", " ", "  ", "    ", "\n", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "a: ", "b:\n", "c: d", "[", "]", "{", "}", ", ", ",",
	"'", "\"", "'x'", "\"y\"", "#", " # z", "---\n", "--- ", "...\n", "|\n", ">", "&x", "*x", "!t ", "?", "? ", "%", "@", "~", "true", "null", "1", "0", "-1", "1.5", "2020-01-01",
	"1_000", "0o7", "0x1F", ".inf", "-.INF", ".NaN", "+1", "1e3", "1:20", "~", "y", "on", "No", "NULL", "tRue", "2020-01-01 10:00:00", "123456789", "1234567890",
	"\r\n", "\r", "\ufeff", "\u00a0", "\u0085", "\u2028", "\xff", "\x00", "? a\n", "- - ", "'q': ", "a.b/c: ", "1: ", "!!str ", "%Y",
	"<<", "<<: ", "\\", ".", "/", "^a$", "\t", "é", "[a, b]", "{a: b}", "- a: b\n", "a: 'b'\n", "\n\n", "\n#\n", "x y", "''", "=", "+",
}

// Documents of all kinds, mostly broken ones, are read alike or left alone.
func TestRandomDocumentsAreReadAsByTheFullParser(t *testing.T) {
	const rounds = 40_000
	r, read := rand.New(rand.NewPCG(1, 2)), 0
	for range rounds {
		var text []byte
		for range r.IntN(4) {
			text = append(text, oddities[r.IntN(len(oddities))]...)
		}
		for range 1 + r.IntN(4) {
			at := r.IntN(len(text) + 1)
			text = slices.Insert(text, at, []byte(pieces[r.IntN(len(pieces))])...)
		}
		if agrees(t, text) {
			read++
		}
	}
	if t.Logf("%d read", read); read < rounds/50 {
		t.Errorf("only %d documents were read: they show little", read)
	}
}

// What the manifests of this repository hold is read alike, and most of it is simple.
func TestManifestsAreSimple(t *testing.T) {
	read, all := 0, 0
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".cache" || entry.Name() == ".git" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".yaml"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, _ = Clean(path, text)
		docs, _ := Split(path, text, 1000)
		for _, d := range docs {
			if all++; agrees(t, d.Text) {
				read++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if t.Logf("%d of %d documents", read, all); read < all*9/10 {
		t.Errorf("only %d of %d documents took the short way", read, all)
	}
}

// What the simple reader reads, it reads as the full parser does.
func FuzzSimple(f *testing.F) {
	for _, text := range oddities {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) { agrees(t, text) })
}

func BenchmarkParse(b *testing.B) {
	text := []byte("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: svc\n  namespace: ns\nspec:\n  replicas: 2\n  selector:\n    matchLabels:\n      app: svc\n  template:\n    metadata:\n      labels:\n        app: svc\n    spec:\n      serviceAccountName: svc\n      containers:\n      - name: app\n        image: echo\n        ports:\n        - containerPort: 8080\n")
	for name, parse := range map[string]func(){
		"simple": func() { readSimple(text).Nodes() },
		"full":   func() { _, _ = parseNode(text) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for range b.N {
				parse()
			}
		})
	}
}
