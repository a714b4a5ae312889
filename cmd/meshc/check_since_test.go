package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loud makes two rules speak of every target and every route.
const loud = "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  rules: {severity: {MSH1503: error}}\n"

// tracing has two groups that say TRACE, and a target for each.
func tracing(t *testing.T) {
	t.Helper()
	second := strings.NewReplacer("name: web, namespace: shop}\nspec:\n  matches", "name: two, namespace: shop}\nspec:\n  matches",
		"kind: TrafficTarget\nmetadata: {name: web", "kind: TrafficTarget\nmetadata: {name: two", "name: web, matches", "name: two, matches").Replace(oldPolicy)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"meshc.yaml": loud, "apps.yaml": appsManifests, "one.yaml": oldPolicy, "two.yaml": second})
	inGit(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	t.Chdir(dir)
}

// Who changes one object is shown what concerns it, and answers for that alone.
func TestCheckOfWhatChanged(t *testing.T) {
	tracing(t)
	_, all := wants(t, exitFindings, "check")
	if strings.Count(all, "error[MSH1503]") != 2 {
		t.Fatalf("a check finds not both:\n%s", all)
	}
	_, stderr := wants(t, exitClean, "check", "--changed-since", "main")
	has(t, stderr, "on what did not change")
	if strings.Contains(stderr, "MSH1503") {
		t.Errorf("a finding on what did not change is shown:\n%s", stderr)
	}
	// A comment is no change; a moved object neither.
	edit(t, "two.yaml", "apiVersion", "# a comment\napiVersion")
	wants(t, exitClean, "check", "--changed-since", "main")
	if err := os.Rename("one.yaml", "uno.yaml"); err != nil {
		t.Fatal(err)
	}
	wants(t, exitClean, "check", "--changed-since", "main")

	edit(t, "two.yaml", "/items", "/things")
	_, stderr = wants(t, exitFindings, "check", "--changed-since", "main")
	has(t, stderr, "two.yaml:", "on what did not change")
	if strings.Contains(stderr, "uno.yaml:") {
		t.Errorf("the other group is shown:\n%s", stderr)
	}
	stdout, _ := wants(t, exitFindings, "check", "--changed-since", "main", "-o", "json")
	if strings.Contains(stdout, "uno.yaml") || !strings.Contains(stdout, "two.yaml") {
		t.Errorf("the report is of something else:\n%s", stdout)
	}
}

