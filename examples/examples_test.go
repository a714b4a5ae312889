package examples

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// meshc builds the command once and returns its path.
func meshc(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "meshc")
	if out, err := exec.Command("go", "build", "-o", bin, "../cmd/meshc").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

func stories(t *testing.T) []string {
	t.Helper()
	dirs, err := filepath.Glob("[0-9][0-9]-*")
	if err != nil || len(dirs) < 5 {
		t.Fatalf("%d examples were found: %v", len(dirs), err)
	}
	return dirs
}

// Every story has what a reader needs: a README and a table of verdicts.
func TestStoriesAreWhole(t *testing.T) {
	for _, dir := range stories(t) {
		for _, file := range []string{"README.md", "meshc.yaml", "verdicts.yaml"} {
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Errorf("%s: %v", dir, err)
			}
		}
	}
}

func TestVerdictsHoldOffline(t *testing.T) {
	bin := meshc(t)
	for _, dir := range stories(t) {
		t.Run(dir, func(t *testing.T) { verdicts(t, bin, dir) })
	}
}

func TestVerdictsHoldOnRealEnvoys(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: the live stories take real Envoys and network namespaces")
	}
	bin := meshc(t)
	for _, dir := range stories(t) {
		t.Run(dir, func(t *testing.T) { verdicts(t, bin, dir, "--live") })
	}
}

func verdicts(t *testing.T, bin, dir string, flags ...string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, append([]string{"test", dir}, flags...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("meshc test %s %v: %v\n%s", dir, flags, err, out)
	} else {
		t.Logf("%s", out)
	}
}
