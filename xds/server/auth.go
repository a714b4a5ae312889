package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// credential is how a stream proved who it is. It is judged again while the
// stream lives.
type credential struct {
	proxy   cache.Proxy
	kind    string // token or certificate
	expires time.Time
	revoked func() (bool, error)
}

// void says why a credential no longer counts, empty while it does.
func (c credential) void(now time.Time) string {
	if !now.Before(c.expires) {
		return "the " + c.kind + " has expired: connect again with a new one"
	}
	if c.revoked == nil {
		return ""
	}
	if revoked, err := c.revoked(); err != nil || revoked {
		// A list that cannot be read could hold this token: new streams are refused
		// by Verify, running ones stay, for closing them all would be an outage.
		if err != nil {
			return ""
		}
		return "the " + c.kind + " is revoked"
	}
	return ""
}

// byCertificateKind is the kind of a stream that its client certificate opened.
const byCertificateKind = "certificate"

// life is how long a leaf for this credential may live, at most ttl (0: the
// issuer's own). What a certificate opened gives no leaf that outlives it: who
// copied a leaf could otherwise live on it for ever, and revoking the token it
// was issued for would revoke nothing.
func (c credential) life(now time.Time, ttl time.Duration) time.Duration {
	left := c.expires.Sub(now)
	if c.kind == byCertificateKind && (ttl == 0 || left < ttl) {
		return left
	}
	return ttl
}

// last tells whether no leaf can follow one that ends then.
func (c credential) last(ends time.Time) bool {
	return c.kind == byCertificateKind && !ends.Before(c.expires.Add(-time.Second))
}

// tlsConfig takes client certificates of our own roots, and clients without one,
// who then need a token.
func (s *Server) tlsConfig() *tls.Config {
	base := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: s.opts.Certificate,
		NextProtos:     []string{"h2"},
		ClientAuth:     tls.VerifyClientCertIfGiven,
	}
	out := base.Clone()
	// The roots may change while the server runs.
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := base.Clone()
		c.ClientCAs = x509.NewCertPool()
		c.ClientCAs.AppendCertsFromPEM(s.opts.Authority.Roots())
		return c, nil
	}
	return out
}

// authenticate judges a stream by its transport: the token in its metadata, else
// its client certificate. Node fields are never looked at.
func (s *Server) authenticate(ctx context.Context) (credential, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return credential{}, refusal("the stream has no peer")
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	if !ok {
		return credential{}, refusal("the stream does not come over TLS")
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if raw := md.Get("authorization"); len(raw) > 0 {
		return s.byToken(raw)
	}
	if chains := info.State.VerifiedChains; len(chains) > 0 {
		return byCertificate(chains[0][0])
	}
	return credential{}, refusal("the stream has neither a join token nor a client certificate")
}

func (s *Server) byToken(raw []string) (credential, error) {
	if s.opts.Tokens == nil {
		return credential{}, refusal("join tokens are not accepted here")
	}
	if len(raw) != 1 {
		return credential{}, refusal("the stream has more than one authorization")
	}
	t := raw[0]
	if len(t) > 7 && strings.EqualFold(t[:7], "bearer ") {
		t = t[7:]
	}
	// Files end in a line feed, and Envoy sends a token's file as it is.
	claims, err := s.opts.Tokens.Verify(strings.TrimSpace(t), s.opts.Now())
	if err != nil {
		return credential{}, err
	}
	return credential{
		proxy: cache.Proxy{Identity: claims.Identity, Workload: claims.Workload}, kind: "token", expires: claims.Expires,
		revoked: func() (bool, error) { return s.opts.Tokens.Revoked(claims) },
	}, nil
}

func byCertificate(leaf *x509.Certificate) (credential, error) {
	id, err := ca.IdentityOf(leaf)
	if err != nil {
		return credential{}, err
	}
	return credential{proxy: cache.Proxy{Identity: id}, kind: byCertificateKind, expires: leaf.NotAfter}, nil
}

func refusal(reason string) error { return &link.Refusal{Reason: reason} }
