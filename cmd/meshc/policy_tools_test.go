package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pipeline that asks for coverage must be stopped by what nothing reaches, and
// told where it is.
func TestPolicyTestCountsCoverage(t *testing.T) {
	rules := filepath.Join(ruled(t, ""), "rules")
	out, _ := wants(t, exitClean, "policy", "test", rules, "--min-coverage", "100")
	has(t, out, "100.0%", "SHOP001", "in total")
	rule := filepath.Join(rules, "owners", "policy.rego")
	edit(t, rule, "\tnot input.object.metadata.labels[data.params.label]\n}", "\tnot input.object.metadata.labels[data.params.label]\n}\n\ndeny contains \"never\" if {\n\tinput.object.metadata.name == \"nobody\"\n\tcount(input.object.metadata.labels) > 7\n}")
	out, err := wants(t, exitFindings, "policy", "test", rules, "--coverage", "--min-coverage", "90")
	has(t, out, "policy.rego:29:2: no test and no sample comes here")
	has(t, err, "is below --min-coverage 90")
	wants(t, exitClean, "policy", "test", rules, "--coverage")
	var got suiteJSON
	out, _ = wants(t, exitClean, "policy", "test", rules, "--coverage", "-o", "json")
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Rules) != 1 || !got.Rules[0].Passed || got.Coverage == nil || got.Coverage.Percent >= 100 || len(got.Coverage.Files) != 1 || len(got.Coverage.Files[0].Missed) == 0 {
		t.Errorf("%v in\n%s", err, out)
	}
	wants(t, exitUsage, "policy", "test", rules, "--min-coverage", "101")
	wants(t, exitUsage, "policy", "test", rules, "-o", "xml")
}

func TestPolicyBenchShowsEachRule(t *testing.T) {
	dir := ruled(t, "")
	out, _ := wants(t, exitClean, "policy", "bench", dir, "--rounds", "1", "--rule", "SHOP001", "-o", "json")
	var got []cost
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got) != 1 || got[0].Code != "SHOP001" || got[0].Evaluations != 1 || got[0].Steps == 0 || got[0].MostAt != "TrafficTarget/shop/buyers" {
		t.Errorf("%v in\n%s", err, out)
	}
	out, _ = wants(t, exitClean, "policy", "bench", dir, "--rounds", "1")
	has(t, out, "RULE", "SHARE", "SHOP001", "MSH1501")
	_, err := wants(t, exitUsage, "policy", "bench", dir, "--rule", "SHOP01")
	has(t, err, `did you mean "SHOP001"`)
	edit(t, filepath.Join(dir, "rules", "owners", "policy.rego"), "not input.object.metadata.labels[", "not input.object.metadata.labls[")
	wants(t, exitEngine, "policy", "bench", dir)
}

// The scaffold is what people start from, so it has nothing to find; what they
// leave unproved is found at its line, in every format.
func TestPolicyLintFindsWhatIsNotProved(t *testing.T) {
	rules := filepath.Join(ruled(t, ""), "rules")
	_, err := wants(t, exitClean, "policy", "lint", rules, "--fail-on", "info")
	has(t, err, "no findings in 1 rule")
	rule := filepath.Join(rules, "owners", "policy.rego")
	edit(t, rule, "\tnot input.object.metadata.labels[data.params.label]\n}", "\tnot input.object.metadata.labels[data.params.label]\n}\n\ndeny contains \"never\" if input.object.metadata.name == \"nobody\"")
	if err := os.RemoveAll(filepath.Join(rules, "owners", "good")); err != nil {
		t.Fatal(err)
	}
	sarif := filepath.Join(t.TempDir(), "lint.sarif")
	out, _ := wants(t, exitFindings, "policy", "lint", rules, "--fail-on", "warning", "--report", "compact", "--report", "sarif="+sarif)
	has(t, out, "policy.rego:27:1: warning[MSH0628]", "policy.rego:1:1: warning[MSH0630]: SHOP001 has no good sample")
	text, readErr := os.ReadFile(sarif)
	if readErr != nil {
		t.Fatal(readErr)
	}
	has(t, string(text), `"ruleId": "MSH0628"`, `"startLine": 27`)
	out, _ = wants(t, exitClean, "policy", "lint", rules, "--no-proof", "--report", "compact")
	if strings.Contains(out, "MSH0628") {
		t.Errorf("proved all the same:\n%s", out)
	}
	edit(t, rule, "not input.object.metadata.labels[", "not input.object.metadata.labls[")
	wants(t, exitEngine, "policy", "lint", rules)
	wants(t, exitEngine, "policy", "lint", t.TempDir())
	wants(t, exitInput, "policy", "lint", filepath.Join(rules, "nowhere"))
}

// What lint finds is accepted in the rule itself, by whom and until when, and no longer.
func TestPolicyLintFindingsAreWaived(t *testing.T) {
	rules := filepath.Join(ruled(t, ""), "rules")
	rule := filepath.Join(rules, "owners", "policy.rego")
	lint := []string{"policy", "lint", rules, "--fail-on", "info", "--now", "2026-12-01"}
	wants(t, exitClean, lint...)
	const comment = "# meshc:waive MSH0628 until=2027-01-01 owner=team reason=\"a test is to come\"\n"
	const more = "deny contains \"never\" if {\n\tinput.object.metadata.name == \"nobody\"\n}\n"
	text := string(read(t, rule))
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(rule, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(text + "\n" + more)
	_, err := wants(t, exitFindings, lint...)
	has(t, err, "MSH0628")
	write(text + "\n" + comment + more)
	_, err = wants(t, exitClean, append(lint, "--fail-on", "warning")...)
	has(t, err, "waived")
	wants(t, exitFindings, append(lint, "--fail-on", "warning", "--now", "2027-01-02")...)
	write(text + "\n" + strings.Replace(comment, " owner=team", "", 1) + more)
	_, err = wants(t, exitFindings, append(lint, "--fail-on", "warning")...)
	has(t, err, "MSH0104", `"owner" is missing`)
	write(comment + "\n" + text)
	_, err = wants(t, exitFindings, append(lint, "--fail-on", "warning")...)
	has(t, err, "MSH0902")
}
