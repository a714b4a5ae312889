package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestUnavailableSaysHow: who cannot make a lab is told which setting of the
// machine forbids it and the command that changes it.
func TestUnavailableSaysHow(t *testing.T) {
	saved := switches
	defer func() { switches = saved }()
	file := filepath.Join(t.TempDir(), "max_user_namespaces")
	if err := os.WriteFile(file, []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range switches {
		if filepath.Base(switches[i].file) == "max_user_namespaces" {
			switches = switches[i : i+1 : i+1]
			break
		}
	}
	turnOn := switches[0].turnOn
	switches = append(switches[:0:0], switches...)
	switches[0].file = file
	err := unavailable(true, syscall.ENOSPC)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), turnOn) || !strings.Contains(err.Error(), "as root") {
		t.Errorf("with user namespaces off the message is %q", err)
	}
	if err := os.WriteFile(file, []byte("15000\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unavailable(true, syscall.EPERM); strings.Contains(err.Error(), turnOn) {
		t.Errorf("a setting that is right is blamed: %q", err)
	}
	if err := unavailable(false, syscall.EPERM); !strings.Contains(err.Error(), "--privileged") {
		t.Errorf("root without capabilities is told %q", err)
	}
}
