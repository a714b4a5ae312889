package server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

const patience = 10 * time.Second

func exactURI(uri string) *tlsv3.SubjectAltNameMatcher {
	return &tlsv3.SubjectAltNameMatcher{SanType: tlsv3.SubjectAltNameMatcher_URI,
		Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: uri}}}
}

// control is a control plane on loopback.
type control struct {
	t       *testing.T
	server  *server.Server
	ca      *ca.Authority
	tokens  *token.Store
	address string
}

func newControl(t *testing.T, change ...func(*server.Options)) *control {
	t.Helper()
	dir := t.TempDir()
	authority, err := ca.Open(dir, ca.Options{})
	must(t, err)
	tokens, err := token.Open(dir, token.Options{})
	must(t, err)
	opts := server.Options{
		Authority: authority, Certificate: authority.GetCertificate([]string{"127.0.0.1"}), Tokens: tokens,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), Recheck: 20 * time.Millisecond,
	}
	for _, c := range change {
		c(&opts)
	}
	s, err := server.New(opts)
	must(t, err)
	c := &control{t: t, server: s, ca: authority, tokens: tokens}
	c.address = c.listen("127.0.0.1:0")
	return c
}

// sibling is another control plane with the same state, as a replica or a restart is.
func (c *control) sibling(change ...func(*server.Options)) *control {
	c.t.Helper()
	same := func(o *server.Options) {
		o.Authority, o.Certificate, o.Tokens = c.ca, c.ca.GetCertificate([]string{"127.0.0.1"}), c.tokens
	}
	out := newControl(c.t, append([]func(*server.Options){same}, change...)...)
	out.ca, out.tokens = c.ca, c.tokens
	return out
}

func (c *control) listen(at string) string {
	c.t.Helper()
	l, err := net.Listen("tcp", at)
	must(c.t, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = c.server.Serve(l) }()
	c.t.Cleanup(func() { c.server.Close(); <-done })
	return l.Addr().String()
}

func (c *control) token(identity, workload string) string {
	c.t.Helper()
	raw, _, err := c.tokens.Create(id(identity), workload, time.Hour)
	must(c.t, err)
	return raw
}

// dial opens a connection with a client certificate if one is given.
func (c *control) dial(cert *tls.Certificate) discovery.AggregatedDiscoveryServiceClient {
	c.t.Helper()
	conf := &tls.Config{RootCAs: c.ca.Pool()}
	if cert != nil {
		conf.Certificates = []tls.Certificate{*cert}
	}
	conn, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(credentials.NewTLS(conf)))
	must(c.t, err)
	c.t.Cleanup(func() { _ = conn.Close() })
	return discovery.NewAggregatedDiscoveryServiceClient(conn)
}

// client is a hand-driven delta client.
type client struct {
	t      *testing.T
	stream grpc.BidiStreamingClient[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse]
	in     chan *discovery.DeltaDiscoveryResponse
	end    chan error
	close  context.CancelFunc
	probes int
}

// connect opens a delta stream with a token.
func (c *control) connect(identity, workload string) *client {
	c.t.Helper()
	return c.open(c.dial(nil), c.token(identity, workload))
}

func (c *control) open(to discovery.AggregatedDiscoveryServiceClient, authorization string) *client {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.t.Cleanup(cancel)
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	s, err := to.DeltaAggregatedResources(ctx)
	must(c.t, err)
	out := &client{t: c.t, stream: s, in: make(chan *discovery.DeltaDiscoveryResponse, 100), end: make(chan error, 1), close: cancel}
	go func() {
		for {
			r, err := s.Recv()
			if err != nil {
				out.end <- err
				close(out.in)
				return
			}
			out.in <- r
		}
	}()
	return out
}

func (c *client) send(r *discovery.DeltaDiscoveryRequest) {
	c.t.Helper()
	must(c.t, c.stream.Send(r))
}

func (c *client) subscribe(t link.Type, names ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names})
}

// back subscribes as a client does that was connected before.
func (c *client) back(t link.Type, has map[string]string, names ...string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: t.URL(), ResourceNamesSubscribe: names, InitialResourceVersions: has})
}

func (c *client) ack(r *discovery.DeltaDiscoveryResponse) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()})
}

func (c *client) nack(r *discovery.DeltaDiscoveryResponse, why string) {
	c.t.Helper()
	c.send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(), ErrorDetail: &status.Status{Code: 3, Message: why}})
}

// next is the next response, which must be of a type.
func (c *client) next(t link.Type) *discovery.DeltaDiscoveryResponse {
	c.t.Helper()
	select {
	case r, ok := <-c.in:
		if !ok {
			c.t.Fatalf("the stream ended instead of sending %s: %v", t, <-c.end)
		}
		if r.GetTypeUrl() != t.URL() {
			c.t.Fatalf("got %s, want %s", shown(r), t)
		}
		return r
	case <-time.After(patience):
		c.t.Fatalf("no %s within %s", t, patience)
	}
	return nil
}

// quiet fails if anything is on its way: the answer to a question that is asked
// now must be the next response, for a stream keeps its order.
func (c *client) quiet() {
	c.t.Helper()
	c.probes++
	name := fmt.Sprintf("probe-%d", c.probes)
	c.subscribe(link.Secret, name)
	r := c.next(link.Secret)
	if !slices.Equal(r.GetRemovedResources(), []string{name}) || len(r.GetResources()) > 0 {
		c.t.Fatalf("got %s when nothing was to come", shown(r))
	}
	c.ack(r)
}

// ended is the reason why the stream was closed by the server.
func (c *client) ended() error {
	c.t.Helper()
	select {
	case err := <-c.end:
		return err
	case <-time.After(patience):
		c.t.Fatal("the stream stayed open")
	}
	return nil
}

func shown(r *discovery.DeltaDiscoveryResponse) string {
	t, _ := link.TypeOf(r.GetTypeUrl())
	return fmt.Sprintf("%s %v removed %v", t, names(r), r.GetRemovedResources())
}

func names(r *discovery.DeltaDiscoveryResponse) []string {
	var out []string
	for _, v := range r.GetResources() {
		out = append(out, v.GetName())
	}
	return out
}

func versions(r *discovery.DeltaDiscoveryResponse) map[string]string {
	out := map[string]string{}
	for _, v := range r.GetResources() {
		out[v.GetName()] = v.GetVersion()
	}
	return out
}

func wantNames(t *testing.T, r *discovery.DeltaDiscoveryResponse, want ...string) {
	t.Helper()
	if got := names(r); !slices.Equal(got, want) {
		t.Fatalf("got %s, want %v", shown(r), want)
	}
}
