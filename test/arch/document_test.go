package arch

import (
	"io/fs"
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
	for _, m := range regexp.MustCompile("`((?:admission|deploy|compiler|policies|catalog|gitops|xds|dataplane|lab|lsp|cmd|examples|test|docs)(?:/[A-Za-z0-9_./-]+)?)`").FindAllStringSubmatch(string(text), -1) {
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

// docs/semantics.md sends its readers to tests by the number of a row: each row has
// a test, or a story of one, that names it.
func TestEveryRowOfTheSemanticsIsNamedByATest(t *testing.T) {
	root := repository(t)
	text, err := os.ReadFile(filepath.Join(root, "docs", "semantics.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (\d+[a-z]?) \|`).FindAllStringSubmatch(string(text), -1)
	if len(rows) < 40 {
		t.Fatalf("only %d rows were found: the pattern is broken", len(rows))
	}
	named := rowsNamed(t, root)
	for _, row := range rows {
		if !named[row[1]] {
			t.Errorf("row %s of docs/semantics.md is named by no test: call one TestRow%s..., or write \"row %s\" above it", row[1], row[1], row[1])
		}
	}
}

var (
	rowTest    = regexp.MustCompile(`func TestRow0*(\d+[a-z]?)`)
	rowComment = regexp.MustCompile(`\b[Rr]ows? 0*(\d+[a-z]?(?:(?:, | and )\d+[a-z]?)*)\b`)
	rowNumber  = regexp.MustCompile(`\d+[a-z]?`)
)

// rowsNamed are the rows that names of tests, their comments and stories tell.
func rowsNamed(t *testing.T, root string) map[string]bool {
	t.Helper()
	named := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") && filepath.Ext(name) != ".txtar" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range append(rowTest.FindAllStringSubmatch(string(text), -1), rowComment.FindAllStringSubmatch(string(text), -1)...) {
			for _, n := range rowNumber.FindAllString(m[1], -1) {
				named[n] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return named
}
