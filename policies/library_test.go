package policies_test

import (
	"os"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/policies/suite"
)

func compile(tree *source.Tree) diag.List {
	opts := compiler.Options{NoPlan: true}
	if tree.Before != nil {
		opts.Base = compiler.Before(tree.Before, ir.Known{}, opts)
	}
	_, found := compiler.Compile(tree, ir.Known{}, opts)
	return found
}

// Users trust a rule by its tests and samples: every rule of the library has Rego
// tests, a bad sample that fires it where it says, and a good one that does not.
func TestLibrary(t *testing.T) {
	results, err := suite.Run(os.DirFS("lib"), compile, suite.Options{Dir: policies.LibraryPath, Library: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 30 {
		t.Fatalf("only %d rules were found", len(results))
	}
	for _, r := range results {
		t.Run(r.Dir[strings.LastIndex(r.Dir, "/")+1:], func(t *testing.T) {
			for _, f := range r.Findings {
				t.Errorf("%s: %s: %s", f.At(), f.Code, f.Message)
			}
			for _, test := range r.Tests {
				if !test.Passed {
					t.Errorf("%s: %s: %s\n%s", test.At, test.Name, test.Why, strings.Join(test.Printed, "\n"))
				}
			}
			good, bad := 0, 0
			for _, s := range r.Samples {
				for _, fault := range s.Faults {
					t.Errorf("%s: %s", s.Dir, fault)
				}
				if s.Bad {
					bad++
				} else {
					good++
				}
			}
			if len(r.Tests) == 0 || good == 0 || bad == 0 {
				t.Errorf("it has %d tests, %d good and %d bad samples: it needs some of each", len(r.Tests), good, bad)
			}
		})
	}
}

// A code is for ever and means one thing: one that a rule shares with a finding of
// meshc's own would be explained, waived and weighed as the wrong one.
func TestNoRuleHasTheCodeOfAnotherFinding(t *testing.T) {
	seen := map[diag.Code]string{}
	for _, r := range policies.LibraryRules() {
		if own, taken := diag.Lookup(r.Code); taken {
			t.Errorf("%s is the rule %q and %q", r.Code, r.Title, own.Title)
		}
		if other := seen[r.Code]; other != "" {
			t.Errorf("%s is the rules %q and %q", r.Code, r.Title, other)
		}
		seen[r.Code] = r.Title
	}
}
