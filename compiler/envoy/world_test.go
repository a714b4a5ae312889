package envoy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"

	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/test/repository"
)

// world runs real Envoys over loopback on a plan. It stands in for what binds
// late: addresses, endpoints, certificates. There is no interception, so a
// service port's listener is bound at an address of its own, and the inbound
// cluster leads to the application that the test names.
type world struct {
	t         *testing.T
	plan      *ir.Plan
	ca        *authority
	snapshots cache.SnapshotCache
	control   netip.AddrPort
	host      string                       // loopback address of this world's family
	servers   map[ir.PortID]netip.AddrPort // where a service port's endpoints are
	proxies   map[string]*proxy
}

func newWorld(t *testing.T, mesh *ir.Mesh) *world { return newWorldAt(t, mesh, "127.0.0.1") }

func newWorldAt(t *testing.T, mesh *ir.Mesh, host string) *world {
	t.Helper()
	plan, err := envoy.Lower(mesh)
	must(t, err)
	w := &world{
		t: t, plan: plan, ca: newAuthority(t), host: host,
		snapshots: cache.NewSnapshotCache(true, cache.IDHash{}, nil),
		servers:   map[ir.PortID]netip.AddrPort{}, proxies: map[string]*proxy{},
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.control = netip.MustParseAddrPort(l.Addr().String())
	g := grpc.NewServer()
	ctx, cancel := context.WithCancel(context.Background())
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(g, server.NewServer(ctx, w.snapshots, nil))
	go func() { _ = g.Serve(l) }()
	t.Cleanup(func() { cancel(); g.Stop() })
	return w
}

// serve starts the proxy of a service's own account in front of an application.
func (w *world) serve(service string, app netip.AddrPort) *proxy {
	w.t.Helper()
	return w.serveAs(account(service), []ir.ServiceID{svcID(service)}, app)
}

func (w *world) serveAs(id ir.Identity, services []ir.ServiceID, app netip.AddrPort) *proxy {
	w.t.Helper()
	for _, role := range w.plan.Roles {
		if role.Identity != id || ir.RoleName(id, services) != ir.RoleName(id, role.Services) {
			continue
		}
		p := w.newProxy(id)
		p.app = app
		for _, in := range role.Ports {
			at := w.free()
			p.inbound = append(p.inbound, at)
			for _, port := range in.Services {
				w.servers[port] = at
			}
		}
		w.set(p, bindInbound(w, p, role, app))
		p.start()
		return p
	}
	w.t.Fatalf("no role of %s backs %v", id, services)
	return nil
}

// client starts the proxy of an account that calls. Servers come first: their
// endpoints are bound now.
func (w *world) client(name string) *proxy {
	w.t.Helper()
	p := w.newProxy(account(name))
	w.set(p, bindOutbound(w, p))
	p.start()
	return p
}

// set gives a proxy its resources, and the secrets that every proxy has.
func (w *world) set(p *proxy, resources map[resource.Type][]types.Resource) {
	w.t.Helper()
	resources[resource.SecretType] = w.secrets(p.id)
	p.version++
	snap, err := cache.NewSnapshot(fmt.Sprint(p.version), resources)
	must(w.t, err)
	must(w.t, w.snapshots.SetSnapshot(context.Background(), p.node, snap))
}

// nextPort counts through ports that no outgoing connection is given by the
// system, so that a port found free stays free until Envoy takes it.
var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(uint32(os.Getpid()) * 97)
	return &n
}()

func (w *world) free() netip.AddrPort {
	w.t.Helper()
	for range 1000 {
		port := 10000 + nextPort.Add(1)%20000
		l, err := net.Listen("tcp", net.JoinHostPort(w.host, fmt.Sprint(port)))
		if err == nil {
			_ = l.Close()
			return netip.MustParseAddrPort(l.Addr().String())
		}
	}
	w.t.Fatal("no free port between 10000 and 30000")
	return netip.AddrPort{}
}

// proxy is one real Envoy.
type proxy struct {
	w       *world
	id      ir.Identity
	node    string
	version int
	admin   string
	log     output
	app     netip.AddrPort               // of a server
	vips    map[ir.PortID]netip.AddrPort // of a client
	unknown netip.AddrPort               // of a client: what reaches 15001 alone
	inbound []netip.AddrPort             // of a server, by target port
}

