package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif" // its schema is read below
	"github.com/xeipuuv/gojsonschema"

	"github.com/meshc/meshc/compiler/diag"
)

// One folder with many faults, all found in one run, in every format as its reader
// will get it. The goldens are the story: what a team sees of a bad pull request.
func TestBrokenMeshInEveryFormatGolden(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	summary := filepath.Join(t.TempDir(), "steps.md")
	t.Setenv(stepSummary, summary)
	got := map[string][]byte{}
	args := []string{"check", "examples/broken"}
	dir := t.TempDir()
	for _, format := range diag.Formats() {
		args = append(args, "--report", format+"="+filepath.Join(dir, format))
	}
	if code := run(t.Context(), args, streams{In: bytes.NewReader(nil), Out: io.Discard, Err: io.Discard}); code != exitFindings {
		t.Fatalf("exit code %d, want %d", code, exitFindings)
	}
	for _, format := range diag.Formats() {
		got[format] = read(t, filepath.Join(dir, format))
	}
	got["github-step-summary"] = read(t, summary)

	codes := map[string]bool{}
	for _, c := range regexp.MustCompile(`MSH\d{4}`).FindAllString(string(got["compact"]), -1) {
		codes[c] = true
	}
	if len(codes) < 25 {
		t.Errorf("%d different faults are found, want at least 25", len(codes))
	}
	for format, text := range got {
		golden := filepath.Join("test", "golden", "broken", format+".golden")
		if *update {
			if err := os.WriteFile(golden, text, 0o644); err != nil {
				t.Fatal(err)
			}
		} else if want := read(t, golden); !bytes.Equal(text, want) {
			t.Errorf("%s differs from %s: run make golden and read what changed", format, golden)
		}
	}
	readable(t, got)
}

// readable holds each format against a reader of its own.
func readable(t *testing.T, got map[string][]byte) {
	t.Helper()
	verdict, err := gojsonschema.Validate(gojsonschema.NewStringLoader(sarifSchema(t)), gojsonschema.NewBytesLoader(got["sarif"]))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range verdict.Errors() {
		t.Errorf("sarif does not fit its schema: %s", e)
	}
	for _, format := range []string{"json", "gitlab"} {
		if !json.Valid(got[format]) {
			t.Errorf("%s is no JSON", format)
		}
	}
	for i, line := range bytes.Split(bytes.TrimSpace(got["ndjson"]), []byte("\n")) {
		if !json.Valid(line) {
			t.Errorf("ndjson: line %d is no JSON", i+1)
		}
	}
	if err := xml.Unmarshal(got["junit"], &struct{ XMLName xml.Name }{}); err != nil {
		t.Errorf("junit: %v", err)
	}
}

// sarifSchema is the schema of SARIF 2.1.0 as a library of SARIF has it in its source.
func sarifSchema(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	value := file.Scope.Lookup("schema").Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value
	schema, err := strconv.Unquote(value)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
