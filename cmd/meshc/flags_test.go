package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A flag that names what there is not is a fault of the command line, whatever
// finds it: scripts tell it from findings by the exit code.
func TestBadFlagsAreNoFindings(t *testing.T) {
	_, err := wants(t, exitUsage, "check", bookstore, "--color", "nope")
	has(t, err, "--color \"nope\"")
	_, err = wants(t, exitUsage, "check", bookstore, "--env", "nope")
	has(t, err, "MSH0119", "there is no environment \"nope\"")
	wants(t, exitUsage, "check", bookstore, "--report", "json=")
	wants(t, exitUsage, "check", bookstore, "-o", "compact", "--report", "json")
}

// One run prints a format for people and leaves another for a machine; - is
// standard output and no file of that name.
func TestAReportBesideTheOneThatIsPrinted(t *testing.T) {
	dir := copied(t, bookstore)
	writeFiles(t, dir, map[string]string{"manifests/more.yaml": "kind: [\n"})
	file := filepath.Join(t.TempDir(), "f.json")
	out, _ := wants(t, exitFindings, "check", dir, "-o", "compact", "--report", "json="+file)
	has(t, out, "more.yaml:", ": error[MSH")
	has(t, string(read(t, file)), "\"findings\"")
	t.Chdir(t.TempDir())
	out, _ = wants(t, exitFindings, "check", dir, "--report", "json=-")
	has(t, out, "\"findings\"")
	if left, _ := filepath.Glob("*"); len(left) > 0 {
		t.Errorf("it wrote %v", left)
	}
}

// Who leaves the port out of a misspelt service learns of the service.
func TestAMisspeltServiceWithoutAPort(t *testing.T) {
	for name, says := range map[string]string{"bookstore/bookstor": "did you mean bookstore/bookstore?", "zoo/giraffe": "is no service that is known"} {
		for _, verb := range []string{"can", "allow"} {
			_, err := wants(t, exitUsage, verb, "bookbuyer/bookbuyer", name, "GET", "/", bookstore)
			has(t, err, says, "NAMESPACE/SERVICE:PORT")
		}
	}
}

// A rule is explained as its page does, one of the library or of one's own; the
// list is in order of code.
func TestRulesAreExplainedWithTheirSamples(t *testing.T) {
	out, _ := wants(t, exitClean, "explain", "MSH1506")
	has(t, out, "MSH1506: ", "\nBad:\n", "\nGood:\n", "# here")
	dir := t.TempDir()
	text := strings.ReplaceAll(string(read(t, "../../policies/lib/unused-match/policy.rego")), "MSH1506", "SHOP001")
	writeFiles(t, dir, map[string]string{
		"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec: {rules: {dirs: [rules]}}\n", "rules/own/policy.rego": text,
		"rules/own/bad/a.yaml": "kind: Bad # want: SHOP001\n", "rules/own/good/a.yaml": "kind: Good\n",
	})
	out, _ = wants(t, exitClean, "explain", "SHOP001", dir)
	has(t, out, "SHOP001: ", "# a.yaml\n    kind: Bad   # here", "kind: Good")
	_, err := wants(t, exitUsage, "explain", "SHOP002", dir)
	has(t, err, "SHOP002")
	out, _ = wants(t, exitClean, "explain", "--list")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); !slices.IsSorted(lines) {
		t.Error("the codes are in no order")
	}
}

// Where no registry is named, --plain-http is a slip in a reference or in the verb;
// passed over, the next run asks another registry than is thought.
func TestPlainHTTPWithoutARegistryIsRefused(t *testing.T) {
	dir := copied(t, bookstore)
	for _, args := range [][]string{
		{"diff", dir, dir}, {"diff", dir, dir, "--rules-from", dir}, {"lock", dir}, {"lock", dir, "--contract"},
		{"check", dir}, {"check", dir, "--rules-from", dir}, {"check", dir, "--contract", dir},
		{"build", dir, "-o", filepath.Join(dir, "b")}, {"policy", "pull", dir}, {"policy", "push", dir, "./rules"},
	} {
		_, err := wants(t, exitUsage, append(args, "--plain-http")...)
		has(t, err, "oci://")
	}
}
