package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/test/fuzz/guard"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// raw sends bytes as they are, as a client can that keeps to no format.
type raw struct{}

func (raw) Name() string                       { return "proto" }
func (raw) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

// messages takes a fuzzer's input apart: two bytes of length before each message.
func messages(in []byte) [][]byte {
	var out [][]byte
	for len(in) >= 2 && len(out) < 24 {
		n := min(int(binary.BigEndian.Uint16(in)), len(in)-2)
		out = append(out, in[2:2+n])
		in = in[2+n:]
	}
	return out
}

func joined[M proto.Message](t testing.TB, all ...M) []byte {
	t.Helper()
	var out []byte
	for _, m := range all {
		body, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(body))), body...)
	}
	return out
}

// curious asks for everything that is not its own, in either protocol.
func curious(t testing.TB) (delta, whole [][]byte) {
	names := []string{"*", "outbound/shop/web:18080", "outbound/shop/secret:18080", "shop/secret:18080", "inbound/shop/secret:18080",
		"identity", "roots", "spiffe://cluster.local/ns/shop/sa/secret", "shop/secret", "", "inbound", "outbound"}
	node := &corev3.Node{Id: "shop/secret-0", Cluster: "shop/secret"}
	refused := &rpcstatus.Status{Code: 13, Message: "no"}
	var ds []*discovery.DeltaDiscoveryRequest
	var ws []*discovery.DiscoveryRequest
	for typ := range link.Types {
		url := link.Type(typ).URL()
		ds = append(ds, &discovery.DeltaDiscoveryRequest{Node: node, TypeUrl: url, ResourceNamesSubscribe: names})
		ws = append(ws, &discovery.DiscoveryRequest{Node: node, TypeUrl: url, ResourceNames: names})
		delta = append(delta, joined(t,
			&discovery.DeltaDiscoveryRequest{TypeUrl: url, InitialResourceVersions: map[string]string{"shop/secret:18080": "1", "identity": "2"}},
			&discovery.DeltaDiscoveryRequest{TypeUrl: url, ResponseNonce: "1", ErrorDetail: refused},
			&discovery.DeltaDiscoveryRequest{TypeUrl: url, ResponseNonce: "1", ResourceNamesUnsubscribe: names, ResourceNamesSubscribe: names[3:]},
		))
		whole = append(whole, joined(t,
			&discovery.DiscoveryRequest{TypeUrl: url, VersionInfo: "1", ResourceNames: names[2:4]},
			&discovery.DiscoveryRequest{TypeUrl: url, VersionInfo: "1", ResponseNonce: "1", ErrorDetail: refused},
			&discovery.DiscoveryRequest{TypeUrl: url, ResponseNonce: "2", ResourceNames: names},
		))
	}
	return append(delta, joined(t, ds...)), append(whole, joined(t, ws...))
}

// listening is a control plane on loopback, a connection to it, and a token of
// shop/buyer.
func listening(f *testing.F) (*server.Server, *grpc.ClientConn, string) {
	f.Helper()
	dir := f.TempDir()
	authority, err := ca.Open(dir, ca.Options{})
	must(f, err)
	tokens, err := token.Open(dir, token.Options{})
	must(f, err)
	s, err := server.New(server.Options{Authority: authority, Certificate: authority.GetCertificate([]string{"127.0.0.1"}), Tokens: tokens, AckTimeout: 50 * time.Millisecond})
	must(f, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(f, err)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	f.Cleanup(func() { s.Close(); <-done })
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: authority.Pool()})))
	must(f, err)
	f.Cleanup(func() { _ = conn.Close() })
	pass, _, err := tokens.Create(id("shop/buyer"), "shop/buyer-0", 24*time.Hour)
	must(f, err)
	return s, conn, pass
}

