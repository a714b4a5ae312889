// Package golden tells stories through the compiler: each txtar in testdata
// holds a comment that says why it is there, the files of a mesh, what is asked
// of it, and what every stage answers. `make golden` rewrites the answers.
//
// Sections: ask/ir names parts of the IR, ask/envoy resources and paths into
// them, ask/verdicts requests, ask/environment an environment. want/findings
// is always there, and empty when nothing is found; all else is input.
package golden

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
)

var update = flag.Bool("update", false, "rewrite what the stories want")

func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s := readStory(t, path)
			got := txtar.Format(s.told(t))
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want := txtar.Format(s.archive); !bytes.Equal(got, want) {
				t.Errorf("%s tells another story now (make golden rewrites it):\n%s", path, firstDifference(want, got))
			}
		})
	}
}

// story is one archive, taken apart.
type story struct {
	archive *txtar.Archive
	inputs  map[string][]byte
	asks    map[string][]string // lines of ask/NAME
}

func readStory(t *testing.T, path string) *story {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(bytes.TrimSpace(archive.Comment)) < 40 {
		t.Errorf("%s does not say why it is there", path)
	}
	s := &story{archive: archive, inputs: map[string][]byte{}, asks: map[string][]string{}}
	for _, f := range archive.Files {
		name, isAsk := strings.CutPrefix(f.Name, "ask/")
		switch {
		case isAsk:
			for _, line := range strings.Split(string(f.Data), "\n") {
				if line = strings.TrimSpace(line); line != "" {
					s.asks[name] = append(s.asks[name], line)
				}
			}
		case !strings.HasPrefix(f.Name, "want/"):
			s.inputs[f.Name] = f.Data
		}
	}
	return s
}

// compile runs the story's files through the compiler, as if its folder were named.
func compile(t *testing.T, files map[string][]byte, environment string) (*source.Tree, *compiler.Result, diag.List) {
	t.Helper()
	fsys := fstest.MapFS{}
	var known ir.Known
	var findings diag.List
	for name, data := range files {
		if name == "meshc.lock" {
			var faults diag.List
			known, faults = resolve.ParseLock(name, data)
			findings.Add(faults...)
			continue
		}
		fsys[name] = &fstest.MapFile{Data: data, Mode: 0o644}
	}
	tree, found, err := source.LoadFS(fsys, source.Options{Environment: environment})
	if err != nil {
		t.Logf("load: %v", err)
	}
	findings.Add(found...)
	result, found := compiler.Compile(tree, known, compiler.Options{NoRules: true})
	findings.Add(found...)
	return tree, result, findings.Sorted()
}

// told is the story with the answers of today.
func (s *story) told(t *testing.T) *txtar.Archive {
	t.Helper()
	tree, result, findings := compile(t, s.inputs, strings.Join(s.asks["environment"], ""))
	out := &txtar.Archive{Comment: s.archive.Comment}
	for _, f := range s.archive.Files {
		if !strings.HasPrefix(f.Name, "want/") {
			out.Files = append(out.Files, f)
		}
	}
	want := func(stage string, text []byte) {
		out.Files = append(out.Files, txtar.File{Name: "want/" + stage, Data: text})
	}
	want("findings", render(t, findings, tree.Text))
	if len(s.asks["ir"]) > 0 {
		want("ir", tellIR(t, result.Mesh, s.asks["ir"]))
	}
	if result.Plan == nil {
		return out
	}
	if len(s.asks["envoy"]) > 0 {
		want("envoy", tellEnvoy(t, result.Plan, s.asks["envoy"]))
	}
	if len(s.asks["verdicts"]) > 0 {
		want("verdicts", tellVerdicts(t, result, s.asks["verdicts"]))
	}
	return out
}

func render(t *testing.T, findings diag.List, sources diag.Sources) []byte {
	t.Helper()
	text, err := diag.RendererFor("text")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := text(&b, diag.Report{Findings: findings, Sources: sources}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// firstDifference shows the first line that differs, with what surrounds it.
func firstDifference(want, got []byte) string {
	w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	around := func(lines []string) string { return strings.Join(lines[max(0, i-3):min(len(lines), i+12)], "\n") }
	return "--- want, around line " + itoa(i+1) + "\n" + around(w) + "\n--- got\n" + around(g)
}
