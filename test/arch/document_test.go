package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// ARCHITECTURE.md is how a reader finds a room: every path it names exists, and
// every package stands in it or below a room that does.
func TestArchitectureDocumentIsTrue(t *testing.T) {
	root := repository(t)
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, m := range regexp.MustCompile("`((?:compiler|catalog|xds|dataplane|lab|cmd|examples|test|docs)(?:/[A-Za-z0-9_./-]+)?)`").FindAllStringSubmatch(string(text), -1) {
		path := m[1]
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", path)
		}
		named = append(named, path)
	}
	if len(named) < 10 {
		t.Fatalf("only %d paths were found: the pattern is broken", len(named))
	}
	walk(t, root, func(file, pkg string, _ []string) {
		if pkg == "compiler" {
			return
		}
		if !slices.ContainsFunc(named, func(n string) bool { return within(pkg, n) && !strings.HasSuffix(n, ".go") }) {
			t.Errorf("package %s (%s) is in no room of ARCHITECTURE.md", pkg, file)
		}
	})
}
