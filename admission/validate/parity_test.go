package validate_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// ofText are codes of what no API server can be sent, because it is said of YAML and
// gone in JSON. Each has its reason.
var ofText = map[diag.Code]string{
	"MSH0109": "an object is written twice: a cluster has it once",
	"MSH0103": "a key stands twice: JSON has it once",
	"MSH0031": "a typographic dash: what it comes to is another fault",
	"MSH0034": "a typographic quotation mark: what it comes to is another fault",
	"MSH0111": "a word that YAML reads as a boolean: an API server gets the boolean, MSH0102",
}

// What a pull request is told of an object, whoever applies it is told as well: as a
// denial or a warning, by the table of stages.
func TestBrokenObjectsAreToldAlike(t *testing.T) {
	t.Chdir("../..")
	tree, found, err := source.Load(source.Options{Paths: []string{"examples/broken"}})
	if err != nil {
		t.Fatal(err)
	}
	built := compiler.NewSession(ir.Known{}, compiler.Options{Now: time.Unix(0, 0), NoPlan: true, NoRules: true})
	_, more := built.Load(tree, ir.Known{})
	found.Add(more...)
	admitting := compiler.NewSession(ir.Known{}, compiler.Options{Now: time.Unix(0, 0), NoPlan: true, NoRules: true, Stage: policies.Admission})
	admitting.Load(tree, ir.Known{})
	told := map[diag.Code]bool{}
	for _, name := range tree.Names() {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(name, "manifests/") {
			continue
		}
		line := 1
		for doc := range strings.SplitSeq(string(text), "\n---") {
			last := line + strings.Count(doc, "\n")
			want := map[diag.Code]diag.Severity{}
			for _, f := range found {
				if at := f.At(); at.File == name && at.Line >= line && at.Line <= last && ofText[f.Code] == "" {
					e, _ := diag.Lookup(f.Code)
					want[f.Code] = e.Admission
				}
			}
			line = last + 1
			if len(want) == 0 {
				continue
			}
			if _, err := yaml.YAMLToJSON([]byte(doc)); err != nil {
				continue // nobody can apply it
			}
			denied, warned := codesOf(validate.Decide(admitting, ask(t, "UPDATE", doc), true))
			for _, code := range slices.Sorted(maps.Keys(want)) {
				told[code] = true
				if want[code] == diag.Error && !slices.Contains(denied, string(code)) || want[code] == diag.Warning && !slices.Contains(warned, string(code)) {
					t.Errorf("%s:%d: check finds %s (%s at admission); denied %q, warned %q", name, line, code, want[code], denied, warned)
				}
			}
		}
	}
	if len(told) < 15 {
		t.Errorf("only %d codes were compared: the test is broken", len(told))
	}
}
