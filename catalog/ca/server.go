package ca

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// ServerCertificate issues a certificate for the control plane's own port. hosts
// are DNS names and IP addresses. It has no SPIFFE id, so no proxy takes it for
// a workload.
func (a *Authority) ServerCertificate(hosts []string) (tls.Certificate, error) {
	leaf, err := a.server(hosts)
	if err != nil {
		return tls.Certificate{}, err
	}
	return leaf.TLS()
}

// server issues for the line that every machine's pinned root accepts: its chain
// ends in the cross certificate where there is one.
func (a *Authority) server(hosts []string) (Leaf, error) {
	t, err := serverTemplate(hosts)
	if err != nil {
		return Leaf{}, err
	}
	var by *line
	leaf, err := a.leaf(t, 0, func() *line { by = a.presenting(); return by })
	if err == nil && by.cross != nil {
		leaf.CertPEM = append(leaf.CertPEM, certPEM(by.cross)...)
	}
	return leaf, err
}

func serverTemplate(hosts []string) (*x509.Certificate, error) {
	if len(hosts) == 0 {
		return nil, errors.New("server certificate: no host name and no address")
	}
	t := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, h := range hosts {
		if addr, err := netip.ParseAddr(h); err == nil {
			t.IPAddresses = append(t.IPAddresses, addr.Unmap().WithZone("").AsSlice())
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	return t, nil
}

// TLS is the leaf as Go's TLS wants it, with Leaf filled in.
func (l Leaf) TLS() (tls.Certificate, error) {
	c, err := tls.X509KeyPair(l.CertPEM, l.KeyPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

// GetCertificate is a tls.Config.GetCertificate that issues a certificate for
// hosts and a new one in time before it ends.
func (a *Authority) GetCertificate(hosts []string) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	var mu sync.Mutex
	var have *tls.Certificate
	var until, end time.Time
	var of string
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		now, chain := a.opts.Now(), a.presented()
		if have != nil && chain == of && now.Before(until) {
			return have, nil
		}
		leaf, err := a.server(hosts)
		if err == nil {
			var c tls.Certificate
			if c, err = leaf.TLS(); err == nil {
				have, of, until, end = &c, chain, leaf.RenewAt, leaf.NotAfter
				return have, nil
			}
		}
		if have != nil && now.Before(end) {
			return have, nil // half of its life is left to mend what is wrong
		}
		return nil, err
	}
}

// presented changes when the control plane's certificate must be of another line.
func (a *Authority) presented() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refresh()
	l := a.presenting()
	out := fingerprint(l.root.cert)
	if l.cross != nil {
		out += fingerprint(l.cross)
	}
	return out
}
