package upkeep

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

// The names in the Secret meshc-webhooks; tls.crt and tls.key are also those of a
// folder that somebody else keeps.
const (
	servingCert = "tls.crt"
	servingKey  = "tls.key"
	bundleName  = "ca.crt" // all that may have signed tls.crt, the newest last
	signerCert  = "signer.crt"
	signerKey   = "signer.key"
	nextCert    = "next.crt" // the authority that signs from now on, until all know it
	nextKey     = "next.key"
	sinceName   = "since" // when the last change was made
)

// lives are how long what is made for webhooks lives.
type lives struct {
	authority, serving time.Duration
	settle             time.Duration // between one step of a change and the next
}

func (l lives) withDefaults() lives {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&l.authority, 2 * 365 * 24 * time.Hour}, {&l.serving, 90 * 24 * time.Hour}, {&l.settle, time.Minute}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// backdate is how far behind the clocks of API servers may be.
const backdate = 5 * time.Minute

// signer is a certificate authority for webhooks alone.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newSigner(now time.Time, life time.Duration) (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return signer{}, err
	}
	t := &x509.Certificate{
		// Names differ, so that a bundle with two of them leads to the right one.
		Subject: pkix.Name{Organization: []string{"meshc"}, CommonName: "meshc webhooks " + now.UTC().Format(time.RFC3339)},
		IsCA:    true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := certify(t, now, life, &key.PublicKey, signer{key: key})
	return signer{cert, key}, err
}

// serve makes a serving certificate for names and addresses: chain and key in PEM.
func (s signer) serve(hosts []string, now time.Time, life time.Duration) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	t := &x509.Certificate{
		Subject: pkix.Name{Organization: []string{"meshc"}}, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if end := s.cert.NotAfter.Sub(now); end < life {
		life = end
	}
	made, err := certify(t, now, life, &own.PublicKey, s)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(own)
	return certPEM(made), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func certify(t *x509.Certificate, now time.Time, life time.Duration, pub *ecdsa.PublicKey, by signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1))
	t.NotBefore, t.NotAfter = now.Add(-backdate).UTC(), now.Add(life).UTC()
	parent := by.cert
	if parent == nil {
		parent = t
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, pub, by.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (s signer) keyPEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func certPEM(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// readSigner reads an authority; both parts empty is none.
func readSigner(cert, key []byte) (signer, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return signer{}, err
	}
	own, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return signer{}, errors.New("it is no authority of ours")
	}
	return signer{pair.Leaf, own}, nil
}

// material is what the Secret holds, read.
type material struct {
	serving tls.Certificate
	bundle  []byte
	signer  signer
	next    *signer
	since   time.Time
}

// readMaterial takes apart what a Secret holds; an error means that it cannot serve.
func readMaterial(data map[string][]byte) (m material, err error) {
	if m.serving, err = tls.X509KeyPair(data[servingCert], data[servingKey]); err != nil {
		return m, fmt.Errorf("%s, %s: %w", servingCert, servingKey, err)
	}
	if m.signer, err = readSigner(data[signerCert], data[signerKey]); err != nil {
		return m, fmt.Errorf("%s, %s: %w", signerCert, signerKey, err)
	}
	if len(data[nextCert]) > 0 {
		n, err := readSigner(data[nextCert], data[nextKey])
		if err != nil {
			return m, fmt.Errorf("%s, %s: %w", nextCert, nextKey, err)
		}
		m.next = &n
	}
	m.bundle = data[bundleName]
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(m.bundle) {
		return m, fmt.Errorf("%s holds no certificate", bundleName)
	}
	if leaf := m.serving.Leaf; leaf.CheckSignatureFrom(m.signer.cert) != nil || !bytes.Contains(m.bundle, certPEM(m.signer.cert)) {
		return m, fmt.Errorf("%s is not signed by what %s holds", servingCert, bundleName)
	}
	m.since, _ = time.Parse(time.RFC3339Nano, string(data[sinceName])) // one that is none is long ago
	return m, nil
}
