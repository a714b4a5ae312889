package oracle

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestVerdictsAreEnvoys(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: real Envoys in network namespaces take their time")
	}
	bin := filepath.Join(t.TempDir(), "meshc")
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/meshc").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	meshes, err := filepath.Glob("testdata/*")
	if err != nil || len(meshes) == 0 {
		t.Fatalf("%d meshes were found: %v", len(meshes), err)
	}
	for _, mesh := range meshes {
		t.Run(filepath.Base(mesh), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, bin, "test", "--live", mesh)
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 20 * time.Second // the lab takes down what it put up
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("a verdict is not Envoy's: %v\n%s", err, out)
			}
		})
	}
}
