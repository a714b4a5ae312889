package server_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	secretv3 "github.com/envoyproxy/go-control-plane/envoy/service/secret/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// served is a control plane that serves shop/a to shop/buyer.
func served(t *testing.T, change ...func(*server.Options)) *control {
	t.Helper()
	c := newControl(t, change...)
	c.server.Set(shop(t, nil, "shop/a"), snapshot(shopSnapshot(), buyer))
	return c
}

// refusedWith opens a stream that must be refused for a reason.
func (c *control) refusedWith(to discovery.AggregatedDiscoveryServiceClient, authorization string, code codes.Code, reason string) {
	c.t.Helper()
	err := c.open(to, authorization).ended()
	if status.Code(err) != code || !strings.Contains(err.Error(), reason) {
		c.t.Errorf("the stream ended with %v, want %s: %s", err, code, reason)
	}
}

func certificate(t *testing.T, a *ca.Authority, identity string) *tls.Certificate {
	t.Helper()
	leaf, err := a.Issue(id(identity), 0)
	must(t, err)
	cert, err := leaf.TLS()
	must(t, err)
	return &cert
}

// A stream counts by its token, as a file holds it or as a bearer.
func TestTokenIsTaken(t *testing.T) {
	c := served(t)
	raw := c.token("shop/buyer", "shop/buyer-0")
	for _, form := range []string{raw, "Bearer " + raw, "bearer " + raw} {
		c.open(c.dial(nil), form).boot("shop/a")
	}
}

// A client certificate of this mesh stands for its identity's only role.
func TestCertificateIsTaken(t *testing.T) {
	c := served(t)
	p := c.open(c.dial(certificate(t, c.ca, "shop/buyer")), "")
	p.boot("shop/a")
	if got := buyerStatus(t, c); got.Credential != "certificate" || got.Identity != string(id("shop/buyer")) {
		t.Errorf("status shows %+v", got)
	}
}

// What a proxy may have hangs on its transport alone.
func TestRefusedStreams(t *testing.T) {
	c := served(t)
	raw := c.token("shop/buyer", "shop/buyer-0")
	for name, r := range map[string]struct {
		authorization, reason string
		code                  codes.Code
	}{
		"nothing":            {"", "neither a join token nor a client certificate", codes.Unauthenticated},
		"garbage":            {"let me in", "not a join token", codes.Unauthenticated},
		"a changed token":    {raw[:len(raw)-4] + "AAAA", "not signed by this control plane", codes.Unauthenticated},
		"unknown identity":   {c.token("shop/nobody", ""), "identity spiffe://cluster.local/ns/shop/sa/nobody is not in the bundle", codes.PermissionDenied},
		"another's workload": {c.token("shop/buyer", "shop/a-0"), "is of identity", codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) { c.refusedWith(c.dial(nil), r.authorization, r.code, r.reason) })
	}
	if got := c.server.Status().Rejected; len(got) != 5 {
		t.Errorf("status shows %d refused streams, want 5: %+v", len(got), got)
	}
}

// Two credentials leave open which one counts: none does.
func TestTwoAuthorizationsAreRefused(t *testing.T) {
	c := served(t)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", c.token("shop/buyer", ""), "authorization", c.token("shop/a", ""))
	s, err := c.dial(nil).DeltaAggregatedResources(ctx)
	must(t, err)
	if _, err := s.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("got %v", err)
	}
}

// A certificate that another authority made does not get through the handshake.
func TestForeignCertificateIsRefused(t *testing.T) {
	c := served(t)
	other, err := ca.Open(t.TempDir(), ca.Options{})
	must(t, err)
	s, err := c.dial(certificate(t, other, "shop/buyer")).DeltaAggregatedResources(t.Context())
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
}

// An identity with several roles and a credential that names no workload: which
// of them the proxy is cannot be guessed.
func TestSeveralRolesNeedAWorkload(t *testing.T) {
	c := newControl(t)
	s := spec{services: []svc{{name: "shop/a"}, {name: "shop/b"}}}
	b := s.build(t)
	b.Plan.Roles[1].Identity = id("shop/a") // shop/a runs pods of either service
	c.server.Set(b, snapshot(shopSnapshot()[:2]))
	c.refusedWith(c.dial(nil), c.token("shop/a", ""), codes.PermissionDenied, "has 2 roles and the credential names no workload")
	c.refusedWith(c.dial(certificate(t, c.ca, "shop/a")), "", codes.PermissionDenied, "has 2 roles and the credential names no workload")
	c.connect("shop/a", "shop/a-0").subscribe(link.Listener)
}

