package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// Signer is a private key: ed25519 or ECDSA P-256. It prints as [redacted].
type Signer struct {
	key crypto.Signer
	pub Key
}

// String hides the key.
func (Signer) String() string { return "[redacted]" }

// GoString hides the key from %#v.
func (Signer) GoString() string { return "[redacted]" }

// Public is the key that checks what the signer signs.
func (s Signer) Public() Key { return s.pub }

// Key is a public key: ed25519 or ECDSA P-256.
type Key struct {
	// ID is the SHA-256 of the key's PKIX form, in hex.
	ID string
	// Name says where the key was read, for people.
	Name string

	key crypto.PublicKey
}

// Short is enough of the ID to tell keys apart by eye.
func (k Key) Short() string { return ShortID(k.ID) }

// ShortID is the first 16 digits of a key's ID.
func ShortID(id string) string { return id[:min(16, len(id))] }

// newKey refuses kinds of keys that DSSE envelopes of bundles are not made with.
func newKey(pub crypto.PublicKey) (Key, error) {
	switch k := pub.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return Key{}, fmt.Errorf("an ECDSA key on the curve %s is not taken: use P-256", k.Curve.Params().Name)
		}
	default:
		return Key{}, fmt.Errorf("a key of the kind %T is not taken: use ed25519 or ECDSA P-256", pub)
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return Key{}, err
	}
	sum := sha256.Sum256(der)
	return Key{ID: hex.EncodeToString(sum[:]), key: pub}, nil
}

// ParsePrivate reads a private key from PEM: PKCS#8, or SEC 1 for ECDSA. Errors
// never quote the input.
func ParsePrivate(data []byte) (Signer, error) {
	key, err := privateKey(data)
	if err != nil {
		return Signer{}, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return Signer{}, fmt.Errorf("a key of the kind %T cannot sign: use ed25519 or ECDSA P-256", key)
	}
	pub, err := newKey(signer.Public())
	return Signer{signer, pub}, err
}

func privateKey(data []byte) (any, error) {
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("it holds no private key in PEM (-----BEGIN PRIVATE KEY-----)")
		}
		switch {
		case block.Type == "EC PARAMETERS": // openssl ecparam writes these before the key
			continue
		case block.Type == "PUBLIC KEY":
			return nil, errors.New("it holds a public key; signing takes the private one")
		case strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "":
			return nil, fmt.Errorf("the key is encrypted (%s): decrypt it, for instance with openssl pkey", block.Type)
		}
		key, err := parsePrivate(block)
		if err != nil {
			return nil, fmt.Errorf("the key of type %q cannot be read", block.Type) // err might tell of the key
		}
		return key, nil
	}
}

func parsePrivate(block *pem.Block) (any, error) {
	if block.Type == "EC PRIVATE KEY" {
		return x509.ParseECPrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

// ParsePublic reads all public keys of a PEM text in PKIX form, such as openssl
// and cosign write them; it is an error if there is none, or anything else.
func ParsePublic(data []byte) ([]Key, error) {
	var keys []Key
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "PUBLIC KEY" {
			return nil, fmt.Errorf("it holds a %q; a PUBLIC KEY in PKIX form is wanted", block.Type)
		}
		pub, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the public key cannot be read: %w", err)
		}
		key, err := newKey(pub)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if strings.Contains(string(data), "-----BEGIN") {
		return nil, errors.New("a PEM block in it is damaged")
	}
	if len(keys) == 0 {
		return nil, errors.New("it holds no public key in PEM (-----BEGIN PUBLIC KEY-----)")
	}
	return keys, nil
}
