package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oldPolicy has what a rule of the team's finds fault with.
const oldPolicy = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: web, namespace: shop}
spec:
  matches:
  - {name: read, pathRegex: /items, methods: [GET, TRACE]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: web, matches: [read]}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
`

// strictMesh makes the rule's finding an error, in one environment only.
const strictMesh = `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec:
  rules: {severity: {MSH1503: error}}
  environments:
    dev: {}
    prod: {rules: {severity: {MSH1503: "off"}}}
`

func oldShop(t *testing.T) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	writeFiles(t, dir, map[string]string{"meshc.yaml": strictMesh, "apps.yaml": appsManifests, "policy.yaml": oldPolicy})
	return dir, filepath.Join(t.TempDir(), "baseline.txt")
}

// A team that begins with meshc builds on the day it writes its baseline; a fault
// that is new fails the build nevertheless, and one that is mended is told.
func TestATeamBeginsWithABaseline(t *testing.T) {
	dir, file := oldShop(t)
	out := filepath.Join(t.TempDir(), "bundle")
	wants(t, exitFindings, "build", dir, "-o", out)
	wants(t, exitClean, "build", dir, "-o", out, "--write-baseline", file)
	_, stderr := wants(t, exitClean, "build", dir, "-o", out, "--baseline", file)
	if !strings.Contains(stderr, "in the baseline") {
		t.Errorf("the build does not say what it leaves out of account:\n%s", stderr)
	}
	sarif, _ := wants(t, exitClean, "check", dir, "--baseline", file, "-o", "sarif")
	var log struct {
		Runs []struct {
			Results []struct {
				RuleID       string
				Suppressions []struct{ Kind string }
			}
		}
	}
	if err := json.Unmarshal([]byte(sarif), &log); err != nil {
		t.Fatal(err)
	}
	for _, r := range log.Runs[0].Results {
		if len(r.Suppressions) != 1 || r.Suppressions[0].Kind != "external" {
			t.Errorf("%s is not suppressed: %+v", r.RuleID, r.Suppressions)
		}
	}

	writeFiles(t, dir, map[string]string{"policy.yaml": strings.Replace(oldPolicy, "TRACE", "CONNECT", 1)})
	stdout, _ := wants(t, exitFindings, "check", dir, "--baseline", file, "-o", "compact")
	if !strings.Contains(stdout, "CONNECT\n") || !strings.Contains(stdout, "MSH0907") {
		t.Errorf("the new fault does not count, or the mended one is not told:\n%s", stdout)
	}
}

// What the compiler cannot lower no baseline lifts, and a damaged one fails the run.
func TestABaselineLiftsNoErrorOfTheCompiler(t *testing.T) {
	dir, file := oldShop(t)
	writeFiles(t, dir, map[string]string{"policy.yaml": strings.Replace(oldPolicy, "name: web, matches", "name: gone, matches", 1)})
	_, stderr := wants(t, exitFindings, "check", dir, "--write-baseline", file)
	if !strings.Contains(stderr, "cannot be in a baseline") {
		t.Errorf("nobody says that an error stays:\n%s", stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "MSH1004") {
		t.Fatalf("%v\n%s", err, text)
	}
	writeFiles(t, dir, map[string]string{"policy.yaml": oldPolicy})
	wants(t, exitClean, "check", dir, "--write-baseline", file)
	writeFiles(t, filepath.Dir(file), map[string]string{"baseline.txt": string(text) + ">>>>>>> theirs\n"})
	_, stderr = wants(t, exitFindings, "check", dir, "--baseline", file)
	if !strings.Contains(stderr, "MSH0906") || !strings.Contains(stderr, ">>>>>>> theirs") {
		t.Errorf("the damage is not shown at its place:\n%s", stderr)
	}
	wants(t, exitInput, "check", dir, "--baseline", file+".gone")
	wants(t, exitUsage, "check", dir, "--baseline", file, "--write-baseline", file+".other")
}

// An entry that one environment needs is needed, though another finds nothing.
func TestABaselineIsForAllEnvironments(t *testing.T) {
	dir, file := oldShop(t)
	out := t.TempDir()
	wants(t, exitClean, "build", dir, "--all-envs", "-o", filepath.Join(out, "a"), "--write-baseline", file)
	stdout, _ := wants(t, exitClean, "build", dir, "--all-envs", "-o", filepath.Join(out, "b"), "--baseline", file, "--report", "compact")
	if strings.Contains(stdout, "MSH0907") || !strings.Contains(stdout, "MSH1503") {
		t.Errorf("an entry of one environment is called unneeded:\n%s", stdout)
	}
	writeFiles(t, dir, map[string]string{"policy.yaml": strings.Replace(oldPolicy, ", TRACE", "", 1)})
	stdout, _ = wants(t, exitClean, "build", dir, "--all-envs", "-o", filepath.Join(out, "c"), "--baseline", file, "--report", "compact")
	if strings.Count(stdout, "MSH0907") != 1 {
		t.Errorf("an entry that no environment needs is to be told once:\n%s", stdout)
	}
}

// The day of judgement is an input: a build of last year's tree is judged by last
// year's day.
func TestTheTimeOfJudgementIsAnInput(t *testing.T) {
	dir, _ := oldShop(t)
	waiver := `  waivers:
  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: web}, reason: r, owner: o, expires: 2025-03-31}
`
	writeFiles(t, dir, map[string]string{"meshc.yaml": strictMesh + waiver})
	wants(t, exitClean, "check", dir, "--now", "2025-03-31")
	wants(t, exitClean, "check", dir, "--now", "2025-03-31T23:59:59Z")
	wants(t, exitFindings, "check", dir, "--now", "2025-04-01")
	wants(t, exitUsage, "check", dir, "--now", "yesterday")
}

// A baseline that cannot be written is told by the name that was given.
func TestABaselineThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	_, err := wants(t, exitInput, "check", bookstore, "--write-baseline", dir)
	has(t, err, dir+" is a folder")
	_, err = wants(t, exitInput, "check", bookstore, "--write-baseline", filepath.Join(dir, "no", "b.txt"))
	has(t, err, "cannot write "+filepath.Join(dir, "no", "b.txt")+": no such file or directory")
	if strings.Contains(err, ".new-") {
		t.Errorf("a name that nobody gave: %s", err)
	}
}
