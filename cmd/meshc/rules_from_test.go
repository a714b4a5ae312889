package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// pushedRules are the rules of a mesh in a registry, by digest.
func pushedRules(t *testing.T, dir, to string) string {
	t.Helper()
	out, _ := wants(t, exitClean, "policy", "push", dir, to, "--plain-http")
	return strings.TrimSpace(out)
}

// A rule set that CI pins judges a change, whatever the change makes of its own rules
// and severities; the differences are told by the names that the tree has for its rules.
func TestAPinnedRuleSetJudgesAChange(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "")
	pinned := pushedRules(t, filepath.Join(dir, "rules"), host+"/rules:v1")
	t.Setenv("MESHC_CACHE", t.TempDir()) // CI has not pulled it
	_, err := wants(t, exitClean, "check", dir, "--rules-from", pinned, "--plain-http")
	has(t, err, "warning[SHOP001]")
	if strings.Contains(err, "MSH093") {
		t.Errorf("equal rules are told as a difference:\n%s", err)
	}
	wants(t, exitClean, "diff", dir, dir, "--rules-from", pinned, "--plain-http", "--exit-code")

	edit(t, filepath.Join(dir, "meshc.yaml"), "    dirs: [./rules]\n", "    dirs: [./rules]\n    severity: {SHOP001: \"off\"}\n")
	edit(t, filepath.Join(dir, "rules", "owners", "policy.rego"), "title: ", "title: weaker, ")
	wants(t, exitClean, "check", dir, "--fail-on", "warning")
	tagged := strings.Replace(pinned, "@", ":v1@", 1)
	for _, verb := range [][]string{{"check", dir}, {"build", dir, "-o", filepath.Join(t.TempDir(), "b")}} {
		_, err = wants(t, exitFindings, append(verb, "--rules-from", tagged, "--plain-http", "--fail-on", "warning")...)
		has(t, err, "warning[SHOP001]", "MSH0930", "rule file rules/owners/policy.rego says something else", "the severity of SHOP001 is off")
	}
	out, _ := wants(t, exitFindings, "diff", dir, dir, "--rules-from", pinned, "--plain-http", "--fail-on-change", "widen")
	has(t, out, "rule file rules/owners/policy.rego says something else", "the severity of SHOP001 is off")
}

// A whole folder that was pushed brings the severities and waivers of its meshc.yaml.
func TestARuleSetBringsItsSettings(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "    severity: {SHOP001: error}\n")
	pinned := pushedRules(t, dir, host+"/mesh:v1")
	edit(t, filepath.Join(dir, "meshc.yaml"), "error", "info")
	wants(t, exitClean, "check", dir)
	_, err := wants(t, exitFindings, "check", dir, "--rules-from", pinned, "--plain-http")
	has(t, err, "error[SHOP001]", "the severity of SHOP001 is info, was error", "meshc.yaml:7:16")
}

// What is not pinned, no rule set, or not there judges nothing: never a pass.
func TestRulesFromARegistryAreRefused(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "")
	pinned := pushedRules(t, filepath.Join(dir, "rules"), host+"/rules:v1")
	_, err := wants(t, exitUsage, "check", dir, "--rules-from", host+"/rules:v1", "--plain-http")
	has(t, err, "is not pinned by a digest", "meshc policy pull")
	wants(t, exitUsage, "diff", dir, dir, "--rules-from", host+"/rules:v1", "--plain-http")
	wants(t, exitUsage, "check", dir, "--rules-from", "oci://:")
	t.Setenv("MESHC_CACHE", t.TempDir())
	lost := pinned[:len(pinned)-4] + "0000"
	wants(t, exitInput, "check", dir, "--rules-from", lost, "--plain-http")

	bundle := filepath.Join(t.TempDir(), "b")
	wants(t, exitClean, "build", dir, "-o", bundle)
	out, _ := wants(t, exitClean, "push", bundle, host+"/mesh:v1", "--plain-http")
	_, err = wants(t, exitInput, "check", dir, "--rules-from", strings.Fields(out)[0], "--plain-http")
	has(t, err, "--rules-from")

	meshOf(t, dir, `dirs: ["`+pinned+`", ./rules]`)
	further := pushedRules(t, dir, host+"/further:v1")
	_, err = wants(t, exitInput, "check", dir, "--rules-from", further, "--plain-http")
	has(t, err, "names a further rule set")
}

// A revision whose severities cannot be read judges nothing: else a change that main
// refuses would pass while main is broken.
func TestRulesOfABrokenMeshAreRefused(t *testing.T) {
	dir, from := ruled(t, "    severity: {SHOP001: info}\n"), ruled(t, "    severity: {SHOP001: error}\n")
	_, err := wants(t, exitFindings, "check", dir, "--rules-from", from)
	has(t, err, "error[SHOP001]")
	for _, broken := range []string{"    severity: {SHOP001: eror}\n", "    severities: {SHOP001: error}\n", "    severity: [\n"} {
		from := ruled(t, broken)
		_, err := wants(t, exitInput, "check", dir, "--rules-from", from)
		has(t, err, "--rules-from "+from, "meshc.yaml:", "cannot judge")
		wants(t, exitInput, "diff", dir, dir, "--rules-from", from)
	}
}

// A mesh that already pins a rule set is held against another digest of it.
func TestAnotherDigestOfTheSameRules(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "")
	old := pushedRules(t, filepath.Join(dir, "rules"), host+"/rules:v1")
	edit(t, filepath.Join(dir, "rules", "owners", "policy.rego"), "title: ", "title: weaker, ")
	now := pushedRules(t, filepath.Join(dir, "rules"), host+"/rules:v2")
	meshOf(t, dir, `dirs: ["`+strings.Replace(now, "@", ":v2@", 1)+`"]`)
	wants(t, exitClean, "policy", "pull", dir, "--plain-http")
	_, err := wants(t, exitClean, "check", dir, "--rules-from", old, "--plain-http")
	has(t, err, "rule file "+host+"/rules says something else", "meshc.yaml:6:")
	wants(t, exitClean, "diff", dir, dir, "--rules-from", now, "--exit-code")
}
