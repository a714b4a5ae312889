package faults

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/lab"
)

// insideEnv marks the process that has mounts of its own.
const insideEnv = "MESHC_FAULTS_INSIDE"

func TestMain(m *testing.M) {
	lab.Reexec()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case loadRole:
			os.Exit(loadMain())
		case dropRole:
			os.Exit(dropMain(os.Args[2:]))
		}
	}
	if os.Getenv(insideEnv) == "" {
		os.Exit(inside())
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		fmt.Fprintln(os.Stderr, "make mounts private:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// inside runs this test again where it may mount: a state folder that is full or
// read-only is a file system of its own, and must not be left on the machine.
func inside() int {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideEnv+"=root")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 {
		cmd.Env = append(os.Environ(), insideEnv+"=user")
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	// What ends this process ends that one too, in good order where it can.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT)
	if err := startLocked(cmd); err != nil {
		fmt.Fprintln(os.Stderr, "run the test with mounts of its own:", err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = cmd.Process.Signal(s)
		}
	}()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		return 1
	}
	return 0
}

// rootless tells that there is but one user where this test runs.
func rootless() bool { return os.Getenv(insideEnv) == "user" }