// Whatever a proxy with a good token sends: the control plane stays up, answers
// an honest question after it or ends the stream, and sends nothing of services
// that the proxy may not call and no certificate but the proxy's own.
func FuzzRequests(f *testing.F) {
	c, conn, pass := listening(f)
	s := spec{services: []svc{{name: "shop/web"}, {name: "shop/secret"}}, calls: map[string][]string{"shop/buyer": {"shop/web"}}}
	c.Set(s.build(f), snapshot([]runs{
		{name: "shop/web", vip: "10.0.0.1", endpoints: []string{"10.1.0.1:8080"}},
		{name: "shop/secret", vip: "10.0.0.2", endpoints: []string{"10.1.0.2:8080"}},
	}, buyer))
	delta, whole := curious(f)
	for _, in := range delta {
		f.Add(false, in)
	}
	for _, in := range whole {
		f.Add(true, in)
	}
	f.Add(false, []byte("\x00\x03\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, whole bool, in []byte) {
		guard.Run(t, 256<<20, func() {
			ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "authorization", pass), time.Minute)
			defer cancel()
			method := "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
			if whole {
				method = strings.Replace(method, "Delta", "Stream", 1)
			}
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, method, grpc.ForceCodec(raw{}))
			if err != nil {
				t.Fatalf("the control plane takes no streams any more: %v", err)
			}
			for _, m := range messages(in) {
				if stream.SendMsg(m) != nil {
					break // the stream was ended; the reason is received
				}
			}
			h := &honest{stream: stream, whole: whole, permitted: func(url string, body []byte) error {
				return permitted("shop/buyer", []string{"shop/secret", "10.1.0.2", "10.0.0.2"}, url, body)
			}}
			if err := h.ask(); err != nil {
				t.Fatal(err)
			}
			if ctx.Err() != nil {
				t.Fatal("an honest question was not answered within a minute, and the stream was not ended")
			}
		})
	})
}

// honest is a client on a stream on which anything may have been sent before.
type honest struct {
	stream    grpc.ClientStream
	whole     bool
	asked     int
	rounds    int // how often the question is put before its answer counts; 0 is once
	permitted func(url string, body []byte) error
}

// ask puts a question of its own and reads until it is answered or the stream
// ends. The error says what was sent that is not for this proxy.
func (h *honest) ask() error {
	h.probe("")
	for {
		var body []byte
		if err := h.stream.RecvMsg(&body); err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("the stream ended without a reason")
			}
			return nil // a reason was given
		}
		receive := h.delta
		if h.whole {
			receive = h.state
		}
		if answered, err := receive(body); err != nil || answered {
			return err
		}
	}
}

// probe asks for a cluster that nobody has.
func (h *honest) probe(nonce string) {
	name := fmt.Sprintf("probe-%d", h.asked)
	h.asked++
	if h.whole {
		h.send(&discovery.DiscoveryRequest{TypeUrl: link.Cluster.URL(), ResourceNames: []string{name}, ResponseNonce: nonce})
	} else {
		h.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Cluster.URL(), ResourceNamesSubscribe: []string{name}})
	}
}

func (h *honest) send(m proto.Message) {
	if body, err := proto.Marshal(m); err == nil {
		_ = h.stream.SendMsg(body) // an ended stream says so when it is read
	}
}

// delta judges a response and accepts it; the answer names the probe.
func (h *honest) delta(body []byte) (answered bool, err error) {
	var r discovery.DeltaDiscoveryResponse
	if err := proto.Unmarshal(body, &r); err != nil {
		return false, err
	}
	for _, v := range r.GetResources() {
		if err := h.permitted(r.GetTypeUrl(), v.GetResource().GetValue()); err != nil {
			return false, err
		}
	}
	h.send(&discovery.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()})
	if !slices.Contains(r.GetRemovedResources(), fmt.Sprintf("probe-%d", h.asked-1)) {
		return false, nil
	}
	if h.asked < h.rounds {
		h.probe("") // what waited for an answer comes before the next
		return false, nil
	}
	return true, nil
}

// state judges a response. Whole states do not name what is not there, and a
// request with an old nonce is passed over: the first state may be what was asked
// for before, and gives the nonce for a question that is answered for certain.
func (h *honest) state(body []byte) (answered bool, err error) {
	var r discovery.DiscoveryResponse
	if err := proto.Unmarshal(body, &r); err != nil {
		return false, err
	}
	for _, v := range r.GetResources() {
		if err := h.permitted(r.GetTypeUrl(), v.GetValue()); err != nil {
			return false, err
		}
	}
	if r.GetTypeUrl() != link.Cluster.URL() {
		return false, nil
	}
	h.probe(r.GetNonce())
	return h.asked > max(2, h.rounds), nil
}

// permitted says what of a resource is not for an identity, which may not hear of
// others: words that name them.
func permitted(own string, others []string, url string, body []byte) error {
	for _, word := range others {
		if bytes.Contains(body, []byte(word)) {
			return fmt.Errorf("a resource of %s tells %s of %s: %q", url, own, word, body)
		}
	}
	if url != link.Secret.URL() {
		return nil
	}
	var s tlsv3.Secret
	if err := proto.Unmarshal(body, &s); err != nil || s.GetTlsCertificate() == nil {
		return err
	}
	block, _ := pem.Decode(s.GetTlsCertificate().GetCertificateChain().GetInlineBytes())
	if block == nil {
		return fmt.Errorf("the secret %q holds no certificate", s.GetName())
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != string(id(own)) || leaf.IsCA {
		return fmt.Errorf("%s was sent a certificate of %v", own, leaf.URIs)
	}
	return nil
}
