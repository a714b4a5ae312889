package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/meshc/meshc/catalog/state"
)

// The files of a line. Those of the line that a rotation leads to have the
// prefix `next-`.
const (
	rootFile         = "root.pem"
	intermediateFile = "intermediate.pem"
	crossFile        = "cross.pem"
	next             = "next-"
)

// line is a root and what stands below it.
type line struct {
	prefix       string // of its files
	root         pair
	intermediate pair
	// cross is the root's name and key signed by the root before it: who pins only
	// that one accepts a chain that ends in this. nil if there is none.
	cross *x509.Certificate
}

// issuer names the line in the versions of leaves: the SHA-256 of the root's
// public key, first 16 hex digits.
func (l *line) issuer() string {
	sum := sha256.Sum256(l.root.cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:8])
}

// above is what a peer that has only the root needs besides a leaf.
func (l *line) above() []*x509.Certificate {
	return append([]*x509.Certificate{l.intermediate.cert}, l.intermediate.chain...)
}

// readLine reads a line. Its intermediate is made if it is not there or has
// ended; its root never is.
func (a *Authority) readLine(prefix string, now time.Time) (*line, error) {
	l := &line{prefix: prefix}
	var err error
	if l.root, err = a.readPair(prefix + rootFile); err != nil {
		return nil, err
	}
	if err := a.checkRoot(l, now); err != nil {
		return nil, err
	}
	l.intermediate, err = a.readPair(prefix + intermediateFile)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !missing:
		return nil, err
	case !missing && !signedBy(l.intermediate, l.root):
		return nil, fmt.Errorf("%s is not signed by %s: restore the pair that belongs together", prefix+intermediateFile, prefix+rootFile)
	case a.opts.existing: // only looks
	case missing || !now.Before(l.intermediate.cert.NotAfter):
		if l.intermediate, err = a.newIntermediate(l, now); err != nil {
			return nil, err
		}
	}
	l.cross = a.readCross(l, now)
	return l, nil
}

// signedBy tells whether an intermediate leads to a root.
func signedBy(p, root pair) bool {
	below := p.cert
	for _, c := range append(p.chain[:len(p.chain):len(p.chain)], root.cert) {
		if below.CheckSignatureFrom(c) != nil {
			return false
		}
		below = c
	}
	return true
}

var errEnded = errors.New("ended")

// checkRoot refuses a root that could not be trusted for this domain.
func (a *Authority) checkRoot(l *line, now time.Time) error {
	root := l.root.cert
	if !root.IsCA {
		return fmt.Errorf("%s is not a certificate authority's certificate", l.prefix+rootFile)
	}
	if !now.Before(root.NotAfter) {
		return fmt.Errorf("the root in %s %w on %s: move the folder away and every proxy gets a new root when it reconnects", a.dir, errEnded, root.NotAfter.Format(time.DateOnly))
	}
	for _, u := range root.URIs {
		if u.Scheme == "spiffe" && u.Host != a.opts.TrustDomain {
			return fmt.Errorf("the root in %s is of the trust domain %s, not %s", a.dir, u.Host, a.opts.TrustDomain)
		}
	}
	return nil
}

// renewal is when an intermediate has to be replaced: a little before half of
// its life, counted from when it was made, not from its backdated start.
func renewal(c *x509.Certificate, backdate time.Duration) time.Time {
	made := c.NotBefore.Add(backdate)
	return made.Add(c.NotAfter.Sub(made) * 45 / 100)
}

// renew replaces the intermediate of a line, or takes the one that another
// process put there meanwhile.
func (a *Authority) renew(l *line, now time.Time) error {
	unlock, err := state.Lock(a.dir)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := a.readPair(l.prefix + intermediateFile)
	fresh := err == nil && signedBy(p, l.root) && now.Before(renewal(p.cert, a.opts.Backdate))
	if !fresh {
		if p, err = a.newIntermediate(l, now); err != nil {
			return err
		}
	}
	l.intermediate = p
	return nil
}

func (a *Authority) newRoot(now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	// Roots that follow each other have different names: people and verifiers tell
	// them apart. The path has room for a cross certificate above the intermediate.
	t := authorityTemplate("meshc root of "+a.opts.TrustDomain+" "+now.UTC().Format("2006-01-02T15:04:05Z"), 2)
	t.URIs = []*url.URL{{Scheme: "spiffe", Host: a.opts.TrustDomain}}
	cert, err := a.sign(t, now, now.Add(a.opts.Root), &key.PublicKey, pair{key: key})
	return pair{cert: cert, key: key}, err
}

// makeIntermediate signs an intermediate and keeps nothing.
func (a *Authority) makeIntermediate(root pair, now time.Time) (pair, error) {
	if root.key == nil {
		return pair{}, fmt.Errorf("the key of the root %q is kept elsewhere: import a new intermediate with `meshc ca import`", root.cert.Subject)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t := authorityTemplate("meshc intermediate of "+a.opts.TrustDomain, 0)
	end := earliest(now.Add(a.opts.Intermediate), root.cert.NotAfter)
	cert, err := a.sign(t, now, end, &key.PublicKey, root)
	return pair{cert: cert, key: key}, err
}

func (a *Authority) newIntermediate(l *line, now time.Time) (pair, error) {
	p, err := a.makeIntermediate(l.root, now)
	if err != nil {
		return pair{}, err
	}
	return a.keep(l.prefix+intermediateFile, p, state.Write)
}

func authorityTemplate(name string, below int) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"meshc"}, CommonName: name},
		IsCA:    true, MaxPathLen: below, MaxPathLenZero: below == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// crossTo signs the root of another line by the current one. nil if the key for
// it is not here, or if a chain through it would not be accepted.
func (a *Authority) crossTo(to *line, now time.Time) *x509.Certificate {
	old := a.current.root
	if old.key == nil {
		return nil
	}
	through := *to
	if through.intermediate.cert == nil {
		var err error
		if through.intermediate, err = a.makeIntermediate(to.root, now); err != nil {
			return nil
		}
	}
	t := authorityTemplate("", 1+len(through.intermediate.chain))
	t.RawSubject, t.SubjectKeyId, t.URIs = to.root.cert.RawSubject, to.root.cert.SubjectKeyId, to.root.cert.URIs
	var err error
	through.cross, err = a.sign(t, now, earliest(old.cert.NotAfter, to.root.cert.NotAfter), to.root.cert.PublicKey, old)
	if err != nil || a.try(&through, old.cert, nil, now) != nil {
		return nil
	}
	return through.cross
}

// readCross is the line's cross certificate while it counts.
func (a *Authority) readCross(l *line, now time.Time) *x509.Certificate {
	data, err := state.Read(filepath.Join(a.dir, l.prefix+crossFile))
	if err != nil {
		return nil
	}
	p, err := parsePair(data)
	if err != nil || p.cert == nil || !now.Before(p.cert.NotAfter) || string(p.cert.RawSubjectPublicKeyInfo) != string(l.root.cert.RawSubjectPublicKeyInfo) {
		return nil
	}
	return p.cert
}
