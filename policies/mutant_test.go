package policies_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/resolve"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/suite"
)

// equivalent are mutants that mean the same as the rule, with the reason.
var equivalent = map[string]string{
	`costly-regex: without contains(match.pathRegex, "{")`:        "spares the search where there is nothing to find",
	`loose-alternation: without contains(match.pathRegex, "|")`:   "spares the work where there is one alternative",
	`unescaped-dot: without contains(match.pathRegex, ".")`:       "spares the work where there is no dot",
	"contradictory-targets: without count(owned) > 1":             "one target has no other to contradict",
	"contradictory-targets: without team(data.mesh.grants[name])": "what has no team is left out again where teams are compared",
	"shadowed-match: without count(wholes) > 0":                   "spares the work where nothing is wide",
}

// A condition that no test needs may be wrong, or never true: of each rule of the
// library one part is taken away or turned round at a time, and some test or
// sample must notice.
func TestEveryPartOfARuleIsProved(t *testing.T) {
	dirs, err := filepath.Glob("lib/*/policy.rego")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no rules", err)
	}
	met := map[string]bool{}
	for _, file := range dirs {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p := prover(t, dir)
			mutants := p.Mutants()
			if len(mutants) < 2 {
				t.Fatal("the rule has no part that could be changed")
			}
			for _, m := range mutants {
				key := filepath.Base(dir) + ": " + m.What
				for _, missed := range p.Missed(m) {
					t.Errorf("%s: the sieve hides a finding: %s", key, missed)
				}
				switch survived := p.Survives(m); {
				case survived && equivalent[key] == "":
					t.Errorf("%s: no test or sample notices: %s", m.At, m.What)
				case survived:
					met[key] = true
				}
			}
		})
	}
	for key, why := range equivalent {
		if !met[key] {
			t.Errorf("no mutant %q survives (%s): take it off the list", key, why)
		}
	}
}

// prover reads the tests and samples of a rule.
func prover(t *testing.T, dir string) *policies.Prover {
	t.Helper()
	var files []*source.File
	for _, name := range []string{"policy.rego", "policy_test.rego"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, &source.File{Path: dir + "/" + name, Data: text})
	}
	judge, _ := policies.Load(policies.Options{Files: files, NoLibrary: true, Disabled: true})
	code := judge.Rules()[0].Code
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var proofs []policies.Proof
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), "before-") {
			proofs = append(proofs, proof(t, filepath.Join(dir, e.Name()), code))
		}
	}
	p, found := policies.NewProver(files, proofs)
	if len(found) > 0 {
		t.Fatal(found)
	}
	if !p.Survives(p.Original()) {
		t.Fatal("the rule fails its own tests or samples: see TestLibrary")
	}
	return p
}

func proof(t *testing.T, dir string, code diag.Code) policies.Proof {
	t.Helper()
	tree, _, err := suite.Load(os.DirFS(filepath.Dir(dir)), filepath.Base(dir))
	if err != nil {
		t.Fatal(err)
	}
	world := func(tree *source.Tree) (*policies.World, *syntax.Config) {
		files, _ := syntax.Parse(tree)
		mesh, inventory, _, _ := resolve.Mesh(files, ir.Known{}, resolve.Options{})
		return policies.NewWorld(files, mesh, inventory, time.Time{}), files.Config
	}
	now, config := world(tree)
	if tree.Before != nil {
		before, _ := world(tree.Before)
		now.Since(before)
	}
	wanted := suite.Wanted(tree, code)
	if strings.HasPrefix(filepath.Base(dir), "bad") && len(wanted) == 0 {
		t.Fatalf("%s wants nothing", dir)
	}
	return policies.Proof{World: now, Config: config, Wanted: wanted}
}
