package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/test/repository"
)

// envoyBinary is MESHC_ENVOY, or the one that make fetched.
func envoyBinary(t *testing.T) string {
	t.Helper()
	return repository.Envoy(t)
}

// envoy is a real proxy connected to a control plane.
type envoy struct {
	t     *testing.T
	admin string
	stop  func()
}

// startEnvoy runs an Envoy with a join token of an identity. delta picks the protocol.
func (c *control) startEnvoy(identity, workload string, delta bool) *envoy {
	c.t.Helper()
	dir := c.t.TempDir()
	api := "GRPC"
	if delta {
		api = "DELTA_GRPC"
	}
	host, port, err := net.SplitHostPort(c.address)
	must(c.t, err)
	number, err := strconv.Atoi(port)
	must(c.t, err)
	ads := map[string]any{"ads": map[string]any{}, "resource_api_version": "V3"}
	boot := map[string]any{
		"node":  map[string]any{"id": workload, "cluster": "test"},
		"admin": map[string]any{"address": jsonSocket("127.0.0.1", 0)},
		"dynamic_resources": map[string]any{
			"ads_config": map[string]any{"api_type": api, "transport_api_version": "V3", "grpc_services": []any{map[string]any{
				"envoy_grpc":       map[string]any{"cluster_name": "xds"},
				"initial_metadata": []any{map[string]any{"key": "authorization", "value": c.token(identity, workload)}},
			}}},
			"cds_config": ads, "lds_config": ads,
		},
		"static_resources": map[string]any{"clusters": []any{map[string]any{
			"name": "xds", "connect_timeout": "2s", "type": "STATIC",
			"load_assignment": map[string]any{"cluster_name": "xds", "endpoints": []any{map[string]any{"lb_endpoints": []any{
				map[string]any{"endpoint": map[string]any{"address": jsonSocket(host, number)}}}}}},
			"typed_extension_protocol_options": map[string]any{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": map[string]any{
				"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
				"explicit_http_config": map[string]any{"http2_protocol_options": map[string]any{}},
			}},
			"transport_socket": map[string]any{"name": "tls", "typed_config": map[string]any{
				"@type":              "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
				"common_tls_context": map[string]any{"validation_context": map[string]any{"trusted_ca": map[string]any{"inline_string": string(c.ca.Roots())}}},
			}},
		}}},
	}
	config, err := json.Marshal(boot)
	must(c.t, err)
	file, adminFile := filepath.Join(dir, "bootstrap.json"), filepath.Join(dir, "admin")
	must(c.t, os.WriteFile(file, config, 0o600))
	cmd := exec.Command(envoyBinary(c.t), "-c", file, "--use-dynamic-base-id", "--concurrency", "1", "--admin-address-path", adminFile,
		"--log-level", "warning", "--drain-time-s", "1", "--file-flush-interval-msec", "50")
	cmd.Stdout, cmd.Stderr = c.t.Output(), c.t.Output()
	must(c.t, cmd.Start())
	var once sync.Once
	e := &envoy{t: c.t, stop: func() { once.Do(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) }}
	c.t.Cleanup(e.stop)
	eventually(c.t, "Envoy's admin port", func() error {
		b, err := os.ReadFile(adminFile)
		if err == nil && len(b) == 0 {
			err = io.ErrUnexpectedEOF
		}
		e.admin = string(b)
		return err
	})
	return e
}

func jsonSocket(host string, port int) map[string]any {
	return map[string]any{"socket_address": map[string]any{"address": host, "port_value": port}}
}

// eventually waits for a condition outside of this process; it polls because
// nobody there can be asked to call back.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// stats are the counters and gauges whose names have a prefix.
func (e *envoy) stats(prefix string) map[string]int {
	e.t.Helper()
	resp, err := http.Get("http://" + e.admin + "/stats?usedonly")
	must(e.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(e.t, err)
	out := map[string]int{}
	for _, line := range strings.Split(string(b), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if n, err := strconv.Atoi(value); ok && err == nil && strings.HasPrefix(name, prefix) {
			out[name] = n
		}
	}
	return out
}

// backend is a server that answers with its name.
func backend(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// answer is the status and body of a GET.
func answer(client *http.Client, url string) string {
	resp, err := client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

// load is clients that call without a pause and count each different answer.
type load struct {
	mu     sync.Mutex
	counts map[string]int
	quit   chan struct{}
	done   sync.WaitGroup
	news   *sync.Cond
}

// hammer starts clients on a URL. fresh ones open a connection for each request.
func hammer(url string, clients int, fresh bool) *load {
	l := &load{counts: map[string]int{}, quit: make(chan struct{})}
	l.news = sync.NewCond(&l.mu)
	for range clients {
		l.done.Add(1)
		go func() {
			defer l.done.Done()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh}, Timeout: patience}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-l.quit:
					return
				default:
				}
				got := answer(client, url)
				l.mu.Lock()
				l.counts[got]++
				l.news.Broadcast()
				l.mu.Unlock()
			}
		}()
	}
	return l
}

// until waits for a number of answers of a kind from now on.
func (l *load) until(answer string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for goal := l.counts[answer] + n; l.counts[answer] < goal; {
		l.news.Wait()
	}
}

func (l *load) stop() map[string]int {
	close(l.quit)
	l.done.Wait()
	return l.counts
}
