package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A server's clock is the machine's, unless a test of meshc itself says otherwise.
func TestClockIsForTestsAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clock")
	if err := os.WriteFile(file, []byte("2h\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr := wants(t, exitUsage, "serve", "--bundle", "b", "--catalog", "c", "--state", "s", "--test-clock", file)
	if !strings.Contains(stderr, testClockEnv) {
		t.Errorf("it says %s", stderr)
	}
	if help, _ := wants(t, exitClean, "serve", "--help"); strings.Contains(help, "test-clock") {
		t.Error("the flag is shown to everybody")
	}
	t.Setenv(testClockEnv, "1")
	now, err := testClock(file)
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Until(now()); off < time.Hour || off > 3*time.Hour {
		t.Errorf("the clock is off by %s", off)
	}
	if _, err := testClock(file + ".absent"); err == nil {
		t.Error("a clock without its file counts")
	}
}
