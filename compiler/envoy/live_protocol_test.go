package envoy_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/meshc/meshc/compiler/ir"
)

// priorKnowledge is an HTTP/2 client without TLS.
func priorKnowledge() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: protocols}
}

// http2 sends a request by HTTP/2 prior knowledge.
func (w *world) http2(at netip.AddrPort, method, path string) (int, string, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://"+at.String()+path, nil)
	must(w.t, err)
	tr := priorKnowledge()
	defer tr.CloseIdleConnections()
	resp, err := tr.RoundTrip(req)
	must(w.t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, resp.Proto, string(body)
}

func TestBothHTTPVersionsAndWebSocketShareAPort(t *testing.T) {
	m := shop()
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer, thief := w.client("shop/buyer"), w.client("shop/thief")
	at := buyer.vip("shop/books", 80)

	if got := w.request(at, "GET", "/books"); got.status != 200 || got.seen.Proto != "HTTP/1.1" {
		t.Errorf("HTTP/1.1 arrived as %s, %d %q", got.seen.Proto, got.status, got.body)
	}
	code, proto, body := w.http2(at, "GET", "/books")
	if code != 200 || proto != "HTTP/2.0" || !strings.Contains(body, `"proto":"HTTP/2.0"`) {
		t.Errorf("HTTP/2 was answered %d by %s: %s", code, proto, body)
	}
	if code, _, body := w.http2(at, "POST", "/books"); code != 403 || !strings.HasPrefix(body, "no grant lets") {
		t.Errorf("a denied HTTP/2 call was answered %d %q", code, body)
	}
	if code, _, body := w.http2(thief.unknown, "GET", "/books"); code != 403 || !strings.HasPrefix(body, "no grant from shop/thief to ") {
		t.Errorf("HTTP/2 to an unknown address was answered %d %q", code, body)
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+at.String()+"/books", nil)
	must(t, err)
	must(t, ws.Write(ctx, websocket.MessageText, []byte("hi")))
	_, data, err := ws.Read(ctx)
	if err != nil || string(data) != "echo hi" {
		t.Errorf("WebSocket answered %q, %v", data, err)
	}
	if _, resp, err := websocket.Dial(ctx, "ws://"+at.String()+"/admin", nil); err == nil || resp.StatusCode != 403 {
		t.Errorf("a denied WebSocket was answered %v %v", resp, err)
	}
}

func TestStreamsEndWhenTheirTimeIsOver(t *testing.T) {
	m := shop()
	m.Settings.MaxStreamDuration = 300 * time.Millisecond
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, "ws://"+buyer.vip("shop/books", 80).String()+"/books", nil)
	must(t, err)
	if _, _, err := ws.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the stream outlived maxStreamDuration: %v", err)
	}
}

func TestGRPCIsRefusedInItsOwnWords(t *testing.T) {
	m := strictMesh()
	addService(m, "shop/api", ir.Port{Number: 80, Name: "grpc", Protocol: ir.GRPC, TargetPort: 9000})
	addClients(m, "shop/buyer", "shop/thief")
	grant(m, "TrafficTarget/shop/api#rule0", "shop/api", []ir.Match{match("^(?:/grpc.health.v1.Health/Check).*$", nil)}, "shop/buyer")
	w := newWorld(t, m)
	w.serve("shop/api", grpcApp(t))
	buyer, thief := w.client("shop/buyer"), w.client("shop/thief")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	client := dialGRPC(t, buyer.vip("shop/api", 80))
	if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Errorf("a granted call: %v", err)
	}
	_, err := client.List(ctx, &grpc_health_v1.HealthListRequest{})
	if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.HasPrefix(s.Message(), "no grant lets "+string(account("shop/buyer"))) {
		t.Errorf("a method without a grant: %v", err)
	}
	_, err = dialGRPC(t, thief.unknown).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if s := status.Convert(err); s.Code() != codes.PermissionDenied || !strings.HasPrefix(s.Message(), "no grant from shop/thief to ") {
		t.Errorf("an address without a grant: %v", err)
	}
}

