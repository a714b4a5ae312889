// Package ca issues the mesh's certificates: one SPIFFE id each, ECDSA P-256,
// short lived, from a root and an intermediate kept in a private folder. Keys
// of leaves live in memory alone. Other issuers fit behind Issuer. It knows
// neither policy nor who may have which certificate: callers authenticate first.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/meshc/meshc/catalog/state"
	"github.com/meshc/meshc/compiler/ir"
)

// Issuer gives identities their certificates. Authority is the native one.
type Issuer interface {
	// Issue makes a new key and a certificate for it. ttl 0 is the issuer's own
	// lifetime; the issuer may shorten it.
	Issue(id ir.Identity, ttl time.Duration) (Leaf, error)
	// Roots is the trust bundle in PEM. It may change between calls.
	Roots() []byte
	// Keeps tells whether a leaf that a proxy reports by its Version may stay,
	// and until when: the time at which to send it a new one.
	Keeps(version string) (renewAt time.Time, ok bool)
}

// Options of an Authority. The zero value is useful but for TrustDomain.
type Options struct {
	TrustDomain  string           // "cluster.local" if empty; ids of other domains are refused
	Leaf         time.Duration    // 24h
	Intermediate time.Duration    // 2160h
	Root         time.Duration    // ten years; counts only where a root is made
	Backdate     time.Duration    // 5m: how far clocks of peers may be behind
	Now          func() time.Time // time.Now
}

func (o Options) withDefaults() Options {
	if o.TrustDomain == "" {
		o.TrustDomain = "cluster.local"
	}
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&o.Leaf, 24*time.Hour)
	or(&o.Intermediate, 2160*time.Hour)
	or(&o.Root, 10*365*24*time.Hour)
	or(&o.Backdate, 5*time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) check() error {
	switch {
	case !ir.ValidTrustDomain(o.TrustDomain):
		return fmt.Errorf("certificate authority: %q is not a trust domain", o.TrustDomain)
	case o.Leaf < time.Minute:
		return fmt.Errorf("certificate authority: leaves of %s live too short to be rotated: give a minute at least", o.Leaf)
	case o.Leaf > o.Intermediate/2:
		return fmt.Errorf("certificate authority: leaves of %s outlive the rotation of an intermediate of %s: at most half of it", o.Leaf, o.Intermediate)
	case o.Intermediate > o.Root:
		return fmt.Errorf("certificate authority: an intermediate of %s outlives a root of %s", o.Intermediate, o.Root)
	case o.Backdate < 0:
		return errors.New("certificate authority: certificates cannot start in the future")
	}
	return nil
}

// Authority is the native issuer. It is safe for concurrent use.
type Authority struct {
	dir  string
	opts Options
	root pair

	mu           sync.Mutex
	intermediate pair
	rotation     error
}

// Open reads the authority in the folder `ca` of a state folder, or makes a new
// one there. It refuses files that others may read.
func Open(stateDir string, opts Options) (*Authority, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	a := &Authority{dir: filepath.Join(stateDir, "ca"), opts: opts}
	if err := state.Dir(a.dir); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	unlock, err := state.Lock(a.dir)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	defer unlock()
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, nil
}

// TrustDomain is the domain whose ids it certifies.
func (a *Authority) TrustDomain() string { return a.opts.TrustDomain }

// Roots is the trust bundle in PEM.
func (a *Authority) Roots() []byte { return certPEM(a.root.cert) }

// Pool is the trust bundle as Go's TLS wants it.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.root.cert)
	return p
}

// Err is why the last rotation of the intermediate failed, nil when it did not.
// The old intermediate issues on while it is valid.
func (a *Authority) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rotation
}

// Expires is when the root and the intermediate in use end.
func (a *Authority) Expires() (root, intermediate time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.root.cert.NotAfter, a.intermediate.cert.NotAfter
}

// Issue makes a key and a certificate of client and server use whose only name
// is the id. ttl 0 is Options.Leaf, longer ones are refused.
func (a *Authority) Issue(id ir.Identity, ttl time.Duration) (Leaf, error) {
	if err := a.may(id); err != nil {
		return Leaf{}, err
	}
	uri, err := url.Parse(string(id))
	if err != nil {
		return Leaf{}, fmt.Errorf("certificate for %q: %w", id, err)
	}
	return a.leaf(&x509.Certificate{
		URIs:        []*url.URL{uri},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ttl)
}

func (a *Authority) may(id ir.Identity) error {
	if err := id.Check(); err != nil {
		return fmt.Errorf("certificate for %q: %w", id, err)
	}
	if id.TrustDomain() != a.opts.TrustDomain {
		return fmt.Errorf("certificate for %q: this authority certifies only the trust domain %s", id, a.opts.TrustDomain)
	}
	return nil
}

// leaf signs a template that says what the certificate is for.
func (a *Authority) leaf(t *x509.Certificate, ttl time.Duration) (Leaf, error) {
	if ttl == 0 {
		ttl = a.opts.Leaf
	}
	if ttl < 0 || ttl > a.opts.Leaf {
		return Leaf{}, fmt.Errorf("certificate: a life of %s is not between nothing and the authority's %s", ttl, a.opts.Leaf)
	}
	now := a.opts.Now()
	by, err := a.signer(now)
	if err != nil {
		return Leaf{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Leaf{}, fmt.Errorf("certificate: %w", err)
	}
	t.Subject = pkix.Name{Organization: []string{"meshc"}}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	cert, err := a.sign(t, now, earliest(now.Add(ttl), by.cert.NotAfter), &key.PublicKey, by)
	if err != nil {
		return Leaf{}, err
	}
	return newLeaf(cert, by.cert, key, now, a.issuerName())
}

// sign completes a template and signs it. Times are whole seconds: X.509 has no others.
func (a *Authority) sign(t *x509.Certificate, now, end time.Time, pub *ecdsa.PublicKey, by pair) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	t.NotBefore = now.Add(-a.opts.Backdate).Truncate(time.Second).UTC()
	t.NotAfter = end.Truncate(time.Second).UTC()
	t.BasicConstraintsValid = true
	parent := by.cert
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, by.key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
