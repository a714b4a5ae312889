package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// A cluster's root is brought before its control plane begins, shown, and replaced, by
// who has no state folder; what cannot be is refused, and changes nothing.
func TestTheAuthorityOfACluster(t *testing.T) {
	s := apiserver.New(t)
	at := []string{"--state", "cluster", "--kubeconfig", townOnCluster(t, s)}
	ask := func(exit int, args ...string) string {
		t.Helper()
		out, _ := wants(t, exit, append(append([]string{"ca"}, args...), at...)...)
		return out
	}
	s.Do("POST", "/api/v1/namespaces", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "meshc-system"}})
	ask(exitInput, "show")
	ask(exitInput, "rotate")
	elsewhere := t.TempDir() // an authority of another folder is as good as any
	if _, err := ca.Open(elsewhere, ca.Options{}); err != nil {
		t.Fatal(err)
	}
	cert := filepath.Join(elsewhere, "ca", "root.pem")
	key := cert // both are in it
	ask(exitUsage, "import", "--cert", cert, "--key", filepath.Join(elsewhere, "ca", "trust-domain"))
	ask(exitClean, "import", "--cert", cert, "--key", key)
	first := ask(exitClean, "export")
	if strings.Count(first, "BEGIN CERTIFICATE") != 1 || strings.Contains(first, "KEY") {
		t.Fatalf("export prints\n%s", first)
	}
	if shown := ask(exitClean, "rotate", "--max-wait", "72h"); !strings.Contains(shown, "--state cluster --kubeconfig") {
		t.Errorf("what to do next is not said for this cluster:\n%s", shown)
	}
	if both := ask(exitClean, "export"); !strings.HasPrefix(both, first) || strings.Count(both, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("during the rotation machines would pin\n%s", both)
	}
	ask(exitUsage, "rotate", "--forget", "shop/web")
	ask(exitClean, "rotate", "--cancel")
	if back := ask(exitClean, "export"); back != first {
		t.Errorf("a rotation that was taken back leaves\n%s", back)
	}
	at[3] = t.TempDir() + "/none"
	ask(exitInput, "show")
}
