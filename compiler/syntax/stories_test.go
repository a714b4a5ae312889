package syntax_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

var update = flag.Bool("update", false, "rewrite the answers of the stories in testdata")

// Each story is an archive: a comment that says why, the files of a tree, and
// the answers in sections whose names begin with "want-". A line "paths: ..." or
// "env: ..." of the comment says how the tree is loaded, and the section "ask"
// holds objects and paths whose positions the story is about.
func TestStories(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no stories found: %v", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { story(t, name) })
	}
}

func story(t *testing.T, name string) {
	a, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	var ask string
	want := map[string]bool{}
	var kept []txtar.File
	for _, f := range a.Files {
		switch {
		case strings.HasPrefix(f.Name, "want-"):
			want[f.Name] = true
			continue
		case f.Name == "ask":
			ask = string(f.Data)
		default:
			fsys[f.Name] = &fstest.MapFile{Data: unquote(f.Data)}
		}
		kept = append(kept, f)
	}
	opts := source.Options{Paths: setting(a, "paths"), Environment: strings.Join(setting(a, "env"), "")}
	tree, found, err := source.LoadFS(fsys, opts)
	files, more := syntax.Parse(tree)
	got := map[string]string{"want-findings": findings(append(found, more...), err)}
	if ask != "" {
		got["want-positions"] = positions(t, files, ask)
	}
	if want["want-objects"] {
		got["want-objects"] = objects(t, files)
	}
	compare(t, name, a, kept, got)
}

// unquote lets a story write bytes that an editor would mend: a line "!quoted"
// and then the content as one Go string.
func unquote(data []byte) []byte {
	rest, ok := strings.CutPrefix(string(data), "!quoted\n")
	if !ok {
		return data
	}
	var out []byte
	for line := range strings.Lines(rest) {
		s, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			panic(err)
		}
		out = append(out, s...)
	}
	return out
}

func setting(a *txtar.Archive, key string) []string {
	for line := range strings.Lines(string(a.Comment)) {
		if v, ok := strings.CutPrefix(line, key+": "); ok {
			return strings.Fields(v)
		}
	}
	return nil
}

func findings(found diag.List, err error) string {
	var b strings.Builder
	for _, f := range found.Sorted() {
		fmt.Fprintf(&b, "%s %s %s\n  %s\n", f.Severity, f.Code, spanText(f.At()), f.Message)
		for _, part := range []struct{ name, text string }{{"path", f.Path}, {"effect", f.Effect}, {"help", f.Help}} {
			if part.text != "" {
				fmt.Fprintf(&b, "  %s: %s\n", part.name, part.text)
			}
		}
		for _, r := range f.Related {
			fmt.Fprintf(&b, "  see %s: %s\n", spanText(r.Span), r.Label)
		}
		for _, fix := range f.Fixes {
			for _, e := range fix.Edits {
				fmt.Fprintf(&b, "  fix %s: %q\n", spanText(e.Span), e.NewText)
			}
		}
	}
	if err != nil {
		fmt.Fprintf(&b, "exit 3: %v\n", err)
	}
	return b.String()
}

func spanText(s diag.Span) string {
	if s.EndCol > s.Col+1 {
		return fmt.Sprintf("%s-%d", s, s.EndCol)
	}
	return s.String()
}

var pathStep = regexp.MustCompile(`\[(\d+)\]|\["([^"]*)"\]|([^.\[\]]+)`)

func positions(t *testing.T, files *syntax.Files, ask string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.Lines(ask) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		var path []any
		for _, m := range pathStep.FindAllStringSubmatch(words[1], -1) {
			switch {
			case m[1] != "":
				n, _ := strconv.Atoi(m[1])
				path = append(path, n)
			default:
				path = append(path, m[2]+m[3])
			}
		}
		o := object(files, words[0])
		if o == nil {
			t.Errorf("no object %s", words[0])
			continue
		}
		at := o.AtUnion(path...)
		if len(words) > 2 && words[2] == "key" {
			at = o.AtKey(o.PathTo(path...)...)
		}
		fmt.Fprintf(&b, "%s %s\n", strings.TrimSpace(line), spanText(at))
		f := files.WithBases(diag.List{diag.New("MSH0101", at, "probe").About(o.Ref(), "")})[0]
		for _, r := range f.Related {
			fmt.Fprintf(&b, "  %s: %s\n", r.Label, spanText(r.Span))
		}
	}
	return b.String()
}

func object(files *syntax.Files, name string) *syntax.Object {
	for _, o := range files.Objects {
		if o.Ref().String() == name {
			return o
		}
	}
	return nil
}

func objects(t *testing.T, files *syntax.Files) string {
	t.Helper()
	var b strings.Builder
	for _, o := range files.Objects {
		text, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		for k, v := range fields {
			if v == nil || v == false {
				delete(fields, k)
			}
		}
		if text, err = json.MarshalIndent(fields, "", "  "); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\n", text)
	}
	if files.Passed > 0 {
		fmt.Fprintf(&b, "passed over: %d\n", files.Passed)
	}
	return b.String()
}

// compare checks the answers, or rewrites them with -update.
func compare(t *testing.T, name string, a *txtar.Archive, kept []txtar.File, got map[string]string) {
	t.Helper()
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "want-") && got[f.Name] != string(f.Data) && !*update {
			t.Errorf("%s: got\n%s\nwant\n%s", f.Name, got[f.Name], f.Data)
		}
	}
	if !*update {
		return
	}
	out := &txtar.Archive{Comment: a.Comment, Files: kept}
	for _, section := range []string{"want-objects", "want-positions", "want-findings"} {
		if text, ok := got[section]; ok {
			out.Files = append(out.Files, txtar.File{Name: section, Data: []byte(text)})
		}
	}
	if err := os.WriteFile(name, txtar.Format(out), 0o644); err != nil {
		t.Fatal(err)
	}
}
