package ca

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/meshc/meshc/catalog/state"
)

// pair is a certificate and its key. They lie in one file, so that a rename
// swaps both at once. The key of an imported intermediate's root is elsewhere,
// and nil here; chain then leads from the intermediate up to that root, both
// left out.
type pair struct {
	cert  *x509.Certificate
	chain []*x509.Certificate
	key   crypto.Signer
}

// keyless stands at the head of a root's file without a key, so that a file
// whose key was lost is not taken for one.
const keyless = "# the key of this root is kept elsewhere\n"

func (p pair) pem() ([]byte, error) {
	certs := certPEM(append([]*x509.Certificate{p.cert}, p.chain...)...)
	if p.key == nil {
		return append([]byte(keyless), certs...), nil
	}
	key, err := keyPEM(p.key)
	return append(certs, key...), err
}

func (a *Authority) keep(file string, p pair, put func(string, []byte) error) (pair, error) {
	data, err := p.pem()
	if err != nil {
		return pair{}, err
	}
	return p, put(filepath.Join(a.dir, file), data)
}

func (a *Authority) readPair(file string) (pair, error) {
	path := filepath.Join(a.dir, file)
	data, err := state.Read(path)
	if err != nil {
		return pair{}, err
	}
	p, err := parsePair(data)
	switch {
	case err != nil:
		return pair{}, fmt.Errorf("%s: %w", path, err)
	case p.cert == nil || p.key == nil && !bytes.HasPrefix(data, []byte(keyless)):
		return pair{}, fmt.Errorf("%s lacks a certificate or its key: restore it from a copy", path)
	case p.key != nil && !matches(p.key, p.cert):
		return pair{}, fmt.Errorf("%s holds a key that is not its certificate's", path)
	}
	return p, nil
}

// parsePair reads certificates, the first one being the pair's, and a key.
func parsePair(data []byte) (p pair, err error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return pair{}, err
			}
			if p.cert == nil {
				p.cert = c
			} else {
				p.chain = append(p.chain, c)
			}
			continue
		}
		if p.key, err = parseKey(block); err != nil {
			return pair{}, err
		}
	}
	return p, nil
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var k any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(block.Bytes)
	case "EC PARAMETERS":
		return nil, errors.New("the key begins with EC PARAMETERS: write it with `openssl pkcs8 -topk8 -nocrypt`")
	case "ENCRYPTED PRIVATE KEY":
		return nil, errors.New("the key is encrypted: decrypt it first, as with `openssl pkcs8`")
	default:
		return nil, fmt.Errorf("%q is neither a certificate nor a private key", block.Type)
	}
	if err != nil {
		return nil, err
	}
	if block.Headers["DEK-Info"] != "" {
		return nil, errors.New("the key is encrypted: decrypt it first, as with `openssl pkcs8`")
	}
	if s, ok := k.(crypto.Signer); ok {
		return s, nil
	}
	return nil, fmt.Errorf("a key of type %T cannot sign", k)
}

// matches tells whether a key is a certificate's.
func matches(key crypto.Signer, cert *x509.Certificate) bool {
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(cert.PublicKey)
}

func keyPEM(key crypto.Signer) ([]byte, error) {
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

// fingerprint is the SHA-256 of a certificate in hex, as openssl and browsers say it.
func fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}
