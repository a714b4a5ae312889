package validate_test

import (
	"bytes"
	"encoding/json"
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
// denial or a warning, by the table of stages, every code of them and no other.
func TestBrokenObjectsAreToldAlike(t *testing.T) {
	t.Chdir("../..")
	tree, _, err := source.Load(source.Options{Paths: []string{"examples/broken"}})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, name := range tree.Names() {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(name, "manifests/") {
			texts[name] = string(text)
		}
	}
	told := map[diag.Code]bool{}
	if n := alike(t, tree, ir.Known{}, texts, told); n < 14 || len(told) < 20 {
		t.Errorf("only %d objects and %d codes were compared: the test is broken", n, len(told))
	}
}

// alike holds what admission says of each object of a tree, as it stands in a text,
// against what a build finds with it. It gives how many objects had findings.
func alike(t *testing.T, tree *source.Tree, known ir.Known, texts map[string]string, told map[diag.Code]bool) int {
	t.Helper()
	opts := compiler.Options{Now: time.Unix(0, 0), NoPlan: true, NoRules: true}
	_, found := compiler.NewSession(known, opts).Load(tree, known)
	opts.Stage = policies.Admission
	admitting := compiler.NewSession(known, opts)
	_, staged := admitting.Load(tree, known)
	objects := 0
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		line := 1
		for doc := range strings.SplitSeq(texts[name], "\n---") {
			first, last := line, line+strings.Count(doc, "\n")
			here := func(f diag.Finding) bool {
				at := f.At()
				return at.File == name && at.Line >= first && at.Line <= last && ofText[f.Code] == "" && f.Counts()
			}
			build, denials, warnings := codesWhere(found, here), codesWhere(staged, func(f diag.Finding) bool { return here(f) && f.Severity == diag.Error }),
				codesWhere(staged, func(f diag.Finding) bool { return here(f) && f.Severity == diag.Warning })
			line = last + 1
			_, err := yaml.YAMLToJSON([]byte(doc))
			if len(build) == 0 || err != nil || !strings.Contains(doc, "kind:") {
				continue // nothing is found, or nobody can apply it
			}
			if !taken(doc, codesWhere(found, func(f diag.Finding) bool { return f.At().File == name && f.At().Line >= first && f.At().Line <= last })) {
				continue
			}
			r := ask(t, "UPDATE", doc)
			if r.Kind.Kind == "" || r.Name == "" || strings.HasSuffix(r.Kind.Kind, "List") || !admits(r) {
				continue
			}
			objects++
			answer := validate.Decide(admitting, r, true)
			denied, warned := codesOf(answer)
			// Where a namespace enforces, changes of applications that a build would refuse are
			// denied. Which of two that do not go together is told of it, the order says.
			lacks := func(want, got []string) bool {
				return slices.ContainsFunc(want, func(code string) bool { return !slices.Contains(got, code) })
			}
			known := codesWhere(found, func(diag.Finding) bool { return true })
			if lacks(denials, denied) || lacks(warnings, append(denied, warned...)) || len(denials) == 0 && lacks(append(denied, warned...), known) {
				t.Errorf("%s: %s %s/%s: check finds %q; at admission %q should be denied, %q warned; denied %q, warned %q", name, r.Kind.Kind, r.Namespace, r.Name, build, denials, warnings, denied, warned)
			}
			for _, code := range build {
				told[diag.Code(code)] = true
			}
		}
	}
	return objects
}

func codesWhere(found diag.List, holds func(diag.Finding) bool) []string {
	var out []string
	for _, f := range found {
		if holds(f) {
			out = append(out, string(f.Code))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// admits tells whether the webhook is asked about a kind.
func admits(r *validate.Request) bool {
	if slices.Contains([]string{"TraficTarget"}, r.Kind.Kind) {
		return false // a kind that is not there
	}
	return strings.HasSuffix(r.Kind.Group, "smi-spec.io") || r.Kind.Kind == "Waivers" ||
		r.Kind.Group == "" && slices.Contains([]string{"Namespace", "Service", "ServiceAccount"}, r.Kind.Kind)
}

// taken tells whether an API server takes the metadata of an object, and whether what is
// said in YAML is what comes as JSON: of a key that stands twice one value is gone.
func taken(doc string, build []string) bool {
	raw, err := yaml.YAMLToJSON([]byte(doc))
	if err != nil || slices.Contains(build, "MSH0103") {
		return false
	}
	var o struct{ Metadata json.RawMessage }
	var meta struct {
		Name, Namespace, GenerateName string
		Labels, Annotations           map[string]string
		OwnerReferences               []map[string]any
	}
	if json.Unmarshal(raw, &o) != nil {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(o.Metadata))
	d.DisallowUnknownFields()
	return d.Decode(&meta) == nil
}
