package lab

import (
	"os"
	"strconv"
	"syscall"
	"testing"
)

// testMark is in the environment of every process that this run starts.
var testMark string

func TestMain(m *testing.M) {
	Reexec()
	testMark = os.Getenv("MESHC_LAB_TEST")
	if testMark == "" || os.Getenv("MESHC_LAB_CRASH_DIR") == "" {
		testMark = strconv.Itoa(os.Getpid())
		os.Setenv("MESHC_LAB_TEST", testMark)
	}
	os.Exit(m.Run())
}

func asNobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}
