package ca

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

// Secret is bytes that no log, error or marshaller shows. Convert it to []byte
// where the bytes themselves are meant.
type Secret []byte

const redacted = "[redacted]"

// String hides the bytes.
func (Secret) String() string { return redacted }

// GoString hides the bytes from %#v.
func (Secret) GoString() string { return redacted }

// Format hides the bytes from every verb, %x too.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the bytes from encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the bytes from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Leaf is one certificate with its key, for one proxy.
type Leaf struct {
	CertPEM   []byte // the leaf, then the intermediate, then what is between it and the root
	KeyPEM    Secret // PKCS #8
	NotBefore time.Time
	NotAfter  time.Time
	// RenewAt is a little before half of its life; it differs from leaf to leaf,
	// so that a fleet that started together does not renew together.
	RenewAt time.Time
	Serial  string // hex
	Issuer  string // names the root; equal for every replica that shares it
}

func newLeaf(cert *x509.Certificate, above []*x509.Certificate, key *ecdsa.PrivateKey, made time.Time, issuer string) (Leaf, error) {
	k, err := keyPEM(key)
	if err != nil {
		return Leaf{}, fmt.Errorf("certificate: %w", err)
	}
	serial := cert.SerialNumber.Bytes()
	return Leaf{
		CertPEM: append(certPEM(cert), certPEM(above...)...), KeyPEM: k,
		NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		RenewAt: renewAt(made, cert.NotAfter, serial),
		Serial:  hex.EncodeToString(serial), Issuer: issuer,
	}, nil
}

// renewAt is between 40 and 49 percent of the life, by the serial.
func renewAt(made, end time.Time, serial []byte) time.Time {
	sum := sha256.Sum256(serial)
	share := 400 + time.Duration(binary.BigEndian.Uint16(sum[:])%90)
	return made.Add(end.Sub(made) / 1000 * share)
}

// Version is the leaf's xDS version, ISSUER.NOTAFTER.SERIAL with NOTAFTER in
// seconds since 1970.
func (l Leaf) Version() string {
	return l.Issuer + "." + strconv.FormatInt(l.NotAfter.Unix(), 10) + "." + l.Serial
}

// issuerName names the line that issues now.
func (a *Authority) issuerName() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh()
	return a.issuing().issuer()
}

// IssuerOf is the issuer's name in a leaf's Version.
func IssuerOf(version string) string {
	name, _, _ := strings.Cut(version, ".")
	return name
}

// Keeps tells whether a leaf with this Version is of the issuing root and has more
// than half of its life left; renewAt is when it will not.
func (a *Authority) Keeps(version string) (renewAt time.Time, ok bool) {
	parts := strings.Split(version, ".")
	if len(parts) != 3 || parts[0] != a.issuerName() || parts[2] == "" {
		return time.Time{}, false
	}
	end, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	now, notAfter, life := a.opts.Now(), time.Unix(end, 0), a.longest()
	half := notAfter.Add(-life / 2)
	if !now.Before(half) || notAfter.After(now.Add(life+time.Second)) {
		return time.Time{}, false
	}
	return half, true
}

// IdentityOf is the SPIFFE id of a verified certificate: its only URI name.
func IdentityOf(c *x509.Certificate) (ir.Identity, error) {
	if c.IsCA {
		return "", errors.New("the certificate is an authority's, not a workload's")
	}
	if len(c.URIs) != 1 {
		return "", fmt.Errorf("the certificate has %d URI names, a workload's has exactly one", len(c.URIs))
	}
	id := ir.Identity(c.URIs[0].String())
	if err := id.Check(); err != nil {
		return "", fmt.Errorf("the certificate's name %q is not a SPIFFE id: %w", id, err)
	}
	return id, nil
}
