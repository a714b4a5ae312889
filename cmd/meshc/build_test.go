package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
)

// meshc runs one command line and gives its exit code and output.
func meshc(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(context.Background(), args, streams{In: strings.NewReader(stdin), Out: &out, Err: &err})
	return code, out.String(), err.String()
}

// wants runs a command line that must end with a code.
func wants(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	code, out, err := meshc(t, "", args...)
	if code != want {
		t.Fatalf("meshc %s: exit %d, want %d\n%s%s", strings.Join(args, " "), code, want, out, err)
	}
	return out, err
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func manifest(t *testing.T, dir string) bundle.Manifest {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, bundle.ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	var m bundle.Manifest
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// appsManifests are two workloads, web with a service.
const appsManifests = `apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {serviceAccountName: web, containers: [{name: app, image: app}]}
---
apiVersion: v1
kind: Pod
metadata: {name: front, namespace: shop, labels: {app: front}}
spec: {serviceAccountName: front, containers: [{name: app, image: app}]}
`

const policyManifests = `apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: all, namespace: shop}
spec: {matches: {ports: [80]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: TCPRoute, name: all}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
`

// The digest is what reviewers, servers and rollbacks go by: it must not change
// because somebody renamed a file or moved an object in it.
func TestBuildOfARearrangedExampleHasTheSameDigest(t *testing.T) {
	example := filepath.Join("..", "..", "examples", "01-bookstore")
	parent := t.TempDir()
	moved := filepath.Join(parent, "moved")
	if err := os.CopyFS(moved, os.DirFS(example)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(moved, "manifests", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for i, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		docs := strings.Split(string(text), "\n---\n")
		for a, b := 0, len(docs)-1; a < b; a, b = a+1, b-1 {
			docs[a], docs[b] = docs[b], docs[a]
		}
		writeFiles(t, filepath.Dir(f), map[string]string{string(rune('z'-i)) + ".yml": strings.Join(docs, "\n---\n")})
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	var digests []string
	for i, path := range []string{example, example, moved} {
		dir := filepath.Join(parent, "bundle", string(rune('a'+i)))
		wants(t, exitClean, "build", path, "-o", dir)
		digests = append(digests, manifest(t, dir).PolicyDigest)
	}
	if digests[0] == "" || digests[0] != digests[1] || digests[0] != digests[2] {
		t.Errorf("policy digests differ: %v", digests)
	}
}

// Row 14b: a build of an object with an error makes no bundle.
func TestBuildWithErrorsLeavesTheOldBundle(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "bundle")
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests, "policy.yaml": policyManifests})
	wants(t, exitClean, "build", src, "-o", dir, "--revision", "main@1")
	before := manifest(t, dir)
	if before.Revision != "main@1" {
		t.Errorf("revision %q", before.Revision)
	}
	writeFiles(t, src, map[string]string{"policy.yaml": strings.Replace(policyManifests, "name: all}]", "name: al}]", 1)})
	out, err := wants(t, exitFindings, "build", src, "-o", dir)
	if out != "" || !strings.Contains(err, "policy.yaml:11:") {
		t.Errorf("stdout %q, stderr %s", out, err)
	}
	if after := manifest(t, dir); after.BundleDigest != before.BundleDigest {
		t.Error("the bundle changed although the build failed")
	}
	fresh := filepath.Join(t.TempDir(), "none")
	wants(t, exitFindings, "build", src, "-o", fresh)
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a failed build left %s: %v", fresh, err)
	}
}

