package policies_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"github.com/meshc/meshc/policies/suite"
)

// A condition that no test needs may be wrong, or never true: each rule of the
// library is run with one part of it taken away at a time, and some test or
// sample must notice.
func TestEveryPartOfARuleIsProved(t *testing.T) {
	dirs, err := filepath.Glob("lib/*/policy.rego")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no rules", err)
	}
	for _, file := range dirs {
		t.Run(filepath.Base(filepath.Dir(file)), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range mutants(t, file, string(text)) {
				if survives(t, filepath.Dir(file), m.text) {
					t.Errorf("%s: no test or sample notices when it is without %s", file, m.without)
				}
			}
		})
	}
}

type mutant struct{ without, text string }

// mutants are the rule without one of its rules, and without one condition of one.
func mutants(t *testing.T, file, text string) []mutant {
	t.Helper()
	parse := func() *ast.Module {
		m, err := ast.ParseModuleWithOpts(file, text, ast.ParserOptions{ProcessAnnotation: true})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var out []mutant
	add := func(m *ast.Module, without string) {
		printed, err := format.Ast(m)
		if err == nil {
			out = append(out, mutant{without, string(printed)})
		}
	}
	for i, r := range parse().Rules {
		m := parse()
		m.Rules = append(m.Rules[:i], m.Rules[i+1:]...)
		add(m, fmt.Sprintf("the rule in line %d", r.Location.Row))
		if len(r.Body) < 2 {
			continue
		}
		for k, e := range r.Body {
			m := parse()
			body := m.Rules[i].Body
			m.Rules[i].Body = append(append(ast.Body{}, body[:k]...), body[k+1:]...)
			for n, e := range m.Rules[i].Body {
				e.Index = n
			}
			add(m, fmt.Sprintf("line %d: %s", e.Location.Row, strings.TrimSpace(string(e.Location.Text))))
		}
	}
	return out
}

// survives tells whether a mutant still passes everything. One that does not
// compile is none.
func survives(t *testing.T, dir, text string) bool {
	t.Helper()
	fsys := fstest.MapFS{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		fsys["rule/"+filepath.ToSlash(rel)] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fsys["rule/policy.rego"] = &fstest.MapFile{Data: []byte(text)}
	results, err := suite.Run(fsys, withoutLibrary, suite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return len(results) == 1 && results[0].Passed()
}
