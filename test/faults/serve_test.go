package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab"
	"github.com/meshc/meshc/xds/server"
)

// control is `meshc serve` in a process of its own, with its bundle, catalog and
// state in folders: a lab.Plane. Proxies reach it through a wire.
type control struct {
	bin  string
	dir  string
	wire *wire
	log  *os.File

	authority *ca.Authority
	tokens    *token.Store

	mu     sync.Mutex
	leaf   time.Duration // of the proxies' certificates
	served string        // digest of the bundle that was published last
	admin  string
	cmd    *exec.Cmd
	ended  chan struct{}
}

var _ lab.Plane = (*control)(nil)

func (c *control) path(name string) string { return filepath.Join(c.dir, name) }

// newControl prepares a control plane at a lab's place; Set starts it.
func newControl(bin, dir string, site lab.Site) (*control, error) {
	c := &control{bin: bin, dir: dir, leaf: time.Hour}
	var err error
	if c.log, err = os.Create(c.path("serve.log")); err != nil {
		return nil, err
	}
	if c.authority, err = ca.Open(c.path("state"), ca.Options{TrustDomain: site.TrustDomain, Leaf: c.leaf}); err != nil {
		return nil, err
	}
	// Tokens are a day old, as they are on machines that have run for a while.
	yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	if c.tokens, err = token.Open(c.path("state"), token.Options{Now: yesterday}); err != nil {
		return nil, err
	}
	if err := c.setClock(0); err != nil {
		return nil, err
	}
	listener, err := site.Listen(site.Address.String())
	if err != nil {
		return nil, err
	}
	c.wire = newWire(listener)
	return c, nil
}

// Set publishes a bundle and a catalog, and starts the server with the first ones.
func (c *control) Set(b *bundle.Bundle, s *catalog.Snapshot) (diag.List, error) {
	text, err := file.Marshal(s)
	if err != nil {
		return nil, err
	}
	if err := replaceFile(c.path("catalog.yaml"), text); err != nil {
		return nil, err
	}
	if err := c.publish(b); err != nil {
		return nil, err
	}
	if c.cmd == nil {
		return nil, c.start()
	}
	return nil, nil
}

// publish puts a bundle where the server looks for it, as `meshc build` does.
func (c *control) publish(b *bundle.Bundle) error {
	c.served = b.Manifest.BundleDigest
	return bundle.Write(c.path("bundle"), b)
}

func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// setClock says how far the server's clock is off.
func (c *control) setClock(off time.Duration) error {
	return replaceFile(c.path("clock"), []byte(off.String()+"\n"))
}

func (c *control) Token(id ir.Identity, workload string) (string, error) {
	raw, _, err := c.tokens.Create(id, workload, 30*24*time.Hour)
	return raw, err
}

func (c *control) Roots() []byte { return c.authority.Roots() }

func (c *control) Close() error {
	c.kill()
	c.wire.close()
	return c.log.Close()
}

// listening is how the server tells its addresses.
var listening = regexp.MustCompile(`msg="listening for (proxies|operators)" address=(\S+)`)

// start runs the server and returns when it listens; the error holds what it said
// if it ended instead.
func (c *control) start() error {
	cmd := exec.Command(c.bin, "serve", "--bundle", c.path("bundle"), "--catalog", c.path("catalog.yaml"), "--state", c.path("state"),
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--host", "10.244.0.1", "--leaf", c.leaf.String(), "--test-clock", c.path("clock"))
	cmd.Env = append(os.Environ(), "MESHC_TEST_CLOCK=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = write, write
	err = startLocked(cmd)
	write.Close()
	if err != nil {
		read.Close()
		return err
	}
	ended, found := make(chan struct{}), make(chan [2]string, 1)
	var said strings.Builder
	go func() {
		defer close(ended)
		c.follow(read, found, &said)
		_ = cmd.Wait() // how it ended is in what it said
	}()
	select {
	case at := <-found:
		c.mu.Lock()
		c.cmd, c.ended, c.admin = cmd, ended, at[1]
		c.mu.Unlock()
		c.wire.lead(at[0])
		return nil
	case <-ended:
		return fmt.Errorf("meshc serve ended at once: %s", said.String())
	}
}

// follow copies the server's log, and finds its addresses in it.
func (c *control) follow(r io.ReadCloser, found chan<- [2]string, said *strings.Builder) {
	defer r.Close()
	var at [2]string
	told := false
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fmt.Fprintln(c.log, lines.Text())
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			at[map[string]int{"proxies": 0, "operators": 1}[m[1]]] = m[2]
		}
		if !told {
			said.WriteString(lines.Text() + "\n")
		}
		if at[0] != "" && at[1] != "" && !told {
			told = true
			found <- at
		}
	}
}

// startLocked starts a command whose death signal is sent when this process ends,
// not when one of its threads does.
func startLocked(cmd *exec.Cmd) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		result <- cmd.Start()
		<-make(chan struct{})
	}()
	return <-result
}

// kill ends the server without a warning; it may have ended already.
func (c *control) kill() {
	c.mu.Lock()
	cmd, ended := c.cmd, c.ended
	c.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill()
	<-ended
}

func (c *control) restart() error {
	c.kill()
	return c.start()
}

// status asks the server what it knows of itself and its proxies.
func (c *control) status() (server.Status, error) {
	c.mu.Lock()
	admin := c.admin
	c.mu.Unlock()
	var st server.Status
	r, err := http.Get("http://" + admin + "/status")
	if err != nil {
		return st, err
	}
	defer r.Body.Close()
	return st, json.NewDecoder(r.Body).Decode(&st)
}

// until asks for the status until it is as wanted, or the context ends. It polls:
// nobody in another process can be asked to call back.
func (c *control) until(ctx context.Context, what string, ok func(server.Status) bool) error {
	for {
		st, err := c.status()
		if err == nil && ok(st) {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			text, _ := json.Marshal(st)
			return fmt.Errorf("waiting until %s: %w (%v); the server's status is %s", what, ctx.Err(), err, text)
		}
	}
}

// awaitServed waits until the server serves what was published.
func (c *control) awaitServed(ctx context.Context) error {
	return c.until(ctx, "the bundle is served", func(st server.Status) bool { return st.Bundle.BundleDigest == c.served })
}

// AwaitAcks waits until the server serves what was published last and the proxies
// of all the workloads have acknowledged it.
func (c *control) AwaitAcks(ctx context.Context, workloads []string) error {
	if err := c.awaitServed(ctx); err != nil {
		return err
	}
	return c.until(ctx, "all proxies have acknowledged", func(st server.Status) bool {
		return !slices.ContainsFunc(workloads, func(w string) bool { return !inSync(st, w) })
	})
}

func inSync(st server.Status, workload string) bool {
	return slices.ContainsFunc(st.Proxies, func(p server.Proxy) bool { return p.Workload == workload && p.InSync })
}

// address is where the server takes proxies, past the wire.
func (c *control) address() string { return c.wire.target() }
