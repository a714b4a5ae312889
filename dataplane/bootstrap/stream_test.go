package bootstrap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/dataplane/bootstrap"
)

// patience is how long a real Envoy may take on a busy machine.
const patience = 60 * time.Second

// call is what a stream brought.
type call struct {
	token string // the authorization metadata as it came
	node  string
	peer  *x509.Certificate
	end   chan<- struct{} // close it to cut the stream
}

// controlPlane is an ADS server that says who called and has nothing to give.
type controlPlane struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer
	calls chan call
}

func (c *controlPlane) DeltaAggregatedResources(s discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer) error {
	first, err := s.Recv()
	if err != nil {
		return err
	}
	md, _ := metadata.FromIncomingContext(s.Context())
	end := make(chan struct{})
	in := call{token: strings.Join(md.Get("authorization"), "|"), node: first.GetNode().GetId(), end: end}
	if p, ok := peer.FromContext(s.Context()); ok {
		if certs := p.AuthInfo.(credentials.TLSInfo).State.PeerCertificates; len(certs) > 0 {
			in.peer = certs[0]
		}
	}
	select {
	case c.calls <- in:
	case <-s.Context().Done():
		return s.Context().Err()
	}
	go answerNothing(s, first)
	select {
	case <-end:
	case <-s.Context().Done():
	}
	return status.Error(codes.Unavailable, "cut by the test")
}

// answerNothing says of each type that there is none, so that Envoy does not
// wait for its first configuration before it opens its ports.
func answerNothing(s discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer, req *discoveryv3.DeltaDiscoveryRequest) {
	for err := error(nil); err == nil; req, err = s.Recv() {
		if req.GetResponseNonce() != "" {
			continue
		}
		if err := s.Send(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: req.GetTypeUrl(), Nonce: req.GetTypeUrl()}); err != nil {
			return
		}
	}
}

func serve(t *testing.T, a *ca.Authority) (*controlPlane, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &controlPlane{calls: make(chan call)}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		GetCertificate: a.GetCertificate([]string{"127.0.0.1"}), ClientCAs: a.Pool(), ClientAuth: tls.VerifyClientCertIfGiven,
	})))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(srv, c)
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(srv.Stop)
	return c, ln.Addr().String()
}

func (c *controlPlane) next(t *testing.T) call {
	t.Helper()
	select {
	case in := <-c.calls:
		return in
	case <-time.After(patience):
		t.Fatal("no stream came from Envoy")
		return call{}
	}
}

func freePort(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return netip.MustParseAddrPort(ln.Addr().String()).Port()
}

// start runs Envoy until the test ends; what it logged is shown when the test failed.
func start(t *testing.T, dir string, o bootstrap.Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, err := os.Create(filepath.Join(dir, "envoy.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, envoy(t), "--disable-hot-restart", "--concurrency", "1", "--log-level", "info", "--config-path", prepare(t, dir, o))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		log.Close()
		if t.Failed() {
			data, _ := os.ReadFile(log.Name())
			t.Logf("Envoy said:\n%s", data)
		}
	})
}

func local(t *testing.T, dir, server string, a *ca.Authority) bootstrap.Options {
	o := options(t, dir)
	o.ControlPlane, o.CA = server, a.Roots()
	o.Admin = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), freePort(t))
	o.MetricsPort = freePort(t)
	return o
}

func TestRotatedTokenOnTheNextStream(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	cp, addr := serve(t, a)
	o := local(t, dir, addr, a)
	start(t, dir, o)

	in := cp.next(t)
	if in.token != "first" || in.node != "bookbuyer/vm-1" {
		t.Fatalf("the first stream brought token %q, node %q", in.token, in.node)
	}
	put(t, o.TokenFile, []byte("second"))
	// Envoy sees the rename in its own time, a few streams may pass.
	for deadline := time.Now().Add(patience); ; {
		close(in.end)
		in = cp.next(t)
		if in.token == "second" {
			break
		}
		if in.token != "first" || time.Now().After(deadline) {
			t.Fatalf("after the token was rotated streams bring %q: machines drop out when the first token expires", in.token)
		}
	}
}

