// Package apiserver runs a kube-apiserver and its etcd for a test: everything that
// an API server tells, and nothing that runs pods. The binaries are those of
// KUBEBUILDER_ASSETS, or what test/cluster builds. Where nothing was built the test is
// skipped, and says how: to build Kubernetes takes longer than all other tests.
package apiserver

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/test/repository"
)

// Server is an API server that runs. Stop and Start take it away and bring it back
// with what it held, at the same address.
type Server struct {
	t       testing.TB
	dir     string
	etcd    string // address
	port    int
	process *exec.Cmd
	// Config reaches it as an administrator.
	Config *rest.Config
}

// token is the administrator's.
const token = "test-administrator"

// New starts an API server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("an API server is not started in a short run")
	}
	s := &Server{t: t, dir: t.TempDir(), port: free(t)}
	client, peer := free(t), free(t)
	s.etcd = fmt.Sprintf("http://127.0.0.1:%d", client)
	peers := fmt.Sprintf("http://127.0.0.1:%d", peer)
	s.run("etcd", "--data-dir", filepath.Join(s.dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls", s.etcd, "--advertise-client-urls", s.etcd,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers, "--log-level", "error")
	s.write("tokens", []byte(token+",admin,admin,system:masters\n"))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.write("accounts.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	s.Config = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", s.port), BearerToken: token, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(s.dir, "pki", "apiserver.crt")},
	}
	s.Start()
	return s
}

// Start brings the API server up and waits until it is ready.
func (s *Server) Start() {
	s.t.Helper()
	s.process = s.run("kube-apiserver", "--etcd-servers", s.etcd, "--secure-port", strconv.Itoa(s.port), "--bind-address", "127.0.0.1",
		"--cert-dir", filepath.Join(s.dir, "pki"), "--token-auth-file", filepath.Join(s.dir, "tokens"), "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", filepath.Join(s.dir, "accounts.key"),
		"--service-account-signing-key-file", filepath.Join(s.dir, "accounts.key"), "--service-cluster-ip-range", "10.96.0.0/16",
		"--disable-admission-plugins", "ServiceAccount", "--allow-privileged", "--endpoint-reconciler-type", "none")
	deadline := time.Now().Add(2 * time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(s.Config.CAFile); err != nil {
			continue
		}
		if _, err := s.Try(http.MethodGet, "/readyz", nil); err == nil {
			return
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.dir, "kube-apiserver.log")) // it is only shown
	s.t.Fatalf("the API server was not ready in time:\n%s", bytes.TrimSpace(text[max(0, len(text)-4000):]))
}

// Do asks the API server: of a path, with an object as JSON or nil.
func (s *Server) Do(method, path string, object any) []byte {
	s.t.Helper()
	out, err := s.Try(method, path, object)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// Try asks as Do does; a refusal is an error with what the API server says.
func (s *Server) Try(method, path string, object any) ([]byte, error) {
	client, err := rest.HTTPClientFor(s.Config)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(object); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.Config.Host+path, &body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, text)
	}
	return text, err
}

// Kubeconfig is a file by which programs reach it as an administrator.
func (s *Server) Kubeconfig() string {
	s.t.Helper()
	s.write("kubeconfig", fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "test",
"clusters": [{"name": "test", "cluster": {"server": %q, "certificate-authority": %q}}],
"users": [{"name": "test", "user": {"token": %q}}],
"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}]}`, s.Config.Host, s.Config.CAFile, token))
	return filepath.Join(s.dir, "kubeconfig")
}

// Stop takes the API server away, as when its machine is gone; what it held stays.
func (s *Server) Stop() {
	_ = s.process.Process.Kill() // it may have ended
	_ = s.process.Wait()         // killed, it always fails
}

func (s *Server) write(name string, data []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run starts a program that ends with the test.
func (s *Server) run(name string, args ...string) *exec.Cmd {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(Binary(s.t, name), args...)
	c.Stdout, c.Stderr, c.Dir = log, log, s.dir
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is cut off leaves nothing
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()         // killed, it always fails
	})
	return c
}

// Binary is a program of Kubernetes.
func Binary(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		root, err := repository.Top()
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(root, ".cache", "cluster", "bin")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil && os.Getenv("KUBEBUILDER_ASSETS") != "" {
		t.Fatalf("KUBEBUILDER_ASSETS holds no %s", name)
	} else if err != nil {
		t.Skipf("there is no %s in .cache/cluster/bin: run `test/cluster/build .cache/cluster/bin`, or set KUBEBUILDER_ASSETS", name)
	}
	return path
}

// free is a port that nobody listens on.
func free(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
