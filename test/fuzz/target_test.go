package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Every door through which bytes come from elsewhere is fuzzed by `make fuzz`.
func TestEveryDoorHasATarget(t *testing.T) {
	all, err := find("../..")
	if err != nil {
		t.Fatal(err)
	}
	for what, door := range map[string]target{
		"decode": {"compiler/syntax", "FuzzParse"}, "kustomize": {"compiler/source", "FuzzKustomize"}, "resolve": {"compiler", "FuzzCompile"},
		"lock": {"compiler/resolve", "FuzzParseLock"}, "bundle load": {"compiler/bundle", "FuzzOpen"}, "signature": {"compiler/bundle/signature", "FuzzCheck"},
		"archive": {"gitops/oci", "FuzzUnpack"}, "file catalog": {"catalog/file", "FuzzParse"}, "xDS request": {"xds/server", "FuzzRequests"},
		"join token": {"catalog/token", "FuzzVerify"}, "rules": {"policies", "FuzzRules"},
	} {
		if !slices.Contains(all, door) {
			t.Errorf("%s: %s is not among the targets that are found: %v", what, door, all)
		}
	}
}

// A finding ends the run with an error, and says where the input lies.
func TestAFindingIsAFailure(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a package for fuzzing")
	}
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/broken\n\ngo 1.26\n",
		"door/door_test.go": "package door\n\nimport \"testing\"\n\nfunc FuzzDoor(f *testing.F) {\n\tf.Fuzz(func(t *testing.T, in []byte) {\n" +
			"\t\tif string(in) == \"bad\" {\n\t\t\tt.Error(\"it is open\")\n\t\t}\n\t})\n}\n",
		"door/testdata/fuzz/FuzzDoor/aa": "go test fuzz v1\n[]byte(\"bad\")\n",
	} {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all, err := find(root)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	r, err := all[0].run(root, time.Second, 1, io.Discard)
	if err == nil {
		t.Fatalf("the run passes:\n%s", r.output)
	}
	if said := r.failure(all[0]); !strings.Contains(said, "it is open") || !strings.Contains(said, "the input: door/testdata/fuzz/FuzzDoor/aa") {
		t.Errorf("it does not say where the input lies:\n%s", said)
	}
	if err := os.RemoveAll(filepath.Join(root, "door", "testdata")); err != nil {
		t.Fatal(err)
	}
	if r, err := all[0].run(root, time.Second, 1, io.Discard); err != nil || r.executions == 0 {
		t.Errorf("without the bad input it fails or executes nothing: %v\n%s", err, r.output)
	}
}

// Only the engine's own failure at the end of the time is none: whatever names an
// input, or ends a worker, counts.
func TestTheEndOfTheTimeIsNoFinding(t *testing.T) {
	for output, want := range map[string]bool{
		"--- FAIL: FuzzDoor (300.29s)\n    context deadline exceeded\nFAIL\nexit status 1\n":                                        true,
		"--- FAIL: FuzzDoor (300.29s)\n    fuzzing process hung or terminated unexpectedly: exit status 2\nFAIL\n":                  false,
		"--- FAIL: FuzzDoor (3.00s)\n    context deadline exceeded\n    Failing input written to testdata/fuzz/FuzzDoor/aa\nFAIL\n": false,
		"--- FAIL: FuzzDoor (3.00s)\n    --- FAIL: FuzzDoor (0.00s)\n        door_test.go:7: context deadline exceeded\nFAIL\n":     false,
		"failure while testing seed corpus entry: FuzzDoor/aa\n--- FAIL: FuzzDoor (3.00s)\n    context deadline exceeded\nFAIL\n":   false,
	} {
		if got := (result{executions: 1, output: output}).outOfTime(); got != want {
			t.Errorf("%v, want %v, for\n%s", got, want, output)
		}
	}
	if (result{output: "--- FAIL: FuzzDoor (300.29s)\n    context deadline exceeded\nFAIL\n"}).outOfTime() {
		t.Error("a run that executed nothing passes")
	}
}
