package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/meshc/meshc/catalog/state"
)

// pair is a certificate and its key. They lie in one file, so that a rename
// swaps both at once.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const (
	rootFile         = "root.pem"
	intermediateFile = "intermediate.pem"
)

// load reads root and intermediate, or makes those that are not there. A root
// that is lost beside an intermediate is never replaced silently: every proxy
// of the mesh would stop trusting every other.
func (a *Authority) load() error {
	now := a.opts.Now()
	root, err := readPair(filepath.Join(a.dir, rootFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := readPair(filepath.Join(a.dir, intermediateFile)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing beside %s: restore it, or remove both to begin anew with a root that no proxy trusts yet", rootFile, intermediateFile)
		}
		if root, err = a.newRoot(now); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	if err := a.checkRoot(root, now); err != nil {
		return err
	}
	a.root = root
	return a.loadIntermediate(now)
}

func (a *Authority) loadIntermediate(now time.Time) error {
	p, err := readPair(filepath.Join(a.dir, intermediateFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p, err = a.newIntermediate(now)
	case err == nil:
		if e := p.cert.CheckSignatureFrom(a.root.cert); e != nil {
			return fmt.Errorf("%s is not signed by %s: restore the pair that belongs together", intermediateFile, rootFile)
		}
		if !now.Before(p.cert.NotAfter) {
			p, err = a.newIntermediate(now)
		}
	}
	if err != nil {
		return err
	}
	a.intermediate = p
	return nil
}

func (a *Authority) checkRoot(root pair, now time.Time) error {
	if !root.cert.IsCA {
		return fmt.Errorf("%s is not a certificate authority's certificate", rootFile)
	}
	if !now.Before(root.cert.NotAfter) {
		return fmt.Errorf("the root in %s ended on %s: move the folder away and every proxy gets a new root when it reconnects", a.dir, root.cert.NotAfter.Format(time.DateOnly))
	}
	for _, u := range root.cert.URIs {
		if u.Host != a.opts.TrustDomain {
			return fmt.Errorf("the root in %s is of the trust domain %s, not %s", a.dir, u.Host, a.opts.TrustDomain)
		}
	}
	return nil
}

// signer is the intermediate in use. It is replaced before half of its life, or
// taken from the folder when another process replaced it already.
func (a *Authority) signer(now time.Time) (pair, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Before(rotateAt(a.intermediate.cert, a.opts.Backdate)) {
		return a.intermediate, nil
	}
	a.rotation = a.rotate(now)
	if a.rotation != nil && !now.Before(a.intermediate.cert.NotAfter) {
		return pair{}, fmt.Errorf("certificate authority: the intermediate has ended and cannot be replaced: %w", a.rotation)
	}
	return a.intermediate, nil
}

func (a *Authority) rotate(now time.Time) error {
	unlock, err := state.Lock(a.dir)
	if err != nil {
		return err
	}
	defer unlock()
	p, err := readPair(filepath.Join(a.dir, intermediateFile))
	fresh := err == nil && p.cert.CheckSignatureFrom(a.root.cert) == nil && now.Before(rotateAt(p.cert, a.opts.Backdate))
	if !fresh {
		if p, err = a.newIntermediate(now); err != nil {
			return err
		}
	}
	a.intermediate = p
	return nil
}

// rotateAt is a little before half of a certificate's life, counted from when
// it was made, not from its backdated start.
func rotateAt(c *x509.Certificate, backdate time.Duration) time.Time {
	made := c.NotBefore.Add(backdate)
	return made.Add(c.NotAfter.Sub(made) * 45 / 100)
}

func (a *Authority) newRoot(now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t := authorityTemplate("meshc root of "+a.opts.TrustDomain, 1)
	t.URIs = []*url.URL{{Scheme: "spiffe", Host: a.opts.TrustDomain}}
	cert, err := a.sign(t, now, now.Add(a.opts.Root), &key.PublicKey, pair{key: key})
	if err != nil {
		return pair{}, err
	}
	return a.keep(rootFile, pair{cert, key}, state.Create)
}

func (a *Authority) newIntermediate(now time.Time) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	t := authorityTemplate("meshc intermediate of "+a.opts.TrustDomain, 0)
	end := earliest(now.Add(a.opts.Intermediate), a.root.cert.NotAfter)
	cert, err := a.sign(t, now, end, &key.PublicKey, a.root)
	if err != nil {
		return pair{}, err
	}
	return a.keep(intermediateFile, pair{cert, key}, state.Write)
}

func authorityTemplate(name string, below int) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"meshc"}, CommonName: name},
		IsCA:    true, MaxPathLen: below, MaxPathLenZero: below == 0,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

func (a *Authority) keep(file string, p pair, put func(string, []byte) error) (pair, error) {
	key, err := keyPEM(p.key)
	if err != nil {
		return pair{}, err
	}
	return p, put(filepath.Join(a.dir, file), append(certPEM(p.cert), key...))
}

func readPair(path string) (pair, error) {
	data, err := state.Read(path)
	if err != nil {
		return pair{}, err
	}
	var p pair
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			p.cert, err = x509.ParseCertificate(block.Bytes)
		case "PRIVATE KEY":
			p.key, err = parseKey(block.Bytes)
		}
		if err != nil {
			return pair{}, fmt.Errorf("%s: %w", path, err)
		}
	}
	switch {
	case p.cert == nil || p.key == nil:
		return pair{}, fmt.Errorf("%s lacks a certificate or its key: restore it from a copy", path)
	case !p.key.PublicKey.Equal(p.cert.PublicKey):
		return pair{}, fmt.Errorf("%s holds a key that is not its certificate's", path)
	}
	return p, nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not an ECDSA key")
	}
	return key, nil
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func certPEM(certs ...*x509.Certificate) []byte {
	var out bytes.Buffer
	for _, c := range certs {
		out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
	}
	return out.Bytes()
}