func (w *world) newProxy(id ir.Identity) *proxy {
	return &proxy{w: w, id: id, node: fmt.Sprintf("%s-%d", id.SNI(), len(w.proxies)), vips: map[ir.PortID]netip.AddrPort{}}
}

func (p *proxy) start() {
	t := p.w.t
	t.Helper()
	p.w.proxies[p.node] = p
	dir := t.TempDir()
	config, adminFile := filepath.Join(dir, "envoy.json"), filepath.Join(dir, "admin")
	must(t, os.WriteFile(config, []byte(bootstrapJSON(p.node, p.w.control)), 0o600))
	var errs output
	cmd := exec.Command(envoyBinary(t), "-c", config, "--admin-address-path", adminFile, "--disable-hot-restart",
		"--concurrency", "1", "--file-flush-interval-msec", "20", "--drain-time-s", "1", "-l", "warning")
	cmd.Env = append(os.Environ(), "MESHC_IDENTITY="+p.id.Short(), "MESHC_SNI="+p.id.SNI())
	cmd.Stdout, cmd.Stderr = &p.log, &errs
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Envoy of %s said:\n%s%s", p.id.Short(), errs.String(), p.log.String())
		}
	})
	eventually(t, "Envoy of "+p.id.Short()+" to be ready", func() bool {
		address, err := os.ReadFile(adminFile)
		if err != nil {
			return false
		}
		p.admin = "http://" + strings.TrimSpace(string(address))
		return p.get("/ready") == "LIVE\n" && strings.Contains(p.get("/stats?filter=listener_manager.total_listeners_warming"), "warming: 0") &&
			!strings.Contains(p.get("/stats?filter=listener_manager.total_listeners_active"), "active: 0")
	})
	if rejected := p.get("/stats?filter=update_rejected&usedonly"); strings.TrimSpace(rejected) != "" && !allZero(rejected) {
		t.Fatalf("Envoy of %s refused its configuration: %s\n%s", p.id.Short(), rejected, errs.String())
	}
}

func allZero(stats string) bool {
	for line := range strings.Lines(stats) {
		if !strings.HasSuffix(strings.TrimSpace(line), ": 0") {
			return false
		}
	}
	return true
}

// get asks the admin interface; empty while it does not answer.
func (p *proxy) get(path string) string {
	resp, err := http.Get(p.admin + path)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

// logged waits for an access log line that satisfies the condition.
func (p *proxy) logged(what string, ok func(line map[string]any) bool) map[string]any {
	p.w.t.Helper()
	var found map[string]any
	eventually(p.w.t, "an access log line of "+p.id.Short()+" with "+what, func() bool {
		for line := range strings.Lines(p.log.String()) {
			var m map[string]any
			if json.Unmarshal([]byte(line), &m) == nil && ok(m) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// eventually polls until the condition holds; it gives up after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited a minute for %s", what)
}

// output is a buffer that a process writes while a test reads.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// envoyBinary finds the Envoy of the tests.
func envoyBinary(t *testing.T) string {
	t.Helper()
	return repository.Envoy(t)
}

func bootstrapJSON(node string, control netip.AddrPort) string {
	return fmt.Sprintf(`{
	"node": {"id": %q, "cluster": "test"},
	"admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
	"layered_runtime": {"layers": [{"name": "static", "static_layer": {"re2.max_program_size.error_level": 32768}}]},
	"dynamic_resources": {
		"ads_config": {"api_type": "DELTA_GRPC", "transport_api_version": "V3", "grpc_services": [{"envoy_grpc": {"cluster_name": "control"}}]},
		"lds_config": {"ads": {}, "resource_api_version": "V3"},
		"cds_config": {"ads": {}, "resource_api_version": "V3"}
	},
	"static_resources": {"clusters": [{
		"name": "control", "type": "STATIC", "connect_timeout": "1s",
		"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
			"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
			"explicit_http_config": {"http2_protocol_options": {}}}},
		"load_assignment": {"cluster_name": "control", "endpoints": [{"lb_endpoints": [{"endpoint": {"address":
			{"socket_address": {"address": %q, "port_value": %d}}}}]}]}
	}]}
}`, node, control.Addr(), control.Port())
}
