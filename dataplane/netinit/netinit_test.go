package netinit_test

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/meshc/meshc/dataplane/netinit"
	"github.com/meshc/meshc/test/repository"
)

// inside is the environment variable that makes this test's binary the program
// that runs in fresh namespaces; its value is the exemption to try.
const inside = "MESHC_NETINIT_TEST_INSIDE"

// insideDir is a folder for that program's files, insideEnvoy the Envoy to run.
const (
	insideDir   = "MESHC_NETINIT_TEST_DIR"
	insideEnvoy = "MESHC_NETINIT_TEST_ENVOY"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(inside); how != "" {
		os.Exit(runInside(how))
	}
	os.Exit(m.Run())
}

// TestInterception runs every case of inside_test.go in fresh namespaces.
func TestInterception(t *testing.T) {
	for _, c := range []struct {
		name, exempt string
		user         bool // in a user namespace of its own, as without root
	}{
		{"root, by uid", "uid", false},
		{"root, by mark", "mark", false},
		{"unprivileged, by mark", "mark", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !c.user && os.Getuid() != 0 {
				t.Skip("only root makes a network namespace without a user namespace; the unprivileged case runs")
			}
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), inside+"="+c.exempt, insideDir+"="+t.TempDir(), insideEnvoy+"="+envoyPath(t))
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
			if c.user {
				cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
				cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
				cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
			}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Start()
			if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
				t.Skipf("this machine gives no fresh namespaces: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v", err)
			}
			for line := range strings.Lines(out.String()) {
				t.Log(strings.TrimSpace(line))
			}
		})
	}
}

// envoyPath is the pinned binary: MESHC_ENVOY, or what `make envoy` fetched.
func envoyPath(t *testing.T) string {
	t.Helper()
	return repository.Envoy(t)
}

func TestRefusals(t *testing.T) {
	uid := netinit.UID(1500)
	for why, o := range map[string]netinit.Options{
		"nothing is exempt":        {},
		"uid 0 is exempt":          {Exempt: netinit.UID(0)},
		"mark 0 is exempt":         {Exempt: netinit.Mark(0)},
		"0 is not a range":         {Exempt: uid, ExcludeInbound: []netinit.Ports{{}}},
		"9-3 is not a range":       {Exempt: uid, ExcludeOutbound: []netinit.Ports{{From: 9, To: 3}}},
		"is not a range of addres": {Exempt: uid, ExcludeRanges: []netip.Prefix{{}}},
		"bits past its mask":       {Exempt: uid, ExcludeRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}},
	} {
		if err := netinit.Apply(o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want a refusal that says %q before anything is changed, got %v", why, err)
		}
	}
}
