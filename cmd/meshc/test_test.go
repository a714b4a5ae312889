package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const thiefTable = `apiVersion: meshc.dev/v1alpha1
kind: VerdictTable
metadata: {name: mine}
spec:
  cases:
  - name: the thief buys
    from: bookthief/bookthief
    to: bookstore/bookstore:14001
    http: {method: GET, path: /buy-a-book/new}
    expect: %EXPECT%
`

func writeTable(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"table.yaml": text})
	return filepath.Join(dir, "table.yaml")
}

func TestTestRunsTheTablesOfTheSources(t *testing.T) {
	out, _ := wants(t, exitClean, "test", bookstore)
	if !strings.HasPrefix(out, "ok    bookstore\t") {
		t.Errorf("got %s", out)
	}
	out, _ = wants(t, exitClean, "test", "-v", bookstore)
	if !strings.Contains(out, "--- PASS: bookstore/") {
		t.Errorf("-v does not show what holds:\n%s", out)
	}
}

func TestTestFailsWithTheCaseAndItsPlace(t *testing.T) {
	file := writeTable(t, strings.ReplaceAll(thiefTable, "%EXPECT%", "allow"))
	out, _ := wants(t, exitFindings, "test", "--table", file, bookstore)
	for _, part := range []string{"--- FAIL: mine/the thief buys (", "table.yaml:6:", "expected allow, it is deny", "near: TrafficTarget/bookstore/", "FAIL  mine\t1 of 1 case"} {
		if !strings.Contains(out, part) {
			t.Errorf("it does not say %q:\n%s", part, out)
		}
	}
	out, _ = wants(t, exitFindings, "test", "--table", file, "-o", "json", bookstore)
	var got struct{ Total, Failed int }
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Total != 1 || got.Failed != 1 {
		t.Errorf("JSON says %+v, %v", got, err)
	}
	wants(t, exitClean, "test", "--table", writeTable(t, strings.ReplaceAll(thiefTable, "%EXPECT%", "deny")), bookstore)
}

// Where the sources have errors nothing is tested, which is no failed case.
func TestTestOfSourcesWithErrors(t *testing.T) {
	dir := copied(t, bookstore)
	writeFiles(t, dir, map[string]string{"manifests/more.yaml": "kind: [\n"})
	_, stderr := wants(t, exitEngine, "test", dir)
	has(t, stderr, "nothing was tested", "error[MSH")
	wants(t, exitUsage, "test", "--fail-on", "never", dir)
}

// Nothing tested must not look like everything passed.
func TestTestWithoutCases(t *testing.T) {
	wants(t, exitEngine, "test", bookstore+"/manifests")
	wants(t, exitInput, "test", "--table", filepath.Join(t.TempDir(), "none.yaml"), bookstore)
	wants(t, exitUsage, "test", "-o", "yaml", bookstore)
}

// A case of which nobody can tell neither holds nor fails; a failed one beside it counts.
func TestTestOfWhatNobodyKnows(t *testing.T) {
	unknown := strings.NewReplacer("%EXPECT%", "deny", "bookthief/bookthief", "bookthief/nobody").Replace(thiefTable)
	out, _ := wants(t, exitEngine, "test", "--table", writeTable(t, unknown), bookstore)
	if !strings.Contains(out, "no account bookthief/nobody is known") {
		t.Errorf("it does not say why:\n%s", out)
	}
	failing := strings.ReplaceAll(thiefTable[strings.Index(thiefTable, "  - name"):], "%EXPECT%", "allow")
	wants(t, exitFindings, "test", "--table", writeTable(t, unknown+strings.Replace(failing, "thief buys", "other", 1)), bookstore)
}

func TestTestShowsFaultsOfTables(t *testing.T) {
	file := writeTable(t, strings.NewReplacer("%EXPECT%", "deny", "bookthief/bookthief", "bookthief").Replace(thiefTable))
	_, err := wants(t, exitFindings, "test", "--table", file, bookstore)
	if !strings.Contains(err, "MSH0351") || !strings.Contains(err, "table.yaml:7:11") {
		t.Errorf("the finding has no code or place:\n%s", err)
	}
}

// A grant that no case exercises is named with its place, and a threshold fails the run.
func TestTestTellsCoverage(t *testing.T) {
	out, _ := wants(t, exitClean, "test", "--coverage", bookstore)
	if !strings.Contains(out, "coverage 100% (") || !strings.Contains(out, " fired\n") {
		t.Errorf("the bookstore's table exercises all of it:\n%s", out)
	}
	file := writeTable(t, strings.ReplaceAll(thiefTable, "%EXPECT%", "deny"))
	out, err := wants(t, exitFindings, "test", "--min-coverage", "1", "--table", file, bookstore)
	if !strings.Contains(out, "TrafficSplit/bookstore/bookstore-split ("+bookstore+"/manifests/policy-bookstore.yaml:") || !strings.Contains(err, "less than the 1% of --min-coverage") {
		t.Errorf("it does not tell what is missing:\n%s%s", out, err)
	}
	out, _ = wants(t, exitClean, "test", "--coverage", "-o", "json", "--table", file, bookstore)
	var got struct {
		Total    int
		Coverage struct {
			Percent, Total int
			Parts          []struct{ Line int }
			Rules          []struct{ Code string }
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || got.Total != 1 || got.Coverage.Total < 5 || got.Coverage.Percent != 0 || got.Coverage.Parts[0].Line == 0 || len(got.Coverage.Rules) < 20 {
		t.Errorf("JSON says %+v, %v", got, err)
	}
	wants(t, exitUsage, "test", "--min-coverage", "101", bookstore)
}
