// Package ca issues the mesh's certificates: one SPIFFE id each, ECDSA P-256,
// short lived, from a root and an intermediate kept in a private folder. Keys
// of leaves live in memory alone. Other issuers fit behind Issuer. It knows
// neither policy nor who may have which certificate: callers authenticate first.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
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
	TrustDomain  string           // the folder's if empty, else "cluster.local"; ids of other domains are refused
	Leaf         time.Duration    // 24h
	Intermediate time.Duration    // 2160h
	Root         time.Duration    // ten years; counts only where a root is made
	Backdate     time.Duration    // 5m: how far clocks of peers may be behind
	Settle       time.Duration    // 5s: how long a step of a rotation lasts at least
	Now          func() time.Time // time.Now
	// Publish tells other folders of the mesh what a rotation has come to; nil: there are
	// none. On an error the step is not taken. Nothing is issued while it is asked.
	Publish func(Files) error

	existing bool // makes nothing: neither a root nor an intermediate
}

const defaultDomain = "cluster.local"

func (o Options) withDefaults() Options {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&o.Leaf, 24*time.Hour)
	or(&o.Intermediate, 2160*time.Hour)
	or(&o.Root, 10*365*24*time.Hour)
	or(&o.Backdate, 5*time.Minute)
	or(&o.Settle, 5*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) check() error {
	switch {
	case o.TrustDomain != "" && !ir.ValidTrustDomain(o.TrustDomain):
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

// Authority is the native issuer. It is safe for concurrent use, by several
// processes of one state folder too: what one changes the others see at once.
type Authority struct {
	dir  string
	name string // of this process, among those of the folder
	opts Options

	mu       sync.Mutex
	current  *line
	next     *line     // what a rotation leads to, nil without one
	rotation *Rotation // nil without one
	seen     string    // stamp of the folder when it was last read
	unread   error     // why it could not be read again
	failure  error     // why an intermediate could not be replaced
}

// Open reads the authority in the folder `ca` of a state folder, or makes a new
// one there. It refuses files that others may read.
func Open(stateDir string, opts Options) (*Authority, error) {
	a, unlock, err := lock(stateDir, opts)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, nil
}

// lock prepares an authority that has read nothing yet and locks its folder.
func lock(stateDir string, opts Options) (*Authority, func(), error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, nil, err
	}
	a := &Authority{dir: filepath.Join(stateDir, "ca"), name: rand.Text(), opts: opts}
	if _, err := os.Stat(a.dir); err != nil && opts.existing {
		return nil, nil, fmt.Errorf("certificate authority: there is none in %s: %w", stateDir, err)
	}
	if err := state.Dir(a.dir); err != nil {
		return nil, nil, fmt.Errorf("certificate authority: %w", err)
	}
	unlock, err := state.Lock(a.dir)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate authority: %w", err)
	}
	return a, unlock, nil
}

// SetLifetimes sets how long leaves and intermediates live that are made from now
// on; 0 is the default. It refuses what Open refuses, and then changes nothing.
func (a *Authority) SetLifetimes(leaf, intermediate time.Duration) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	opts := a.opts
	opts.Leaf, opts.Intermediate = leaf, intermediate
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return err
	}
	a.opts.Leaf, a.opts.Intermediate = opts.Leaf, opts.Intermediate // the rest is read without the lock
	return nil
}

// longest is how long a leaf lives at most.
func (a *Authority) longest() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.opts.Leaf
}

// TrustDomain is the domain whose ids it certifies.
func (a *Authority) TrustDomain() string { return a.opts.TrustDomain }

// Roots is the trust bundle in PEM: during a rotation the old root, then the new one.
func (a *Authority) Roots() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh()
	return a.roots()
}

func (a *Authority) roots() []byte {
	if a.next == nil {
		return certPEM(a.current.root.cert)
	}
	return certPEM(a.current.root.cert, a.next.root.cert)
}

// Pool is the trust bundle as Go's TLS wants it.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(a.Roots())
	return p
}

// Err is why the intermediate could not be replaced, or the folder not be read
// again, nil if all is well. What was read before issues on while it is valid.
func (a *Authority) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.unread, a.failure)
}

// Expires is when the root and the intermediate in use end. The latter is replaced when it
// is time to: of who issues nothing for a while it shows what the next leaf is signed by.
func (a *Authority) Expires() (root, intermediate time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.inTime(a.opts.Now(), a.issuing)
	return l.root.cert.NotAfter, l.intermediate.cert.NotAfter
}

// Issue makes a key and a certificate of client and server use whose only name
// is the id. ttl 0 is Options.Leaf, longer ones are shortened to it.
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
	}, ttl, a.issuing)
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
func (a *Authority) leaf(t *x509.Certificate, ttl time.Duration, pick func() *line) (Leaf, error) {
	if longest := a.longest(); ttl == 0 || ttl > longest {
		ttl = longest
	}
	if ttl < 0 {
		return Leaf{}, fmt.Errorf("certificate: a life of %s is over before it begins", ttl)
	}
	now := a.opts.Now()
	by, err := a.signer(now, pick)
	if err != nil {
		return Leaf{}, err
	}
	return a.signLeaf(t, by, ttl, now)
}

func (a *Authority) signLeaf(t *x509.Certificate, by line, ttl time.Duration, now time.Time) (Leaf, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Leaf{}, fmt.Errorf("certificate: %w", err)
	}
	t.Subject = pkix.Name{Organization: []string{"meshc"}}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	// As old as what signs it: where our clock is ahead, peers whose clocks are
	// right would else refuse every new leaf as not valid yet.
	t.NotBefore = by.intermediate.cert.NotBefore
	cert, err := a.sign(t, now, earliest(now.Add(ttl), by.intermediate.cert.NotAfter), &key.PublicKey, by.intermediate)
	if err != nil {
		return Leaf{}, err
	}
	return newLeaf(cert, by.above(), key, now, by.issuer())
}

// sign completes a template and signs it. It is valid from a little before now,
// or from the template's start where that is earlier. Times are whole seconds:
// X.509 has no others.
func (a *Authority) sign(t *x509.Certificate, now, end time.Time, pub crypto.PublicKey, by pair) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	if start := now.Add(-a.opts.Backdate).Truncate(time.Second).UTC(); t.NotBefore.IsZero() || start.Before(t.NotBefore) {
		t.NotBefore = start
	}
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