// What breaks a reference is shown at the other end, though nobody touched it; so is
// what a setting of the whole mesh brings.
func TestCheckShowsTheOtherEnd(t *testing.T) {
	tracing(t)
	if err := os.WriteFile("two.yaml", []byte(strings.Replace(string(read(t, "two.yaml")), "name: two, namespace: shop}\nspec:\n  matches", "name: three, namespace: shop}\nspec:\n  matches", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	_, stderr := wants(t, exitFindings, "check", "--changed-since", "main")
	has(t, stderr, "MSH1004", "TrafficTarget")
	inGit(t, ".", "checkout", "-q", ".")
	edit(t, "meshc.yaml", "spec:\n", "spec:\n  mode: permissive\n")
	_, stderr = wants(t, exitFindings, "check", "--changed-since", "main")
	has(t, stderr, "one.yaml:", "two.yaml:")
}

// A change of what judges answers for all that it finds, on objects of others too.
func TestCheckShowsWhatOtherRulesFind(t *testing.T) {
	tracing(t)
	edit(t, "meshc.yaml", "error", "warning")
	commit(t, ".")
	edit(t, "meshc.yaml", "warning", "error")
	_, stderr := wants(t, exitFindings, "check", "--changed-since", "main")
	if strings.Count(stderr, "error[MSH1503]") != 2 || strings.Contains(stderr, "not shown") {
		t.Errorf("a severity that is raised hides what it makes an error:\n%s", stderr)
	}
	inGit(t, ".", "checkout", "-q", ".")
	edit(t, "meshc.yaml", "  rules: {", "  rules: {dirs: [./rules], ")
	writeFiles(t, ".", map[string]string{"rules/own/policy.rego": "# METADATA\n# scope: package\n# title: nothing\n# description: Nothing is found.\n# custom:\n#   meshc: {id: OWN001, severity: warning, scope: object, kinds: [TrafficTarget], help: none}\npackage own\n\ndeny contains {\"path\": [\"metadata\", \"name\"], \"message\": \"none\"} if input.object.metadata.name == \"nobody\"\n", "rules/own/good/x.yaml": "a: 1\n", "rules/own/README.md": "own\n"})
	commit(t, ".")
	edit(t, "rules/own/good/x.yaml", "1", "2")
	_, stderr = wants(t, exitClean, "check", "--changed-since", "main")
	has(t, stderr, "on what did not change")
	out, _ := wants(t, exitClean, "diff", "main", "--fail-on-change", "any")
	has(t, out, "no change in meaning")
	edit(t, "rules/own/policy.rego", "nobody", "somebody")
	_, stderr = wants(t, exitClean, "check", "--changed-since", "main")
	if strings.Contains(stderr, "not shown") {
		t.Errorf("a rule that says something else hides what it finds:\n%s", stderr)
	}
}

// Who takes a waiver away, or lets it end sooner, is shown what it was for, on objects
// that did not change; what another waiver still covers is not.
func TestCheckShowsWhatAWaiverCovered(t *testing.T) {
	const both = "  waivers:\n  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: web}, reason: r, owner: o, expires: 2027-01-01}\n  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: two}, reason: r, owner: o, expires: 2027-01-01}\n"
	tracing(t)
	edit(t, "meshc.yaml", "  rules: {", both+"  rules: {commentWaivers: true, ")
	commit(t, ".")
	since := []string{"check", "--changed-since", "main", "--now", "2026-12-01"}
	wants(t, exitClean, since...)
	edit(t, "meshc.yaml", "  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: two}, reason: r, owner: o, expires: 2027-01-01}\n", "")
	_, stderr := wants(t, exitFindings, since...)
	if strings.Count(stderr, "error[MSH1503]") != 1 || !strings.Contains(stderr, "two.yaml:") {
		t.Errorf("not what the waiver covered, and that alone:\n%s", stderr)
	}
	inGit(t, ".", "checkout", "-q", ".")
	edit(t, "meshc.yaml", "name: two}, reason: r, owner: o, expires: 2027-01-01", "name: two}, reason: r, owner: o, expires: 2026-11-01")
	_, stderr = wants(t, exitFindings, since...)
	has(t, stderr, "error[MSH1503]", "two.yaml:")

	// A comment is no change of its object, and its end is one all the same.
	inGit(t, ".", "checkout", "-q", ".")
	edit(t, "meshc.yaml", both, "")
	const comment = "# meshc:waive MSH1503 until=2027-01-01 owner=o reason=r\n"
	for _, name := range []string{"one.yaml", "two.yaml"} {
		if err := os.WriteFile(name, append([]byte(comment), read(t, name)...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, ".")
	wants(t, exitClean, since...)
	edit(t, "two.yaml", comment, "")
	_, stderr = wants(t, exitFindings, since...)
	if strings.Count(stderr, "error[MSH1503]") != 1 || !strings.Contains(stderr, "two.yaml:") {
		t.Errorf("not what the comment covered, and that alone:\n%s", stderr)
	}
}

func TestCheckSinceRefuses(t *testing.T) {
	tracing(t)
	wants(t, exitInput, "check", "--changed-since", "no-such-revision")
	wants(t, exitUsage, "check", "--changed-since", "main", "--base", "HEAD~1")
}

// A change that lowers a severity, or adds a waiver or a rule, is judged as before
// it, in a check and in a build, and what it changes is told.
func TestAChangeDoesNotExcuseItself(t *testing.T) {
	tracing(t)
	out := filepath.Join(t.TempDir(), "bundle")
	edit(t, "meshc.yaml", "error", "\"off\"")
	wants(t, exitClean, "check")
	_, stderr := wants(t, exitFindings, "check", "--rules-from", "main")
	has(t, stderr, "error[MSH1503]", "MSH0930", "the severity of MSH1503 is off, was error", "meshc.yaml:5:22")
	wants(t, exitFindings, "build", "--rules-from", "main", "-o", out)
	wants(t, exitFindings, "check", "--rules-from", "git:HEAD")
	wants(t, exitClean, "check", "--rules-from", "path:.")

	inGit(t, ".", "checkout", "-q", ".")
	edit(t, "meshc.yaml", "spec:\n", "spec:\n  waivers:\n  - {code: MSH1503, target: {kind: HTTPRouteGroup, namespace: shop, name: \"*\"}, reason: r, owner: o, expires: 2027-01-01}\n")
	wants(t, exitClean, "check", "--now", "2026-12-01")
	_, stderr = wants(t, exitFindings, "check", "--now", "2026-12-01", "--rules-from", "main")
	has(t, stderr, "a waiver is added")
	wants(t, exitInput, "check", "--rules-from", "no-such-revision")
}
