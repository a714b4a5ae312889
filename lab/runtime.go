package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/meshc/meshc/lab/sandbox"
)

// longestDir leaves room for the names of sockets: the kernel takes 107 bytes.
const longestDir = 85

// files of a lab's runtime folder.
const (
	lockFile    = "lock"
	machineFile = "machine.pid"
	controlFile = "control.sock"
)

// baseDir is where a user's labs have their runtime folders, by name.
func baseDir() string {
	if os.Getuid() == 0 {
		return "/run/meshc-lab"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "meshc-lab")
	}
	return filepath.Join(os.TempDir(), "meshc-lab-"+strconv.Itoa(os.Getuid()))
}

// claim is a runtime folder that this process owns.
type claim struct {
	dir  string
	lock *os.File
	// Cleaned: a lab had crashed here, what it left was removed.
	Cleaned bool
}

// claimDir makes the folder this process's own, cleaning up after a lab that crashed.
func claimDir(dir string) (*claim, error) {
	if len(dir) > longestDir {
		return nil, fmt.Errorf("the runtime folder %s has too long a name for unix sockets: give another one", dir)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	c := &claim{dir: dir, lock: lock}
	if c.Cleaned, err = c.clean(); err != nil {
		lock.Close()
		return nil, err
	}
	return c, os.MkdirAll(filepath.Join(dir, "logs"), 0o700)
}

// lockDir makes a folder and takes its lock. Another lab's sweep may remove the
// folder between the two; then it is made again.
func lockDir(dir string) (*os.File, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, lockFile)
		lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			return nil, fmt.Errorf("a lab runs in %s already: end it with 'meshc lab down', or give this one another --name", dir)
		}
		ours, err := lock.Stat()
		if err != nil {
			lock.Close()
			return nil, err
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(ours, there) {
			return lock, nil
		}
		lock.Close()
	}
}

// sweep removes what crashed labs have left among a user's labs, and tells
// whether there was any.
func sweep(base string) (found bool) {
	entries, _ := os.ReadDir(base)
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		c, err := claimDir(filepath.Join(base, e.Name()))
		if err != nil {
			continue // it runs, or it is not ours to remove
		}
		found = true
		_ = c.release()
	}
	return found
}

// clean removes what a crashed lab has left: the kernel has ended its processes
// and with them its networks and mounts, so that only files can be left; its
// first process is looked for all the same.
func (c *claim) clean() (cleaned bool, err error) {
	if pid, err := os.ReadFile(filepath.Join(c.dir, machineFile)); err == nil {
		endMachine(strings.TrimSpace(string(pid)))
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			continue
		}
		cleaned = true
		if err := os.RemoveAll(filepath.Join(c.dir, e.Name())); err != nil {
			return cleaned, err
		}
	}
	return cleaned, nil
}

// endMachine kills the first process of a crashed lab, if that is still what the
// number means, and waits until it is gone.
func endMachine(pid string) {
	number, err := strconv.Atoi(pid)
	if err != nil || !isMachine(pid) {
		return
	}
	_ = syscall.Kill(number, syscall.SIGKILL)
	for deadline := time.Now().Add(5 * time.Second); isMachine(pid) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

func isMachine(pid string) bool {
	line, err := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
	return err == nil && strings.HasPrefix(string(line), sandbox.Role+"\x00")
}

// release removes the folder, and the one above it when that is empty now.
func (c *claim) release() error {
	err := os.RemoveAll(c.dir)
	c.lock.Close()
	if base := filepath.Dir(c.dir); strings.HasPrefix(filepath.Base(base), "meshc-lab") {
		_ = os.Remove(base) // refused while another lab has its folder there
	}
	return err
}

// testLab is how the names of labs begin that live for one `meshc test --live`.
const testLab = "test-"

// running lists the runtime folders of running labs that people have started.
func running() ([]string, error) {
	entries, err := os.ReadDir(baseDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if dir := filepath.Join(baseDir(), e.Name()); !strings.HasPrefix(e.Name(), testLab) && held(dir) {
			out = append(out, dir)
		}
	}
	return out, nil
}

// held tells whether a process owns the folder.
func held(dir string) bool {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