// What a client calls itself is a hint: it is served what its token says.
func TestNodeIsNoIdentity(t *testing.T) {
	c := served(t)
	p := c.connect("shop/b", "") // not in the bundle
	if err := p.ended(); status.Code(err) != codes.PermissionDenied {
		t.Fatal(err)
	}
	p = c.connect("shop/a", "shop/a-0")
	p.send(&discovery.DeltaDiscoveryRequest{TypeUrl: link.Listener.URL(), Node: &corev3.Node{Id: "shop/buyer-0", Cluster: "shop/buyer"}})
	wantNames(t, p.next(link.Listener), "inbound", "outbound")
}

// A revoked token ends the streams that it opened.
func TestRevokedTokenEndsItsStream(t *testing.T) {
	c := served(t)
	raw, claims, err := c.tokens.Create(id("shop/buyer"), "shop/buyer-0", time.Hour)
	must(t, err)
	p := c.open(c.dial(nil), raw)
	p.boot("shop/a")
	_, err = c.tokens.Revoke(claims.ID)
	must(t, err)
	if err := p.ended(); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("the stream ended with %v", err)
	}
	c.refusedWith(c.dial(nil), raw, codes.Unauthenticated, "revoked")
}

// brief is a verifier whose tokens end soon.
type brief struct{ until time.Time }

func (b brief) Verify(string, time.Time) (token.Claims, error) {
	return token.Claims{Identity: ir.Identity(id("shop/buyer")), Expires: b.until}, nil
}

func (b brief) Revoked(token.Claims) (bool, error) { return false, nil }

// A stream lives no longer than the token it was opened with.
func TestExpiredTokenEndsItsStream(t *testing.T) {
	until := time.Now().Add(300 * time.Millisecond)
	c := served(t, func(o *server.Options) { o.Tokens, o.Recheck = brief{until}, time.Hour })
	p := c.open(c.dial(nil), "anything")
	p.boot("shop/a")
	if err := p.ended(); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the stream ended with %v", err)
	}
	if time.Now().Before(until) {
		t.Error("the stream ended early")
	}
}

// Nothing is served in plain, and no service beside the aggregated one is there:
// each would be one more door to guard.
func TestOnlyAggregatedDiscoveryOverTLS(t *testing.T) {
	c := served(t)
	plain, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer plain.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := discovery.NewAggregatedDiscoveryServiceClient(plain).DeltaAggregatedResources(ctx)
	if err == nil {
		_, err = s.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("in plain: %v", err)
	}
	secure, err := grpc.NewClient(c.address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: c.ca.Pool()})))
	must(t, err)
	defer secure.Close()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", c.token("shop/buyer", ""))
	if _, err := secretv3.NewSecretDiscoveryServiceClient(secure).FetchSecrets(ctx, &discovery.DiscoveryRequest{}); status.Code(err) != codes.Unimplemented {
		t.Errorf("secrets outside of the aggregated service: %v", err)
	}
}

// The server's own certificate is for it alone: it has no identity of the mesh.
func TestServerCertificateHasNoIdentity(t *testing.T) {
	c := served(t)
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{RootCAs: c.ca.Pool(), NextProtos: []string{"h2"}}}).DialContext(t.Context(), "tcp", c.address)
	must(t, err)
	defer conn.Close()
	var leaf *x509.Certificate = conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
	if len(leaf.URIs) != 0 {
		t.Errorf("it is for %v", leaf.URIs)
	}
}

// A proxy whose token ended tries again for ever: it must not push the refusals
// of all others out of what operators see.
func TestRepeatedRefusalsAreOneEntry(t *testing.T) {
	c := served(t)
	conn := c.dial(nil)
	c.refusedWith(conn, "", codes.Unauthenticated, "neither")
	for range 40 {
		c.refusedWith(conn, "no token", codes.Unauthenticated, "not a join token")
	}
	got := c.server.Status().Rejected
	if len(got) != 2 || got[0].Times != 1 || got[1].Times != 40 || !strings.Contains(got[1].Reason, "not a join token") {
		t.Errorf("status shows %+v", got)
	}
}
