package oracle

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// The kinds of certificates that a call past the client's proxy presents.
const (
	plainText  = "no TLS"
	ownCert    = "the identity's certificate"
	foreign    = "a certificate of another trust domain"
	twoNames   = "a certificate with two names"
	noCert     = "no certificate"
	expired    = "an expired certificate"
	early      = "a certificate that is not valid yet"
	untrusted  = "a certificate of another authority"
	selfSigned = "a certificate signed by itself"
	forServers = "a certificate for servers only"
	noURI      = "a certificate whose names are no URIs"
	commonName = "a certificate whose common name is the identity"
)

// refusedCerts are those that no proxy may take for anybody.
var refusedCerts = []string{noCert, expired, early, untrusted, selfSigned, forServers, noURI, commonName}

// authority signs what the mesh's own would not, with the mesh's own key.
type authority struct {
	ca    *x509.Certificate
	key   *ecdsa.PrivateKey
	chain []byte // PEM, what stands behind a leaf
}

// meshAuthority takes the signing key out of the control plane's state.
func meshAuthority(state string) (*authority, error) {
	var best *authority
	err := filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".pem" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		a := readAuthority(data)
		if a != nil && (best == nil || a.ca.Issuer.String() != a.ca.Subject.String()) {
			best = a
		}
		return nil
	})
	if err == nil && best == nil {
		err = fmt.Errorf("no signing key of the mesh lies in %s", state)
	}
	return best, err
}

// readAuthority reads a file of certificates and a key; nil where it is none.
func readAuthority(data []byte) *authority {
	a := &authority{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil && a.ca == nil {
			a.ca = c
			a.chain = pem.EncodeToMemory(block)
		}
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			a.key, _ = key.(*ecdsa.PrivateKey)
		}
	}
	if a.ca == nil || a.key == nil || !a.ca.IsCA {
		return nil
	}
	return a
}

// strangers is an authority that the mesh does not trust, of the same names.
func strangers(like *x509.Certificate) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := *like
	t.SerialNumber, t.PublicKey = big.NewInt(1), nil
	der, err := x509.CreateCertificate(rand.Reader, &t, &t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(der)
	return &authority{ca, key, encode("CERTIFICATE", der)}, err
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// hand is a hand of certificates: how a call of an identity presents itself.
func (a *authority) hand(kind string, names []ir.Identity) (*caller.TLS, error) {
	out := &caller.TLS{ServerName: names[0].SNI()}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		u, err := url.Parse(string(name))
		if err != nil {
			return nil, err
		}
		t.URIs = append(t.URIs, u)
	}
	signer := a
	var err error
	switch kind {
	case noCert:
		return out, nil
	case expired:
		t.NotBefore, t.NotAfter = now.Add(-2*time.Hour), now.Add(-time.Minute)
	case early:
		t.NotBefore = now.Add(30 * time.Minute)
	case untrusted:
		signer, err = strangers(a.ca)
	case selfSigned:
		signer = nil
	case forServers:
		t.ExtKeyUsage = t.ExtKeyUsage[:1]
	case noURI:
		t.URIs, t.DNSNames = nil, []string{string(names[0])}
	case commonName:
		t.URIs, t.Subject = nil, pkix.Name{CommonName: string(names[0])}
	}
	if err != nil {
		return nil, err
	}
	return out, signer.sign(t, out)
}

func (a *authority) sign(t *x509.Certificate, out *caller.TLS) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	parent, signer, chain := t, key, []byte(nil)
	if a != nil {
		parent, signer, chain = a.ca, a.key, a.chain
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, signer)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	out.Certificate, out.Key = append(encode("CERTIFICATE", der), chain...), encode("PRIVATE KEY", pkcs8)
	return err
}
