package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The story of examples/07-your-own-rules is followed word for word, in a copy of
// the example and with a registry of its own. Once the rules are published the mesh
// is judged by what it pins, and finds the same.
func TestTheStoryOfYourOwnRulesHolds(t *testing.T) {
	host := registryHost(t)
	const name = "examples/07-your-own-rules"
	document := filepath.Join("..", "..", filepath.FromSlash(name), "README.md")
	lines := commandLines(t, document)
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Dir(document))); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Mkdir(".cache", 0o755); err != nil {
		t.Fatal(err)
	}
	ruleKeys(t, ".cache", "team")
	done := map[string]bool{}
	for _, line := range lines {
		args := strings.Fields(strings.ReplaceAll(line, "oci://registry.example", host))[1:]
		if verb := args[0] + " " + args[1]; verb == "policy push" || verb == "policy pull" {
			args = append(args, "--plain-http")
		}
		done[args[0]+" "+args[1]] = true
		var out, errs bytes.Buffer
		if code := run(context.Background(), args, streams{In: strings.NewReader(""), Out: &out, Err: &errs}); code != exitClean {
			t.Fatalf("%s: exit %d\n%s%s", line, code, &out, &errs)
		}
		switch {
		case args[1] == "push": // what the README says to write comes now
			pinned := strings.TrimSpace(out.String())
			has(t, pinned, host+"/shop/rules@sha256:")
			edit(t, filepath.Join(name, "meshc.yaml"), "dirs: [./rules]", `dirs: ["`+pinned+`"]`+"\n    trust: [team.pub]")
			text, err := os.ReadFile(filepath.Join(".cache", "team.pub"))
			if err != nil {
				t.Fatal(err)
			}
			writeFiles(t, name, map[string]string{"team.pub": string(text)})
		case args[0] == "check":
			has(t, errs.String(), "warning[SHOP001]", "manifests/policy.yaml:11:9")
		}
	}
	for _, verb := range []string{"policy new", "policy test", "policy fmt", "policy lint", "policy bench", "policy docs", "policy push", "policy pull"} {
		if !done[verb] {
			t.Errorf("the story does not tell of %q", verb)
		}
	}
	// The grant that moves money is stopped by the published rules.
	edit(t, filepath.Join(name, "manifests", "policy.yaml"), ", reviewed-by: security", "")
	_, errs := wants(t, exitFindings, "check", name)
	has(t, errs, "error[SHOP002]", "shop/checkout may write to \"pay\"", "manifests/policy.yaml:35")
}
