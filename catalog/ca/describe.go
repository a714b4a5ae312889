package ca

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"time"
)

// Description is an authority for people: no key is part of it.
type Description struct {
	TrustDomain string `json:"trustDomain"`
	Current     Line   `json:"current"`
	// Next is what a rotation leads to.
	Next     *Line     `json:"next,omitempty"`
	Rotation *Rotation `json:"rotation,omitempty"`
	// Roots is the trust bundle in PEM: what machines pin.
	Roots string `json:"roots"`
}

// Line is a root and what stands below it.
type Line struct {
	Root Certificate `json:"root"`
	// Intermediate is nil until a server makes it.
	Intermediate *Certificate `json:"intermediate,omitempty"`
	// Cross leads those who pin only the root before to this one.
	Cross *Certificate `json:"cross,omitempty"`
}

// Certificate describes one.
type Certificate struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Fingerprint string    `json:"fingerprint"` // SHA-256 in hex
	Key         string    `json:"key"`         // as ECDSA P-256
	NotBefore   time.Time `json:"notBefore"`
	NotAfter    time.Time `json:"notAfter"`
	// KeyElsewhere: the state folder holds only the certificate.
	KeyElsewhere bool `json:"keyElsewhere,omitempty"`
}

// Show describes the authority of a state folder, which it leaves as it is.
func Show(stateDir string) (Description, error) {
	return edit(stateDir, Options{}, func(*Authority) error { return nil })
}

func (a *Authority) describe() Description {
	d := Description{TrustDomain: a.opts.TrustDomain, Current: a.current.describe(), Roots: string(a.roots())}
	if a.rotation != nil {
		to, r := a.next.describe(), *a.rotation
		r.Proxies = nil
		d.Next, d.Rotation = &to, &r
	}
	return d
}

func (l *line) describe() Line {
	root := describe(l.root.cert)
	root.KeyElsewhere = l.root.key == nil
	out := Line{Root: root}
	if c := l.intermediate.cert; c != nil {
		d := describe(c)
		out.Intermediate = &d
	}
	if l.cross != nil {
		d := describe(l.cross)
		out.Cross = &d
	}
	return out
}

func describe(c *x509.Certificate) Certificate {
	key := c.PublicKeyAlgorithm.String()
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		key += " " + k.Curve.Params().Name
	case *rsa.PublicKey:
		key += fmt.Sprintf(" %d", k.N.BitLen())
	}
	return Certificate{Subject: c.Subject.String(), Issuer: c.Issuer.String(), Fingerprint: fingerprint(c), Key: key, NotBefore: c.NotBefore, NotAfter: c.NotAfter}
}