func TestClientCertificateOnTheStream(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	cp, addr := serve(t, a)
	o := local(t, dir, addr, a)
	leaf, err := a.Issue(buyer, 0)
	if err != nil {
		t.Fatal(err)
	}
	o.TokenFile, o.CertFile, o.KeyFile = "", filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	put(t, o.CertFile, leaf.CertPEM)
	put(t, o.KeyFile, leaf.KeyPEM)
	start(t, dir, o)
	in := cp.next(t)
	if in.peer == nil {
		t.Fatal("the stream brought no client certificate")
	}
	if id, err := ca.IdentityOf(in.peer); err != nil || id != buyer || in.token != "" {
		t.Errorf("the stream is of %q (%v), token %q", id, err, in.token)
	}
}

// A server with a certificate of another authority, or of another name, gets no
// stream and so no token.
func TestTokenGoesToThePinnedServerOnly(t *testing.T) {
	for name, change := range map[string]func(*bootstrap.Options){
		"another authority": func(o *bootstrap.Options) { o.CA = authority(t).Roots() },
		"another name":      func(o *bootstrap.Options) { o.ServerName = "meshc.meshc-system" },
	} {
		t.Run(name, func(t *testing.T) {
			dir, a := t.TempDir(), authority(t)
			cp, addr := serve(t, a)
			o := local(t, dir, addr, a)
			change(&o)
			start(t, dir, o)
			failed := waitStat(t, o, "cluster.meshc-xds.ssl.fail_verify_")
			select {
			case in := <-cp.calls:
				t.Fatalf("an unproven server got the token %q", in.token)
			default:
				t.Logf("refused: %s", failed)
			}
		})
	}
}

// waitStat polls Envoy's own statistics until one of that prefix is above 0.
func waitStat(t *testing.T, o bootstrap.Options, prefix string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		_, body := fetch("GET", fmt.Sprintf("http://%s/stats?filter=%s", o.Admin, prefix))
		for line := range strings.Lines(body) {
			if line = strings.TrimSpace(line); strings.HasPrefix(line, prefix) && !strings.HasSuffix(line, ": 0") {
				return line
			}
		}
	}
	t.Fatalf("no %s* was counted", prefix)
	return ""
}

func TestMetricsPortShowsMetricsOnly(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	cp, addr := serve(t, a)
	o := local(t, dir, addr, a)
	start(t, dir, o)
	cp.next(t)
	waitStat(t, o, "listener_manager.workers_started")
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		base := fmt.Sprintf("http://%s:%d", host, o.MetricsPort)
		if code, body := fetch("GET", base+"/stats/prometheus"); code != 200 || !strings.Contains(body, "envoy_server_live") {
			t.Errorf("%s: Prometheus gets %d %.80s", host, code, body)
		}
		for _, probe := range [][2]string{{"GET", "/config_dump"}, {"GET", "/"}, {"POST", "/quitquitquit"}, {"POST", "/stats/prometheus"}, {"GET", "/stats/prometheus/../../config_dump"}, {"GET", "/certs"}} {
			if code, body := fetch(probe[0], base+probe[1]); code != 404 {
				t.Errorf("%s: whoever reaches the metrics port gets %s %s: %d %.80s", host, probe[0], probe[1], code, body)
			}
		}
	}
}

func fetch(method, url string) (int, string) {
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// People write `meshc token create > token`, which ends in a newline.
func TestTokenFileMayEndInANewline(t *testing.T) {
	dir, a := t.TempDir(), authority(t)
	cp, addr := serve(t, a)
	o := local(t, dir, addr, a)
	put(t, o.TokenFile, []byte("line\n"))
	start(t, dir, o)
	if in := cp.next(t); in.token != "line" {
		t.Errorf("the stream brought %q", in.token)
	}
}
