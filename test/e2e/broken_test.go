//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/diag"
)

// findings are the error codes of `meshc check` in an object that is laid over what a
// cluster holds: all that it admitted.
func findings(t *testing.T, held []string, document, key string) (codes []string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {sources: [./held, ./new]}\n", "new/new.yaml": document}
	for i, text := range held {
		files[fmt.Sprintf("held/%d.yaml", i)] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := exec.Command(world.meshc, "check", dir, "--report", "json").Output() // it exits 1, because there are findings
	var report struct {
		Findings []struct {
			Severity, Code string
			Object         struct{ Kind, Namespace, Name string }
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("meshc check: %v\n%s", err, text)
	}
	for _, f := range report.Findings {
		if key == f.Object.Kind+" "+f.Object.Namespace+"/"+f.Object.Name && f.Severity == "error" && !elsewhere(f.Code) && !slices.Contains(codes, f.Code) {
			codes = append(codes, f.Code)
		}
	}
	return codes
}

// elsewhere tells whether a new object is admitted without a code of it: what it refers to
// may come with the objects that are applied after it, and a name that is written twice the
// API server has made one of. admission/validate accounts for every code.
func elsewhere(code string) bool {
	e, _ := diag.Lookup(diag.Code(code))
	return e.Awaited || code == "MSH0103"
}

// kubernetes is how the API server itself refuses, before it asks a webhook: what is no
// YAML, no known version, no field of the definition or no name.
var kubernetes = regexp.MustCompile(`strict decoding error|no matches for kind|error converting YAML|Invalid value|Unsupported value|error parsing|Required value`)

var codes = regexp.MustCompile(`MSH\d{4}`)

// Each policy object of examples/broken is denied with the codes of `meshc check`, or
// admitted with them as warnings, or does not get past Kubernetes itself.
func brokenObjectsAreJudged(t *testing.T) {
	folder := filepath.Join(world.Root, "examples", "broken")
	namespaces(t, "shop", "buyers")
	base, err := os.ReadFile("testdata/broken.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(base), "apply", "-f", "-")
	pods(t, "shop")
	held := []string{string(base)}
	denied, warned, clean, refused := 0, 0, 0, 0
	files := []string{"testdata/faulty.yaml"} // what the definitions of Kubernetes let through, of the same faults
	for _, name := range []string{"routes.yaml", "access.yaml", "splits.yaml"} {
		files = append(files, filepath.Join(folder, "manifests", name))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "---\n") {
			var o struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
			}
			if err := yaml.Unmarshal([]byte(document), &o); err != nil {
				t.Fatal(err)
			}
			key := o.Kind + " " + o.Metadata.Namespace + "/" + o.Metadata.Name
			want := findings(t, held, document, key)
			out, admitted := apply(document)
			if admitted {
				held = append(held, document)
			}
			switch got := codes.FindAllString(out, -1); {
			case !admitted && len(got) == 0 && kubernetes.MatchString(out):
				refused++
				t.Logf("%-32s refused by Kubernetes itself: %s", key, firstLine(out))
			case missing(want, got) != "":
				t.Errorf("%s: kubectl apply says %v (admitted: %t) where meshc check says %v:\n%s", key, got, admitted, want, out)
			case admitted && len(want) == 0:
				clean++
				t.Logf("%-32s admitted, and meshc check has no error in it", key)
			case admitted:
				warned++
				t.Logf("%-32s admitted with %v", key, got)
			default:
				denied++
				t.Logf("%-32s denied with %v", key, got)
			}
		}
	}
	t.Logf("%d objects denied with the codes of meshc check, %d admitted with them as warnings, %d admitted without, %d refused by Kubernetes itself", denied, warned, clean, refused)
}

// apply applies a document and gives all that kubectl says.
func apply(document string) (out string, ok bool) {
	cmd := exec.CommandContext(context.Background(), "kubectl", "apply", "-f", "-")
	cmd.Stdin = strings.NewReader(document)
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}

// missing is the first code that was wanted and not given.
func missing(want, got []string) string {
	for _, code := range want {
		if !slices.Contains(got, code) {
			return code
		}
	}
	return ""
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line[:min(len(line), 160)]
}
