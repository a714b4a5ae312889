package server_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/link"
	"github.com/meshc/meshc/xds/server"
)

// leafOf decodes the certificate in a response of secrets.
func leafOf(t *testing.T, r *discovery.DeltaDiscoveryResponse) *x509.Certificate {
	t.Helper()
	for _, res := range r.GetResources() {
		var s tlsv3.Secret
		must(t, res.GetResource().UnmarshalTo(&s))
		if s.GetName() != "identity" {
			continue
		}
		block, _ := pem.Decode(s.GetTlsCertificate().GetCertificateChain().GetInlineBytes())
		cert, err := x509.ParseCertificate(block.Bytes)
		must(t, err)
		return cert
	}
	t.Fatalf("no certificate in %s", shown(r))
	return nil
}

// A proxy is given a certificate of its own identity, and of no other.
func TestProxyGetsItsOwnCertificate(t *testing.T) {
	c := served(t)
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.subscribe(link.Secret, "identity", "roots")
	r := p.next(link.Secret)
	if got := leafOf(t, r).URIs[0].String(); got != string(id("shop/buyer")) {
		t.Errorf("the certificate is for %s", got)
	}
	if v := versions(r)["identity"]; strings.Count(v, ".") != 2 {
		t.Errorf("the certificate's version is %q, want ISSUER.NOTAFTER.SERIAL", v)
	}
	p.ack(r)
	p.subscribe(link.Secret, "shop/a", "spiffe://cluster.local/ns/shop/sa/a")
	if r := p.next(link.Secret); len(r.GetResources()) != 0 {
		t.Errorf("a proxy was sent %s", shown(r))
	}
}

// A leaf that the proxy still has is left alone, also by a server that did not
// issue it; one of another issuer is replaced; and a proxy that lost it gets a new one.
func TestReportedLeaf(t *testing.T) {
	c := served(t)
	p := c.connect("shop/buyer", "shop/buyer-0")
	has := p.boot("shop/a")[link.Secret]

	other := c.sibling()
	other.server.Set(c.server.World().Bundle(), c.server.World().Snapshot())
	p = other.connect("shop/buyer", "shop/buyer-0")
	p.back(link.Secret, has, "identity", "roots")
	p.quiet()
	p.subscribe(link.Secret, "identity") // it asks again, so it does not have it any more
	r := p.next(link.Secret)
	leafOf(t, r)
	if versions(r)["identity"] == has["identity"] {
		t.Error("a leaf was sent under the version of one whose key nobody has")
	}

	p = other.connect("shop/buyer", "shop/buyer-0")
	p.back(link.Secret, map[string]string{"identity": "0123456789abcdef.99999999999.ff", "roots": has["roots"]}, "identity", "roots")
	r = p.next(link.Secret)
	wantNames(t, r, "identity")
}

// A leaf is renewed before half of its life is over.
func TestLeafIsRenewed(t *testing.T) {
	c := served(t, func(o *server.Options) {
		i := &issuers{}
		i.set(o.Authority.(*ca.Authority), o.Authority.Roots())
		o.Authority = i
	})
	p := c.connect("shop/buyer", "shop/buyer-0")
	first := p.boot("shop/a")[link.Secret]["identity"]
	seen := map[string]bool{first: true}
	for range 3 {
		r := p.next(link.Secret)
		wantNames(t, r, "identity")
		v := versions(r)["identity"]
		if seen[v] {
			t.Fatalf("the leaf %s was sent again", v)
		}
		seen[v] = true
		p.ack(r)
	}
}

// flaky is an issuer that fails at first.
type flaky struct {
	ca.Issuer
	failures atomic.Int32
}

func (f *flaky) Issue(id ir.Identity, ttl time.Duration) (ca.Leaf, error) {
	if f.failures.Add(-1) >= 0 {
		return ca.Leaf{}, errors.New("the key store is away")
	}
	return f.Issuer.Issue(id, ttl)
}

// An issuer that fails holds up the certificate and nothing else, and is asked again.
func TestIssuerThatFailsIsAskedAgain(t *testing.T) {
	c := served(t, func(o *server.Options) {
		f := &flaky{Issuer: o.Authority}
		f.failures.Store(1)
		o.Authority = f
	})
	p := c.connect("shop/buyer", "shop/buyer-0")
	p.subscribe(link.Secret, "identity", "roots")
	r := p.next(link.Secret)
	wantNames(t, r, "roots")
	p.ack(r)
	p.quiet()
	leafOf(t, p.next(link.Secret))
}

// Who copied a leaf may open streams with it for as long as it lives, but must
// not get one that lives longer: else a revoked token's machine goes on for ever.
func TestCertificateStreamGivesNoLeafThatOutlivesItsCertificate(t *testing.T) {
	c := served(t)
	opened, err := c.ca.Issue(id("shop/buyer"), time.Hour)
	must(t, err)
	cert, err := opened.TLS()
	must(t, err)
	p := c.open(c.dial(&cert), "")
	p.subscribe(link.Secret, "identity")
	if got := leafOf(t, p.next(link.Secret)).NotAfter; got.After(opened.NotAfter) {
		t.Errorf("the stream's certificate ends at %s, the leaf it was given at %s", opened.NotAfter, got)
	}
}
