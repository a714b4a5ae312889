package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/lab"
)

// envoyForTests is the pinned Envoy, with a cache folder of the test's own.
func envoyForTests(t *testing.T) string {
	t.Helper()
	binary, err := lab.FindEnvoy("")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return binary
}

// A real Envoy takes what a build makes of the first example; a second build
// does not ask it again.
func TestBuildLetsEnvoyJudge(t *testing.T) {
	binary := envoyForTests(t)
	out := filepath.Join(t.TempDir(), "bundle")
	wants(t, exitClean, "build", filepath.Join("..", "..", "examples", "01-bookstore"), "-o", out, "--envoy", binary)
	taken, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "meshc", "envoy-validated", "*"))
	if err != nil || len(taken) == 0 {
		t.Fatalf("%d configurations are remembered, %v: Envoy was not asked", len(taken), err)
	}
	wants(t, exitUsage, "build", filepath.Join("..", "..", "examples", "01-bookstore"), "-o", out, "--envoy", filepath.Join(out, "none"))
	if _, said := wants(t, exitUsage, "build", filepath.Join("..", "..", "examples", "01-bookstore"), "-o", out, "--envoy", "true"); !strings.Contains(said, "is no Envoy") {
		t.Errorf("a program that says yes to everything has judged: %s", said)
	}
}

// What Envoy refuses is a finding in Envoy's words, and no crash of the build.
func TestARefusalOfEnvoyIsAFinding(t *testing.T) {
	v, err := newValidator(envoyForTests(t))
	if err != nil {
		t.Fatal(err)
	}
	good := proxyConfig{role: "a/good", json: []byte(`{"static_resources": {}}`)}
	bad := proxyConfig{role: "a/bad", json: []byte(`{"static_resources": {"clusters": [{"name": "c", "type": "EDS"}]}}`)}
	for range 2 { // a refusal is not remembered
		found, err := v.judge([]proxyConfig{good, bad, good})
		if err != nil || len(found) != 1 {
			t.Fatalf("%d findings, %v", len(found), err)
		}
		f := found[0]
		if f.Code != "MSH0497" || !strings.Contains(f.Message, "a/bad") || !strings.Contains(f.Message, "EDS") {
			t.Errorf("%s: %s", f.Code, f.Message)
		}
		var errs strings.Builder
		if err := (&reportFlags{failOn: "error"}).emit(streams{Out: &errs, Err: &errs}, found, nil); exitCode(err) != exitFindings {
			t.Errorf("exit %d: %s", exitCode(err), errs.String())
		}
		t.Log(f.Message)
	}
}