func grpcApp(t *testing.T) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return netip.MustParseAddrPort(l.Addr().String())
}

func dialGRPC(t *testing.T, at netip.AddrPort) grpc_health_v1.HealthClient {
	t.Helper()
	c, err := grpc.NewClient(at.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return grpc_health_v1.NewHealthClient(c)
}

func TestUnknownAddressesCloseWhatIsNotHTTP(t *testing.T) {
	w := newWorld(t, shop())
	thief := w.client("shop/thief")
	if got := w.dial(thief.unknown).everything(); got != "" && !strings.HasPrefix(got, "HTTP/1.1 408") {
		t.Errorf("a silent client was told %q", got)
	}
	c := w.dial(thief.unknown)
	_, err := c.Write([]byte{0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0, 0, 1, 0})
	must(t, err)
	if got := c.everything(); got != "" && !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("a TLS client was told %q", got)
	}
}

func TestIPv6(t *testing.T) {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip("this machine has no IPv6 loopback")
	}
	_ = l.Close()
	m := shop()
	addService(m, "db/mysql", tcpPort(ir.TCP))
	grant(m, "TrafficTarget/db/mysql#rule0", "db/mysql", nil, "shop/buyer")
	w := newWorldAt(t, m, "::1")
	w.serve("shop/books", httpAppAt(t, "books", "[::1]:0"))
	w.serve("db/mysql", tcpApp(t, "mysql", ""))
	buyer := w.client("shop/buyer")
	if got := buyer.call("shop/books", "GET", "/books"); got.status != 200 {
		t.Errorf("HTTP over IPv6 was answered %d %q", got.status, got.body)
	}
	if got := w.dial(buyer.vip("db/mysql", 3306)).say("x"); got != "mysql x" {
		t.Errorf("TCP over IPv6 was answered %q", got)
	}
	if got := w.request(buyer.unknown, "GET", "/"); got.status != 403 || !strings.Contains(got.body, "to [::1]:") {
		t.Errorf("an unknown IPv6 address was answered %d %q", got.status, got.body)
	}
}

// A certificate of the mesh is not enough to be a service: the client's proxy
// knows whose it must be.
func TestServersMustBeWhoIsKnownBehindTheService(t *testing.T) {
	m := shop()
	addService(m, "shop/imposter", httpPort())
	grant(m, "TrafficTarget/shop/imposter#rule0", "shop/imposter", nil, "shop/buyer")
	w := newWorld(t, m)
	w.serve("shop/imposter", httpApp(t, "imposter"))
	w.servers[portID("shop/books", 80)] = w.servers[portID("shop/imposter", 80)]
	buyer := w.client("shop/buyer")
	if got := buyer.call("shop/imposter", "GET", "/books"); got.status != 200 {
		t.Fatalf("the imposter under its own name was answered %d", got.status)
	}
	if got := buyer.call("shop/books", "GET", "/books"); got.status != 503 {
		t.Errorf("an endpoint of another account was believed: %d %q", got.status, got.body)
	}
	line := buyer.logged("why", func(m map[string]any) bool { return m["status"] == 503.0 })
	if why, _ := line["upstream_error"].(string); !strings.Contains(why, "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("the access log does not say why: %v", line)
	}
}

func TestAStrangerWithoutACertificateGetsNothing(t *testing.T) {
	w := newWorld(t, shop())
	books := w.serve("shop/books", httpApp(t, "books"))
	c := w.dial(books.inbound[0])
	_, _ = io.WriteString(c, "GET /books HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := c.everything(); got != "" {
		t.Errorf("a plain client was told %q", got)
	}
	books.logged("the refusal", func(m map[string]any) bool { return m["chain"] == "inbound/denied" && m["meshc"] == "tcp" })
	conn, err := net.Dial("tcp", books.inbound[0].String())
	must(t, err)
	if got := w.line(tls.Client(conn, &tls.Config{InsecureSkipVerify: true})).say("GET /books HTTP/1.1\r\nHost: x\r\n"); got != "closed" {
		t.Errorf("a TLS client without a certificate was told %q", got)
	}
}
