package pod

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/meshc/meshc/lab/wire"
)

// Envoy is a proxy to start. Its standard output and error come beside it.
type Envoy struct {
	Path  string
	Args  []string
	Env   []string
	Files map[string][]byte // by name, in the pod's EnvoyDir
	UID   int               // 0: stay as we are (without root there is no other)
}

// EnvoyDir is where a proxy's files lie, in the pod's own memory.
const EnvoyDir = privateDir + "/envoy"

// envoyBinary is where the binary is mounted: a user of its own could not reach
// one that lies in somebody's home.
const envoyBinary = privateDir + "/envoy-binary"

// proxy is a started Envoy.
type proxy struct {
	pid   int
	ended chan struct{} // closed when the process has ended
	code  int           // its exit code, then
}

func (a *agent) startEnvoy(c *wire.Call) (any, error) {
	var args Envoy
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	if len(c.Files) != 2 {
		return nil, errors.New("a proxy needs standard output and error")
	}
	if err := mountBinary(args.Path); err != nil {
		return nil, err
	}
	if err := writeFiles(args.Files, args.UID); err != nil {
		return nil, err
	}
	cmd := exec.Command(envoyBinary, args.Args...)
	cmd.Env, cmd.Dir = args.Env, "/"
	cmd.Stdout, cmd.Stderr = c.Files[0], c.Files[1]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if args.UID != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(args.UID), Gid: uint32(args.UID)}
		// Envoy opens /dev/stdout anew, which is judged by the pipe's owner.
		for _, f := range c.Files {
			if err := f.Chown(args.UID, args.UID); err != nil {
				return nil, err
			}
		}
	}
	exit, err := start(cmd)
	if err != nil {
		return nil, fmt.Errorf("start Envoy: %w", err)
	}
	e := &proxy{pid: cmd.Process.Pid, ended: make(chan struct{})}
	go func() {
		e.code = <-exit
		close(e.ended)
	}()
	a.mu.Lock()
	a.envoy = e
	a.mu.Unlock()
	return nil, e.notAtOnce()
}

// killEnvoy ends the pod's Envoy without a warning and returns when it is gone.
func (a *agent) killEnvoy(*wire.Call) (any, error) {
	a.mu.Lock()
	e := a.envoy
	a.mu.Unlock()
	if e == nil {
		return nil, errors.New("no Envoy was started")
	}
	select {
	case <-e.ended:
		return nil, fmt.Errorf("Envoy had ended already, with exit code %d", e.code)
	default:
	}
	if err := syscall.Kill(e.pid, syscall.SIGKILL); err != nil {
		return nil, err
	}
	<-e.ended
	return nil, nil
}

// notAtOnce tells of an Envoy that has ended before it answered on its admin port.
func (e *proxy) notAtOnce() error {
	deadline := time.After(30 * time.Second)
	for {
		select {
		case <-e.ended:
			return fmt.Errorf("Envoy ended with exit code %d before it listened", e.code)
		case <-deadline:
			return errors.New("Envoy did not open its admin port in 30 seconds")
		case <-time.After(5 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", AdminAddress); err == nil {
			return c.Close()
		}
	}
}

// AdminAddress is Envoy's admin interface in each meshed pod.
const AdminAddress = "127.0.0.1:15000"

func mountBinary(path string) error {
	if wanted, err := os.Stat(path); err == nil {
		if there, err := os.Stat(envoyBinary); err == nil && os.SameFile(wanted, there) {
			return nil // mounted for an Envoy that has ended since
		}
	}
	f, err := os.OpenFile(envoyBinary, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	f.Close()
	if err := unix.Mount(path, envoyBinary, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount the Envoy binary %s: %w", path, err)
	}
	return nil
}

func writeFiles(files map[string][]byte, uid int) error {
	if err := os.MkdirAll(EnvoyDir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		path := filepath.Join(EnvoyDir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		if uid != 0 {
			if err := os.Chown(path, uid, uid); err != nil {
				return err
			}
		}
	}
	return nil
}

// Ready asks whether the pod is ready within a time: Envoy by its admin
// interface, a workload by its ports taking connections.
type Ready struct {
	Envoy   bool
	Ports   []uint16
	Timeout time.Duration
}

func ready(c *wire.Call) (any, error) {
	var args Ready
	if err := c.Decode(&args); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(args.Timeout)
	for {
		missing := unready(args)
		if missing == "" {
			return nil, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s is not ready after %s", missing, args.Timeout)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// unready names the first thing that is not ready yet.
func unready(args Ready) string {
	for _, port := range args.Ports {
		// From loopback to loopback: interception leaves it alone.
		c, err := net.Dial("tcp", net.JoinHostPort("localhost", strconv.Itoa(int(port))))
		if err != nil {
			return fmt.Sprintf("port %d", port)
		}
		c.Close()
	}
	if args.Envoy {
		r, err := http.Get("http://" + AdminAddress + "/ready")
		if err != nil {
			return "Envoy"
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return "Envoy"
		}
	}
	return ""
}
