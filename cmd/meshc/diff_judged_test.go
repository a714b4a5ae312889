package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// splitRepository is a repository with a split whose weights are to change.
func splitRepository(t *testing.T, settings string) string {
	t.Helper()
	dir := copied(t, "../../examples/02-canary")
	inGit(t, dir, "init", "-q", "-b", "main")
	if settings != "" {
		name := filepath.Join(dir, "meshc.yaml")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, append(text, settings...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, dir)
	t.Chdir(dir)
	return dir
}

// A rule that compares speaks in a diff as in `check --base`: of a jump of weights that
// opens nothing, and nowhere else.
func TestDiffTellsWhatComparingRulesFind(t *testing.T) {
	splitRepository(t, "")
	out, _ := wants(t, exitClean, "diff", "main")
	if strings.Contains(out, "MSH2505") {
		t.Fatalf("a split that stays jumps:\n%s", out)
	}
	jump(t)
	out, _ = wants(t, exitClean, "diff", "main", "--fail-on-change", "widen")
	has(t, out, "found by rules that compare", "warning[MSH2505]: ", "gets 100 of 100 calls", "TrafficSplit/", "at manifests/")
	wants(t, exitFindings, "diff", "main", "--fail-on", "warning")
	out, _ = wants(t, exitClean, "diff", "main", "-o", "markdown")
	has(t, out, "#### Found by rules that compare (", "MSH2505")
	out, _ = wants(t, exitClean, "diff", "main", "-o", "json")
	var got difference
	if err := json.Unmarshal([]byte(out), &got); err != nil || len(got.Findings) == 0 || got.Findings[0].Code != "MSH2505" || got.Findings[0].Line == 0 {
		t.Errorf("%v: %+v", err, got.Findings)
	}
	sarif := filepath.Join(t.TempDir(), "found.sarif")
	wants(t, exitClean, "diff", "main", "--report", "sarif="+sarif)
	has(t, string(read(t, sarif)), "MSH2505")
	_, checked := wants(t, exitClean, "check", "--base", "main")
	has(t, checked, "MSH2505")
}

// Rules of the base judge, and a waiver in the change does not hide what they find.
func TestDiffJudgesByTheRulesThatAreNamed(t *testing.T) {
	splitRepository(t, "  rules: {severity: {MSH2505: error}}\n")
	jump(t)
	wants(t, exitFindings, "diff", "main")
	edit(t, "meshc.yaml", "MSH2505: error", "MSH2505: \"off\"")
	out, _ := wants(t, exitClean, "diff", "main")
	if strings.Contains(out, "[MSH2505]") {
		t.Errorf("a rule that is off speaks:\n%s", out)
	}
	out, _ = wants(t, exitFindings, "diff", "main", "--rules-from", "main")
	has(t, out, "error[MSH2505]", "the severity of MSH2505 is off, was error")
}

// jump sends all calls to the release that got few.
func jump(t *testing.T) {
	t.Helper()
	found, err := filepath.Glob("manifests/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		text := string(read(t, name))
		changed := strings.NewReplacer("weight: 90", "weight: 0", "weight: 10", "weight: 100").Replace(text)
		if err := os.WriteFile(name, []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A rule of one's own that says it weighs less judges less, wherever that is written.
func TestDiffKnowsTheSeveritiesOfOwnRules(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new, says string }{
		"in its metadata":              {"rules/owners/policy.rego", "severity: warning", "severity: info", "+ the severity of SHOP001 is info, was warning"},
		"raised":                       {"rules/owners/policy.rego", "severity: warning", "severity: error", "- the severity of SHOP001 is error, was warning"},
		"in meshc.yaml":                {"meshc.yaml", "dirs: [./rules]", "dirs: [./rules]\n    severity: {SHOP001: info}", "+ the severity of SHOP001 is info, was warning"},
		"as it weighs of its own self": {"meshc.yaml", "dirs: [./rules]", "dirs: [./rules]\n    severity: {SHOP001: warning}", "no change in meaning"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := ruled(t, "")
			inGit(t, dir, "init", "-q", "-b", "main")
			commit(t, dir)
			t.Chdir(dir)
			edit(t, filepath.FromSlash(c.file), c.old, c.new)
			want := exitFindings
			if strings.HasPrefix(c.says, "no change") {
				want = exitClean
			}
			out, _ := wants(t, want, "diff", "main", "--fail-on-change", "widen")
			has(t, out, c.says)
			if want == exitFindings {
				has(t, out, "at "+c.file+":", "(before)")
			}
		})
	}
}

// Whoever else may sign rules may change what judges.
func TestDiffCountsOtherKeysAsWidening(t *testing.T) {
	dir := ruled(t, "    trust: [keys/team.pub]\n")
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	ruleKeys(t, filepath.Join(dir, "keys"), "team")
	ruleKeys(t, filepath.Join(dir, "keys"), "other")
	inGit(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	t.Chdir(dir)
	wants(t, exitClean, "diff", "main", "--exit-code")
	edit(t, "meshc.yaml", "[keys/team.pub]", "[keys/team.pub, keys/other.pub]")
	out, _ := wants(t, exitFindings, "diff", "main", "--fail-on-change", "widen")
	has(t, out, "+ keys/other.pub is trusted to sign rule sets", "at meshc.yaml:7")
	_, stderr := wants(t, exitClean, "check", "--rules-from", "main")
	has(t, stderr, "MSH0930", "keys/other.pub is trusted")
	commit(t, dir)
	edit(t, "meshc.yaml", "[keys/team.pub, keys/other.pub]", "[keys/team.pub]")
	wants(t, exitClean, "diff", "main", "--fail-on-change", "widen")
	edit(t, "meshc.yaml", "    trust: [keys/team.pub]\n", "")
	out, _ = wants(t, exitFindings, "diff", "main", "--fail-on-change", "widen")
	has(t, out, "nobody has to sign rule sets any more")
	inGit(t, ".", "checkout", "-q", ".")
	if err := os.Rename("keys/other.pub", "keys/team.pub"); err != nil {
		t.Fatal(err)
	}
	edit(t, "meshc.yaml", ", keys/other.pub", "")
	out, _ = wants(t, exitFindings, "diff", "main", "--fail-on-change", "widen")
	has(t, out, "keys/team.pub, which is trusted to sign rule sets, holds other keys")
}
