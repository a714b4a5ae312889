package main

import (
	"bytes"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/policies"
)

// docs/rules has a page for each rule of the library, printed from its metadata
// and samples, and no page for a rule that is gone.
func TestGeneratedRulePages(t *testing.T) {
	dir := filepath.Join("..", "..", "docs", "rules")
	pages := map[string][]byte{}
	name := func(r *policies.Rule) string { return path.Base(path.Dir(r.File)) + ".md" }
	rules := policies.LibraryRules()
	for _, r := range rules {
		page, err := r.Page(os.DirFS(filepath.Join("..", "..", path.Dir(r.File))))
		if err != nil {
			t.Fatal(err)
		}
		pages[name(r)] = page
	}
	pages["README.md"] = policies.Index(rules, name)
	if *update {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range pages {
		at := filepath.Join(dir, file)
		if *update {
			if err := os.WriteFile(at, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(at); err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/rules/%s is stale: run make golden", file)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if pages[e.Name()] == nil {
			t.Errorf("docs/rules/%s is the page of no rule: delete it", e.Name())
		}
	}
}
