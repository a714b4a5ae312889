//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// crash kills a proxy of web as the kernel does.
func crash(t *testing.T) {
	t.Helper()
	if err := syscall.Kill(envoyOf(t, "web"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// envoyOf is the process of a pod's proxy on this machine.
func envoyOf(t *testing.T, app string) int {
	t.Helper()
	id := kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app="+app, "-o", `jsonpath={.items[0].status.initContainerStatuses[?(@.name=="meshc-proxy")].containerID}`)
	_, id, ok := strings.Cut(id, "://")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if !ok || err != nil {
		t.Fatalf("no proxy runs: %q, %v", id, err)
	}
	for _, path := range groups {
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), id) {
			continue // another's, or one that ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	t.Fatalf("no process is in container %s", id)
	return 0
}

// restarts is how often the proxies of web were started again.
func restarts(t *testing.T) (n int) {
	t.Helper()
	for _, word := range strings.Fields(kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app=web", "-o", `jsonpath={.items[*].status.initContainerStatuses[?(@.name=="meshc-proxy")].restartCount}`)) {
		var count int
		if _, err := fmt.Sscan(word, &count); err != nil {
			t.Fatal(err)
		}
		n += count
	}
	return n
}