func TestBuildExitCodes(t *testing.T) {
	src, foreign, empty := t.TempDir(), t.TempDir(), t.TempDir()
	hinted := strings.Replace(appsManifests, "{name: http, port: 80, targetPort: 8080}", "{port: 80, targetPort: 8080}", 1)
	writeFiles(t, src, map[string]string{"apps.yaml": hinted})
	writeFiles(t, foreign, map[string]string{"thesis.txt": "mine"})
	dir := filepath.Join(t.TempDir(), "b")
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitClean, []string{"build", src, "-o", dir}},
		{exitFindings, []string{"build", src, "-o", dir, "--fail-on", "info"}},
		{exitUsage, []string{"build", src}},
		{exitUsage, []string{"build", src, "-o", foreign}},
		{exitUsage, []string{"build", src, "-o", dir, "--fail-on", "sometimes"}},
		{exitUsage, []string{"build", src, "-o", dir, "--all-envs"}},
		{exitUsage, []string{"build", src, "-o", dir, "--env", "a", "--all-envs"}},
		{exitInput, []string{"build", filepath.Join(src, "nowhere"), "-o", dir}},
		{exitEngine, []string{"build", empty, "-o", dir}},
		{exitEngine, []string{"check", empty}},
		{exitClean, []string{"check", src}},
		{exitFindings, []string{"check", src, "--fail-on", "info"}},
		{exitUsage, []string{"check", src, "-o", "xml"}},
		{exitInput, []string{"verify", filepath.Join(src, "nowhere")}},
		{exitFindings, []string{"verify", src}},
		{exitFindings, []string{"inspect", src}},
	} {
		wants(t, c.want, c.args...)
	}
}

// A defect of meshc is not the user's fault, and CI must be able to tell.
func TestADefectIsAnEngineFailure(t *testing.T) {
	var out, errs strings.Builder
	c := &compilation{Result: &compiler.Result{Objects: 1}, Tree: source.FromMap(nil)}
	c.Findings.Add(diag.New(compiler.CodeInternal, diag.Span{}, "a reference leads nowhere"))
	err := c.report(streams{Out: &out, Err: &errs}, &reportFlags{failOn: "error"})
	if exitCode(err) != exitEngine || !strings.Contains(errs.String(), "a reference leads nowhere") {
		t.Errorf("exit %d: %s", exitCode(err), errs.String())
	}

}

func TestCheckWritesWhatReportWrites(t *testing.T) {
	src := t.TempDir()
	writeFiles(t, src, map[string]string{"a.yaml": strings.Replace(policyManifests, "name: all}]", "name: al}]", 1)})
	a, _ := wants(t, exitFindings, "check", src, "-o", "json")
	b, _ := wants(t, exitFindings, "check", src, "--report", "json")
	if a != b || !json.Valid([]byte(a)) {
		t.Errorf("-o json:\n%s\n--report json:\n%s", a, b)
	}
}

func TestBuildFromStandardInput(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "b")
	if code, _, err := meshc(t, appsManifests+"---\n"+policyManifests, "build", "-", "-o", dir); code != exitClean {
		t.Fatalf("exit %d: %s", code, err)
	}
	if n := len(manifest(t, dir).Inputs); n != 1 {
		t.Errorf("%d inputs", n)
	}
}

func TestBuildOfAllEnvironments(t *testing.T) {
	src, dir := t.TempDir(), t.TempDir()
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests, "meshc.yaml": `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec:
  environments:
    staging: {mode: permissive}
    prod: {mode: strict}
`})
	wants(t, exitClean, "build", src, "-o", dir, "--all-envs")
	staging, prod := manifest(t, filepath.Join(dir, "staging")), manifest(t, filepath.Join(dir, "prod"))
	if staging.Environment != "staging" || prod.Environment != "prod" || staging.PolicyDigest == prod.PolicyDigest {
		t.Errorf("staging %+v, prod %+v", staging, prod)
	}
	wants(t, exitClean, "build", src, "-o", filepath.Join(dir, "one"), "--env", "prod")
	if got := manifest(t, filepath.Join(dir, "one")).PolicyDigest; got != prod.PolicyDigest {
		t.Error("--env prod and --all-envs differ")
	}
}

// CI runs a build again to prove that a bundle is what its sources say.
func TestReproducibleBuildIsEqualByteForByte(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	src, parent := t.TempDir(), t.TempDir()
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests, "policy.yaml": policyManifests})
	a, b := filepath.Join(parent, "a"), filepath.Join(parent, "b")
	wants(t, exitClean, "build", src, "-o", a)
	wants(t, exitClean, "build", src, "-o", b)
	if x, y := manifest(t, a), manifest(t, b); x.BundleDigest != y.BundleDigest || x.Judged != "2023-11-14" {
		t.Errorf("%s of %s and %s", x.BundleDigest, x.Judged, y.BundleDigest)
	}
}
