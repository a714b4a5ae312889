package server

import (
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/xds/cache"
	"github.com/meshc/meshc/xds/link"
)

// leafKeeper gives one proxy its certificate and renews it before half of its
// life is over. The key is in memory for as long as the stream lives.
type leafKeeper struct {
	stream *stream

	mu      sync.Mutex
	timer   *time.Timer
	version string
	ends    time.Time
	stopped bool
}

// retryLeaf is how soon an issuer that failed is asked again.
const retryLeaf = 2 * time.Second

func newLeafKeeper(st *stream) *leafKeeper { return &leafKeeper{stream: st} }

// get is the session's source of certificates. A leaf that the proxy reports is
// left alone if the issuer knows it and more than half of its life is left.
func (k *leafKeeper) get(reported string) *link.Resource {
	if reported != "" {
		renew, ok := k.stream.server.opts.Authority.Keeps(reported)
		if !ok {
			return nil
		}
		k.plan(reported, time.Time{}, renew.Sub(k.stream.server.opts.Now()))
		return &link.Resource{Type: link.Secret, Name: cache.Identity, Version: reported}
	}
	s := k.stream.server
	credential := k.stream.credential
	leaf, err := s.opts.Authority.Issue(credential.proxy.Identity, credential.life(s.opts.Now(), s.opts.Leaf))
	if err != nil {
		s.metrics.leafFailures.Inc()
		k.stream.log.Error("no certificate could be issued", "error", err)
		k.plan("", time.Time{}, retryLeaf)
		return nil
	}
	s.metrics.leaves.Inc()
	in := leaf.RenewAt.Sub(s.opts.Now())
	if credential.last(leaf.NotAfter) {
		in = credential.expires.Sub(s.opts.Now()) // the stream ends with it
	}
	k.plan(leaf.Version(), leaf.NotAfter, in)
	return identitySecret(leaf)
}

// plan sets the time of the next renewal.
func (k *leafKeeper) plan(version string, ends time.Time, in time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if version != "" {
		k.version, k.ends = version, ends
	}
	if k.timer != nil {
		k.timer.Stop()
	}
	if !k.stopped {
		k.timer = time.AfterFunc(in, k.renew)
	}
}

func (k *leafKeeper) renew() {
	if r := k.get(""); r != nil {
		k.stream.session.Provide(r)
	}
}

func (k *leafKeeper) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stopped = true
	if k.timer != nil {
		k.timer.Stop()
	}
}

func (k *leafKeeper) current() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.version
}

func inline(b []byte) *core.DataSource {
	return &core.DataSource{Specifier: &core.DataSource_InlineBytes{InlineBytes: b}}
}

// identitySecret is a leaf as Envoy takes it, under the leaf's own version.
func identitySecret(leaf ca.Leaf) *link.Resource {
	r := secret(&tlsv3.Secret{Name: cache.Identity, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(leaf.CertPEM), PrivateKey: inline([]byte(leaf.KeyPEM)),
	}}})
	r.Version = leaf.Version()
	return r
}

// rootsSecret is the trust bundle as Envoy takes it.
func rootsSecret(pem []byte) *link.Resource {
	return secret(&tlsv3.Secret{Name: cache.Roots, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
		TrustedCa: inline(pem),
	}}})
}

func secret(s *tlsv3.Secret) *link.Resource {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(s)
	if err != nil {
		panic("server: " + err.Error()) // a message of our own making: it cannot fail
	}
	return link.NewResource(link.Secret, s.GetName(), body)
}
