//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// judged is what `meshc check` finds in an object.
type judged map[string][]string // KIND NAMESPACE/NAME to codes, by severity

// findings are the error codes of `meshc check` by object.
func findings(t *testing.T, folder string) judged {
	t.Helper()
	cmd := exec.Command(world.meshc, "check", folder, "--report", "json")
	cmd.Dir = world.Root
	text, _ := cmd.Output() // it exits 1, because there are findings
	var report struct {
		Findings []struct {
			Severity, Code string
			Object         struct{ Kind, Namespace, Name string }
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatalf("meshc check %s: %v\n%s", folder, err, text)
	}
	out := judged{}
	for _, f := range report.Findings {
		key := f.Object.Kind + " " + f.Object.Namespace + "/" + f.Object.Name
		if f.Severity == "error" && !slices.Contains(out[key], f.Code) {
			out[key] = append(out[key], f.Code)
		}
	}
	return out
}

// kubernetes is how the API server itself refuses, before it asks a webhook: what is no
// YAML, no known version, no field of the definition or no name.
var kubernetes = regexp.MustCompile(`strict decoding error|no matches for kind|error converting YAML|Invalid value|Unsupported value|error parsing|Required value`)

var codes = regexp.MustCompile(`MSH\d{4}`)

// Each policy object of examples/broken is denied with the codes of `meshc check`, or
// admitted with them as warnings, or does not get past Kubernetes itself.
func brokenObjectsAreJudged(t *testing.T) {
	folder := filepath.Join(world.Root, "examples", "broken")
	want := findings(t, folder)
	namespaces(t, "shop", "buyers")
	kubectl(t, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop, namespace: shop}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: buyer, namespace: buyers}\n", "apply", "-f", "-")
	denied, warned, refused := 0, 0, 0
	for _, file := range []string{"routes.yaml", "access.yaml", "splits.yaml"} {
		text, err := os.ReadFile(filepath.Join(folder, "manifests", file))
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
			out, admitted := apply(document)
			switch got := codes.FindAllString(out, -1); {
			case !admitted && len(got) == 0 && kubernetes.MatchString(out):
				refused++
				t.Logf("%-32s refused by Kubernetes itself: %s", key, firstLine(out))
			case missing(want[key], got) != "":
				t.Errorf("%s: kubectl apply says %v (admitted: %t) where meshc check says %v:\n%s", key, got, admitted, want[key], out)
			case admitted:
				warned++
				t.Logf("%-32s admitted with %v", key, got)
			default:
				denied++
				t.Logf("%-32s denied with %v", key, got)
			}
		}
	}
	t.Logf("%d objects denied with the codes of meshc check, %d admitted with them as warnings, %d refused by Kubernetes itself", denied, warned, refused)
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
