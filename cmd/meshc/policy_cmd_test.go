package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ruled is a mesh with a rule of its own, in a folder whose samples are no manifests.
func ruled(t *testing.T, settings string) string {
	t.Helper()
	dir := t.TempDir()
	wants(t, exitClean, "policy", "new", "SHOP001", filepath.Join(dir, "rules", "owners"))
	text, err := os.ReadFile(filepath.Join(dir, "rules", "owners", "bad", "access.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{
		"access.yaml": string(text),
		"meshc.yaml":  "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  rules:\n    dirs: [./rules]\n" + settings,
	})
	return dir
}

// A team's own rule judges check and build alike, at the line of the object.
func TestAMeshIsJudgedByItsOwnRules(t *testing.T) {
	dir := ruled(t, "")
	_, out := wants(t, exitClean, "check", dir)
	has(t, out, "warning[SHOP001]", "access.yaml:4:9", `"buyers" has no label "owner"`, "say by a label whose it is")
	if strings.Contains(out, "MSH0109") || strings.Count(out, "SHOP001]") != 1 {
		t.Errorf("samples of the rule are read as manifests:\n%s", out)
	}
	dir = ruled(t, "    severity: {SHOP001: error}\n    params: {SHOP001: {label: team}}\n")
	_, out = wants(t, exitFindings, "build", dir, "-o", filepath.Join(t.TempDir(), "b"))
	has(t, out, "error[SHOP001]", `has no label "team"`)
	wants(t, exitClean, "check", "--fail-on", "warning", ruled(t, "    severity: {SHOP001: off}\n"))
}

// What cannot be judged ends a run with 4, whatever else is fine.
func TestAFaultyRuleIsNoPass(t *testing.T) {
	dir := ruled(t, "")
	rule := filepath.Join(dir, "rules", "owners", "policy.rego")
	edit(t, rule, "not input.object.metadata.labels[", "not input.object.metadata.labls[")
	_, out := wants(t, exitEngine, "check", dir)
	has(t, out, "error[MSH0602]", "policy.rego:24:6", "labls")
	wants(t, exitEngine, "build", dir, "-o", filepath.Join(t.TempDir(), "b"))
	wants(t, exitEngine, "policy", "test", filepath.Join(dir, "rules"))

	dir = ruled(t, "")
	if err := os.RemoveAll(filepath.Join(dir, "rules", "owners")); err != nil {
		t.Fatal(err)
	}
	_, out = wants(t, exitEngine, "check", dir)
	has(t, out, "MSH0611")
	if err := os.RemoveAll(filepath.Join(dir, "rules")); err != nil {
		t.Fatal(err)
	}
	_, out = wants(t, exitInput, "check", dir)
	has(t, out, "meshc.yaml:6:12", `"./rules" cannot be opened`)
}

// A misspelt setting would leave a rule at its defaults and look as if it held.
func TestSettingsOfRulesAreChecked(t *testing.T) {
	for settings, want := range map[string]string{
		"    params: {SHOP001: {lable: team}}\n":   `did you mean "label"`,
		"    params: {SHOP001: {label: [team]}}\n": "takes a value of type string, not array",
		"    params: {SHOP002: {label: team}}\n":   `did you mean "SHOP001"`,
		"    severity: {SHOP01: error}\n":          `did you mean "SHOP001"`,
		"    severity: {SHOP001: fatal}\n":         "MSH0117",
	} {
		_, out := wants(t, exitFindings, "check", ruled(t, settings))
		has(t, out, want)
	}
}

func TestPolicyTestTellsWhatFails(t *testing.T) {
	dir := ruled(t, "")
	rules := filepath.Join(dir, "rules")
	out, _ := wants(t, exitClean, "policy", "test", rules, "-v")
	has(t, out, "ok    SHOP001", "pass rules.shop001_test.test_an_owner_is_fine", "2 tests, 2 samples of 1 rule; 0 failed")
	edit(t, filepath.Join(rules, "owners", "policy.rego"), "default: owner", "default: team")
	edit(t, filepath.Join(rules, "owners", "bad", "access.yaml"), "   # want: SHOP001", "")
	out, _ = wants(t, exitFindings, "policy", "test", rules)
	has(t, out, "FAIL  SHOP001", "policy_test.rego:9:1", "test_an_owner_is_fine: it is not true", "good: access.yaml:4:9: found, but not wanted", "no line says `# want: SHOP001`")
	wants(t, exitEngine, "policy", "test", t.TempDir())
	wants(t, exitInput, "policy", "test", filepath.Join(dir, "nowhere"))
	wants(t, exitUsage, "policy", "test", "--run", "(", rules)
	wants(t, exitEngine, "policy", "test", "--run", "nothing-has-this-name", rules)
}

func TestPolicyListShowsWhatIsOff(t *testing.T) {
	out, _ := wants(t, exitClean, "policy", "list", ruled(t, "    severity: {SHOP001: error, MSH1501: off}\n"))
	has(t, out, "SHOP001  error", "MSH1501  off")
}

func TestPolicyFmtAndNew(t *testing.T) {
	dir := ruled(t, "")
	rule := filepath.Join(dir, "rules", "owners", "policy.rego")
	wants(t, exitClean, "policy", "fmt", "--check", dir)
	edit(t, rule, "deny contains {", "deny   contains {")
	out, _ := wants(t, exitFindings, "policy", "fmt", "--check", dir)
	has(t, out, "policy.rego")
	wants(t, exitClean, "policy", "fmt", dir)
	wants(t, exitClean, "policy", "fmt", "--check", dir)
	edit(t, rule, "deny contains {", "deny contains {{")
	wants(t, exitEngine, "policy", "fmt", dir)
	wants(t, exitInput, "policy", "new", "SHOP001", filepath.Join(dir, "rules", "owners"))
	wants(t, exitUsage, "policy", "new", "MSH1234", filepath.Join(dir, "rules", "other"))
}
