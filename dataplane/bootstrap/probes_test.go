package bootstrap_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/meshc/meshc/dataplane/bootstrap"
)

func portOf(t *testing.T, address string) uint16 {
	t.Helper()
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port()
}

// until asks again until the answer is the wanted one.
func until(t *testing.T, what string, want int, ask func() int) {
	t.Helper()
	got := 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = ask(); got == want {
			return
		}
	}
	t.Errorf("%s: the kubelet is told %d, want %d", what, got, want)
}

// A workload with every kind of probe behind a real Envoy: each answers what the
// workload answers, and nothing but probes passes.
func TestProbesReachTheWorkload(t *testing.T) {
	paths := make(chan string, 10)
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths <- r.RequestURI
		if r.URL.Path == "/ill" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	plain, secure := httptest.NewServer(app), httptest.NewTLSServer(app)
	defer plain.Close()
	defer secure.Close()
	checks := health.NewServer()
	checks.SetServingStatus("shop", healthpb.HealthCheckResponse_NOT_SERVING)
	rpc := grpc.NewServer()
	healthpb.RegisterHealthServer(rpc, checks)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = rpc.Serve(ln) }()
	defer rpc.Stop()
	closed := freePort(t)

	dir, a := t.TempDir(), authority(t)
	cp, addr := serve(t, a)
	o := local(t, dir, addr, a)
	o.Hold, o.Ready, o.PodIP, o.ProbePort = true, true, "127.0.0.1", freePort(t)
	grpcPort := freePort(t)
	o.Probes = []bootstrap.Probe{
		{Name: "app/readiness", Kind: bootstrap.ProbeHTTP, Port: portOf(t, plain.Listener.Addr().String()), Path: "/ready?full=1"},
		{Name: "app/liveness", Kind: bootstrap.ProbeHTTP, Port: portOf(t, plain.Listener.Addr().String()), Path: "/ill"},
		{Name: "web/startup", Kind: bootstrap.ProbeHTTPS, Port: portOf(t, secure.Listener.Addr().String()), Path: "/up"},
		{Name: "db/readiness", Kind: bootstrap.ProbeTCP, Port: portOf(t, plain.Listener.Addr().String()), Period: time.Second},
		{Name: "db/liveness", Kind: bootstrap.ProbeTCP, Port: closed},
		{Name: "rpc/liveness", Kind: bootstrap.ProbeGRPC, Port: portOf(t, ln.Addr().String()), Listen: grpcPort},
	}
	start(t, dir, o)
	cp.next(t)
	base := fmt.Sprintf("http://127.0.0.1:%d", o.ProbePort)
	get := func(path string) func() int {
		return func() int { code, _ := fetch("GET", base+path); return code }
	}
	until(t, "the proxy itself", 200, get("/ready"))
	for _, c := range []struct {
		path string
		code int
		seen string
	}{{"/app/readiness", 200, "/ready?full=1"}, {"/app/liveness", 503, "/ill"}, {"/web/startup", 200, "/up"}} {
		until(t, c.path, c.code, get(c.path))
		if got := <-paths; got != c.seen {
			t.Errorf("%s arrived as %s, want %s", c.path, got, c.seen)
		}
	}
	until(t, "a port that listens", 200, get("/db/readiness"))
	until(t, "a port where nobody listens", 503, get("/db/liveness"))
	plain.Close()
	until(t, "a port that listens no more", 503, get("/db/readiness"))
	for _, path := range []string{"/", "/app/readiness/../../secret", "/ill", "/stats", "/quitquitquit", "/app/readinessX"} {
		if code := get(path)(); code != 404 {
			t.Errorf("whoever reaches the probe port gets %d for %s, want 404: it is plaintext", code, path)
		}
	}
	// No route but a probe's own request: a probe of / would else open all of / to
	// whoever has no certificate.
	for _, forged := range [][2]string{{"POST", "/app/readiness"}, {"DELETE", "/app/readiness"}, {"GET", "/app/readiness?admin=1"}, {"GET", "/web/startup?x"}, {"POST", "/ready"}} {
		if code, _ := fetch(forged[0], base+forged[1]); code != 404 {
			t.Errorf("whoever reaches the probe port gets %d for %s %s, want 404: it is plaintext", code, forged[0], forged[1])
		}
	}
	grpcProbe(t, grpcPort, checks)
}

func grpcProbe(t *testing.T, port uint16, checks *health.Server) {
	t.Helper()
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", port), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
		checks.SetServingStatus("shop", want)
		got, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "shop"})
		if err != nil || got.GetStatus() != want {
			t.Errorf("the gRPC probe is told %v, %v, want %v", got.GetStatus(), err, want)
		}
	}
	if list, err := healthpb.NewHealthClient(conn).List(ctx, &healthpb.HealthListRequest{}); err == nil {
		t.Errorf("a call that is no probe reached the workload in plaintext: %v", list)
	}
}

// byFile gives an Envoy its control plane's authority in a file.
func byFile(t *testing.T, dir string, o *bootstrap.Options, roots []byte) {
	t.Helper()
	o.CA, o.CAFile, o.CASecretFile = nil, filepath.Join(dir, "ca.crt"), filepath.Join(dir, "roots.json")
	put(t, o.CAFile, roots)
	secret, err := bootstrap.Authority(*o)
	if err != nil {
		t.Fatal(err)
	}
	put(t, o.CASecretFile, secret)
}

// A pod's proxy reads who signs its control plane from a file that the controller
// keeps: a new authority needs no new pod.
func TestControlPlanesAuthorityIsReplaced(t *testing.T) {
	dir, old, next := t.TempDir(), authority(t), authority(t)
	cp, addr := serve(t, next)
	o := local(t, dir, addr, old)
	byFile(t, dir, &o, old.Roots())
	start(t, dir, o)
	waitStat(t, o, "cluster.meshc-xds.ssl.fail_verify_")
	put(t, o.CAFile, append(old.Roots(), next.Roots()...))
	if in := cp.next(t); in.token != "first" {
		t.Errorf("the stream brought %q", in.token)
	}
}

func TestBadProbesAreRefused(t *testing.T) {
	for why, p := range map[string]bootstrap.Probe{
		"has no name":          {Kind: bootstrap.ProbeHTTP, Port: 1, Path: "/"},
		"no port to listen on": {Name: "a/b", Kind: bootstrap.ProbeGRPC, Port: 1},
		"does not begin with":  {Name: "a/b", Kind: bootstrap.ProbeHTTP, Port: 1, Path: "ready"},
	} {
		o := options(t, "/etc/meshc")
		o.PodIP, o.Probes = "10.0.0.1", []bootstrap.Probe{p}
		if _, err := bootstrap.JSON(o); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("want a refusal that says %q, got %v", why, err)
		}
	}
}

func TestEnvoyAcceptsAPodsShape(t *testing.T) {
	dir := t.TempDir()
	o := options(t, dir)
	byFile(t, dir, &o, authority(t).Roots())
	o.Hold, o.Ready, o.PodIP = true, true, "fd00::1"
	o.Probes = []bootstrap.Probe{{Name: "app/liveness", Kind: bootstrap.ProbeTCP, Port: 80}}
	out, err := exec.Command(envoy(t), "--mode", "validate", "--log-level", "warning", "--config-path", prepare(t, dir, o)).CombinedOutput()
	if err != nil || strings.Contains(string(out), "[warning]") {
		t.Errorf("Envoy says %v\n%s", err, out)
	}
}
