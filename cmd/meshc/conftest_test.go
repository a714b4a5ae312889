package main

import (
	"path/filepath"
	"strings"
	"testing"
)

const foreignPolicy = `package main

deny[msg] {
	input.kind == "ConfigMap"
	not data.owners[input.metadata.name]
	msg := sprintf("%s has no owner", [input.metadata.name])
}

warn[msg] {
	input.kind == "TrafficTarget"
	count(input.spec.sources) > 0
	msg := "a target"
}

test_config_maps_need_owners {
	count(deny) == 1 with input as {"kind": "ConfigMap", "metadata": {"name": "a"}}
}
`

// A team that has policies for conftest keeps them: what they say stands at the
// object, beside meshc's own findings, and fails the run as it did.
func TestPoliciesOfConftestJudge(t *testing.T) {
	dir := ruled(t, "")
	policy := filepath.Join(t.TempDir(), "policy")
	writeFiles(t, dir, map[string]string{"config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: colours\n"})
	writeFiles(t, policy, map[string]string{"p.rego": foreignPolicy, "net.rego": "package net\n\nimport rego.v1\n\ndeny contains \"never\" if input.kind == \"Pod\"\n"})
	_, err := wants(t, exitFindings, "check", dir, "--compat", "conftest", "-p", policy)
	has(t, err, "error[MSH0650]", "config.yaml:4:9", "colours has no owner", "warning[MSH0651]", "access.yaml:4:9", "warning[SHOP001]", "the rule main.deny")
	has(t, err, "p.rego:3:1")
	_, err = wants(t, exitFindings, "check", dir, "--compat", "conftest", "-p", policy, "--namespace", "net")
	has(t, err, "MSH0650", "access.yaml", "never")
	owners := filepath.Join(t.TempDir(), "owners.yaml")
	writeFiles(t, filepath.Dir(owners), map[string]string{"owners.yaml": "owners: {colours: us}\n"})
	wants(t, exitClean, "check", dir, "--compat", "conftest", "-p", policy, "--data", owners)
	// Only documents that the mesh does not read.
	wants(t, exitFindings, "check", filepath.Join(dir, "config.yaml"), "--compat", "conftest", "-p", policy)
	wants(t, exitEngine, "check", filepath.Join(dir, "config.yaml"))

	wants(t, exitUsage, "check", dir, "--compat", "other")
	wants(t, exitUsage, "check", dir, "--namespace", "main")
	wants(t, exitInput, "check", dir, "--compat", "conftest", "-p", filepath.Join(dir, "nowhere"))
	wants(t, exitEngine, "check", dir, "--compat", "conftest", "-p", t.TempDir())
	edit(t, filepath.Join(policy, "p.rego"), `not data.owners`, `http.send({}); not data.owners`)
	_, err = wants(t, exitEngine, "check", dir, "--compat", "conftest", "-p", policy)
	has(t, err, "error[MSH0652]", "p.rego:5:2", "http.send")
}

func TestTestsOfConftestPoliciesRun(t *testing.T) {
	policy := t.TempDir()
	writeFiles(t, policy, map[string]string{"p.rego": foreignPolicy})
	out, _ := wants(t, exitClean, "policy", "test", policy, "--compat", "conftest", "-v")
	has(t, out, "ok    "+filepath.ToSlash(policy)+" (1 test", "pass main.test_config_maps_need_owners", "0 failed")
	edit(t, filepath.Join(policy, "p.rego"), "count(deny) == 1", "count(deny) == 2")
	out, _ = wants(t, exitFindings, "policy", "test", policy, "--compat", "conftest")
	has(t, out, "p.rego:15:1", "it is not true")
}

// What such a policy finds is accepted as all else is: until a day, by a waiver or by a
// baseline.
func TestFindingsOfConftestAreWaived(t *testing.T) {
	const waiver = "  waivers:\n  - {code: MSH0650, target: {kind: ConfigMap, name: colours}, reason: r, owner: o, expires: 2027-01-01}\n"
	dir := ruled(t, "")
	policy := filepath.Join(t.TempDir(), "policy")
	writeFiles(t, dir, map[string]string{"config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: colours\n"})
	writeFiles(t, policy, map[string]string{"p.rego": foreignPolicy})
	args := []string{"check", dir, "--compat", "conftest", "-p", policy, "--now", "2026-12-01"}
	old := filepath.Join(t.TempDir(), "old.txt")
	wants(t, exitClean, append(args, "--write-baseline", old)...)
	wants(t, exitClean, append(args, "--baseline", old)...)
	edit(t, filepath.Join(dir, "meshc.yaml"), "spec:\n", "spec:\n"+waiver)
	_, err := wants(t, exitClean, args...)
	has(t, err, "MSH0650", "1 waived")
	if strings.Contains(err, "MSH0902") {
		t.Errorf("a waiver that is needed is called idle:\n%s", err)
	}
	_, err = wants(t, exitFindings, append(args, "--now", "2027-01-02")...)
	has(t, err, "MSH0650", "the waiver ended on 2027-01-01")
}

// An edit of a manifest or of a policy is answered alike.
func TestWatchJudgesByPoliciesOfConftest(t *testing.T) {
	dir := ruled(t, "")
	policy := filepath.Join(t.TempDir(), "policy")
	writeFiles(t, policy, map[string]string{"p.rego": foreignPolicy})
	until, end := watchingCheck(t, dir, "--compat", "conftest", "-p", policy, "--report", "compact", "--min-severity", "error")
	until("the first state", holding("in "))
	writeFiles(t, dir, map[string]string{"config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: colours\n"})
	until("a document that is denied", holding("error[MSH0650]", "config.yaml:4:", "1 appeared"))
	writeFiles(t, policy, map[string]string{"p.rego": strings.Replace(foreignPolicy, `"ConfigMap"`, `"Secret"`, 1)})
	until("a policy that denies it no more", holding("gone: ", "MSH0650", "0 appeared, 1 gone"))
	if code := end(); code != exitClean {
		t.Errorf("it ends with %d where a check would find nothing", code)
	}
}
