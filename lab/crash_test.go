package lab

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/meshc/meshc/lab/caller"
)

// TestLabWithoutRoot runs the same mesh as an unprivileged user.
func TestLabWithoutRoot(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	if os.Getuid() != 0 {
		t.Skip("this run is without root already: TestMeshLive has shown it")
	}
	bin := filepath.Join(runtimeDir(t), "lab.test")
	copyFile(t, "/proc/self/exe", bin)
	for dir := bin; dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil && dir == bin {
			t.Fatal(err)
		}
		if filepath.Dir(dir) == os.TempDir() {
			break
		}
	}
	envoy, err := FindEnvoy("")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-test.run=^TestMeshLive$", "-test.v")
	cmd.Env = append(os.Environ(), "MESHC_ENVOY="+envoy, "TMPDIR="+os.TempDir(), "HOME=/")
	cmd.SysProcAttr = asNobody()
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestMeshLive")) {
		t.Errorf("without root the lab fails: %v\n%s", err, out)
	}
}

// TestCrashLeavesNothing kills a lab's owner without a warning: the kernel ends
// all the rest, and the next lab cleans the folder.
func TestCrashLeavesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("runs real Envoys")
	}
	dir := runtimeDir(t)
	owner := exec.Command("/proc/self/exe", "-test.run=^TestCrashOwner$")
	owner.Env = append(os.Environ(), "MESHC_LAB_CRASH_DIR="+dir)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(crashReady))
	if _, err := io.ReadFull(out, line); err != nil || string(line) != crashReady {
		owner.Wait()
		t.Fatalf("the owner of the lab did not bring it up: %q, %v", line, err)
	}
	machine, err := os.ReadFile(filepath.Join(dir, machineFile))
	if err != nil {
		t.Fatal(err)
	}
	if !isMachine(string(machine)) {
		t.Fatalf("process %s is not the lab's first process", machine)
	}
	owner.Process.Kill()
	owner.Wait()
	l := up(t, Options{Dir: dir})
	if !l.claim.Cleaned {
		t.Error("the next lab did not notice that one had crashed in its folder")
	}
	if isMachine(string(machine)) {
		t.Errorf("the first process of the crashed lab (%s) is alive", machine)
	}
	if got := sendOne(t, l, "shop/client", caller.Request{Address: "web:80", Path: "/read/1"}); got.Status != 200 {
		t.Errorf("the next lab does not work: %+v", got)
	}
	if err := l.Down(); err != nil {
		t.Error(err)
	}
	if left := labProcesses(t, 0); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

const crashReady = "the lab is up\n"

// TestCrashOwner is the process that TestCrashLeavesNothing kills.
func TestCrashOwner(t *testing.T) {
	dir := os.Getenv("MESHC_LAB_CRASH_DIR")
	if dir == "" {
		t.Skip("a part of TestCrashLeavesNothing")
	}
	up(t, Options{Dir: dir})
	os.Stdout.WriteString(crashReady)
	select {}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o755); err != nil {
		t.Fatal(err)
	}
}
