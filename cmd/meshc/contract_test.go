package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const contractExample = "../../examples/08-policy-repo-and-app-repo"

// copiedRepositories is a copy of the example's two repositories to change.
func copiedRepositories(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(contractExample)); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	return dir
}

func changed(t *testing.T, name, old, new string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%s: %v, or it does not hold %q", name, err, old)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A contract that nothing relies on any more goes away; what else lies in the
// folder stays.
func TestContractsAreKeptInStep(t *testing.T) {
	copiedRepositories(t)
	writeFiles(t, "policy/contracts", map[string]string{
		"old.yaml":   "apiVersion: meshc.dev/v1alpha1\nkind: Contract\nmetadata: {name: old}\nspec: {trustDomain: cluster.local, mode: strict, complete: true}\n",
		"notes.yaml": "ours: true\n", "README.md": "# Contracts\n",
	})
	wants(t, exitClean, "lock", "policy", "--contract")
	for name, there := range map[string]bool{"shop.yaml": true, "old.yaml": false, "notes.yaml": true, "README.md": true} {
		if _, err := os.Stat(filepath.Join("policy/contracts", name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
	wants(t, exitClean, "lock", "policy", "--contract=elsewhere")
	a, errA := os.ReadFile("policy/contracts/shop.yaml")
	b, errB := os.ReadFile("elsewhere/shop.yaml")
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("another folder gets another contract (%v, %v)", errA, errB)
	}
}

func TestContractsOfARevision(t *testing.T) {
	copiedRepositories(t)
	inGit(t, "policy", "init", "-q", "-b", "main")
	inGit(t, "policy", "add", "-A")
	inGit(t, "policy", "commit", "-qm", "first")
	// The folder says what is being worked on; the revision what is in force.
	changed(t, "policy/contracts/shop.yaml", "port shop/orders:8080", "port shop/orders:8088")
	wants(t, exitFindings, "check", "app", "--contract", "policy/contracts")
	wants(t, exitFindings, "check", "app", "--contract", "policy")
	wants(t, exitClean, "check", "app", "--contract", "git:policy@main")
	wants(t, exitClean, "check", "app", "--contract", "git:policy@HEAD:contracts/shop.yaml")
	for _, ref := range []string{"git:policy@nothing", "git:policy@main:nothing", "git:nowhere@main", "nothing", "app", "git:main"} {
		wants(t, exitInput, "check", "app", "--contract", ref)
	}
}

// What Helm renders has no files: findings stand at the template it names.
func TestContractOfWhatIsRendered(t *testing.T) {
	copiedRepositories(t)
	data, err := os.ReadFile("app/orders.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rendered := strings.NewReplacer("---\n", "---\n# Source: shop/templates/orders.yaml\n", "name: http\n", "name: tcp\n").Replace(string(data))
	var out, errs bytes.Buffer
	code := run(context.Background(), []string{"check", "--contract", "policy/contracts", "--part", "-", "--report", "github"}, streams{In: strings.NewReader(rendered), Out: &out, Err: &errs})
	if code != exitFindings || strings.Count(out.String(), "::error ") != 1 || !strings.Contains(out.String(), "shop/templates/orders.yaml") || !strings.Contains(out.String(), "MSH0372") {
		t.Errorf("exit %d\n%s%s", code, &out, &errs)
	}
}

func TestContractsThatSayNothing(t *testing.T) {
	copiedRepositories(t)
	writeFiles(t, "empty", map[string]string{"x.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: shop}\n"})
	wants(t, exitFindings, "check", "empty", "--contract", "policy/contracts") // MSH0363
	wants(t, exitUsage, "check", "app", "--part")
	wants(t, exitUsage, "check", "app", "--contract", "policy", "--locked")
	wants(t, exitUsage, "check", "app", "--contract", "policy", "--baseline", "old.txt")
	wants(t, exitInput, "check", "nothing", "--contract", "policy")
	changed(t, "policy/contracts/shop.yaml", "complete: true", "")
	_, errs := wants(t, exitFindings, "check", "app", "--contract", "policy")
	if !strings.Contains(errs, "MSH0361") {
		t.Errorf("a contract that is cut off is believed:\n%s", errs)
	}
	changed(t, "policy/contracts/shop.yaml", "v1alpha1", "v2")
	_, errs = wants(t, exitFindings, "check", "app", "--contract", "policy")
	if !strings.Contains(errs, "MSH0105") {
		t.Errorf("a contract of another version is believed:\n%s", errs)
	}
}
