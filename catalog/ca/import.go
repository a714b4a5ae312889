package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/meshc/meshc/catalog/state"
)

// ImportOptions is what is brought: PEM of a root, or of an intermediate with
// what is between it and its root, the root last.
type ImportOptions struct {
	Certificates []byte
	Key          []byte // PEM of the first certificate's key
	// Hosts are what the control plane's certificate will be for. They are needed
	// where the authority may only certify certain hosts.
	Hosts   []string
	MaxWait time.Duration // of the rotation that it begins
}

// Import makes a state folder issue by an authority that was made elsewhere. In
// an empty folder that is at once; an intermediate of the root in force replaces
// the one that issues; another root begins a rotation. What cannot serve is
// refused, and then nothing has changed.
func Import(stateDir string, opts Options, o ImportOptions) (Description, error) {
	a, unlock, err := lock(stateDir, opts)
	if err != nil {
		return Description{}, err
	}
	defer unlock()
	if err := a.importInto(o); err != nil {
		return Description{}, fmt.Errorf("certificate authority: %w", err)
	}
	return a.describe(), nil
}

func (a *Authority) importInto(o ImportOptions) error {
	empty := !a.has(rotationFile) && !a.has(rootFile) && !a.has(intermediateFile)
	a.opts.existing = true // what is left to make, a server makes with its own lifetimes
	settle := a.load
	if empty {
		settle = a.domain // and it is written down when the authority is taken
	}
	if err := settle(); err != nil {
		return err
	}
	to, err := a.judge(o)
	switch {
	case err != nil:
		return err
	case a.rotation != nil:
		return fmt.Errorf("a rotation is under way since %s: it ends before another begins", a.rotation.Started.Format(time.RFC3339))
	case empty:
		if err = a.keepDomain(); err == nil {
			err = a.begin(to, stepDrop, 0)
		}
	case !to.root.cert.Equal(a.current.root.cert):
		err = a.begin(to, StepTrust, o.MaxWait)
	case to.intermediate.cert == nil:
		return errors.New("this root is in force already")
	default:
		_, err = a.keep(intermediateFile, to.intermediate, state.Write)
	}
	if err != nil {
		return err
	}
	return a.read()
}

// judge makes a line of what is brought, or says why it cannot serve.
func (a *Authority) judge(o ImportOptions) (*line, error) {
	given, err := parsePair(o.Certificates)
	if err != nil {
		return nil, fmt.Errorf("the certificate cannot be read: %w", err)
	}
	if given.cert == nil {
		return nil, errors.New("there is no certificate in PEM")
	}
	keys, err := parsePair(o.Key)
	if err != nil {
		return nil, fmt.Errorf("the key cannot be read: %w", err)
	}
	given.key = keys.key
	if given.key == nil {
		return nil, errors.New("there is no private key in PEM")
	}
	if !matches(given.key, given.cert) {
		return nil, errors.New("the key is not that of the first certificate")
	}
	to := &line{prefix: next}
	if selfSigned(given.cert) {
		if to.root = given; len(given.chain) > 0 {
			return nil, errors.New("the first certificate is a root: nothing belongs behind it")
		}
	} else {
		last := len(given.chain) - 1
		if last < 0 || !selfSigned(given.chain[last]) {
			return nil, errors.New("an intermediate is brought with its chain, and the root must be the last of it: proxies trust the root")
		}
		to.root = pair{cert: given.chain[last]}
		to.intermediate = pair{cert: given.cert, chain: given.chain[:last], key: given.key}
	}
	return to, a.fit(to, o.Hosts)
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// fit refuses a line whose leaves somebody would not accept.
func (a *Authority) fit(l *line, hosts []string) error {
	now := a.opts.Now()
	all := []*x509.Certificate{l.root.cert}
	if l.intermediate.cert != nil {
		all = append(l.above(), l.root.cert)
	}
	for i, c := range all {
		if err := a.fitAuthority(c, now, i); err != nil {
			return fmt.Errorf("%q %w", c.Subject, err)
		}
	}
	if l.intermediate.cert != nil && !signedBy(l.intermediate, l.root) {
		return errors.New("the chain is not in order: each certificate must be signed by the next")
	}
	if l.intermediate.cert == nil && hasPath(l.root.cert) && l.root.cert.MaxPathLen < 1 {
		return fmt.Errorf("%q has a path length of 0, so no intermediate may stand below it: bring a root without that limit, or an intermediate", l.root.cert.Subject)
	}
	if err := a.checkRoot(l, now); err != nil {
		return err
	}
	trial := *l
	if trial.intermediate.cert == nil {
		var err error
		if trial.intermediate, err = a.makeIntermediate(l.root, now); err != nil {
			return err
		}
	}
	if err := a.constrained(all, hosts); err != nil {
		return err
	}
	return a.try(&trial, l.root.cert, hosts, now)
}

func hasPath(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && (c.MaxPathLen > 0 || c.MaxPathLen == 0 && c.MaxPathLenZero)
}

// fitAuthority judges one certificate. below is how many authorities stand under it.
func (a *Authority) fitAuthority(c *x509.Certificate, now time.Time, below int) error {
	switch {
	case !c.BasicConstraintsValid || !c.IsCA:
		return errors.New("is no authority's certificate: it lacks CA:TRUE")
	case c.KeyUsage != 0 && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return errors.New("may not sign certificates: its key usage lacks that")
	case hasPath(c) && c.MaxPathLen < below:
		return fmt.Errorf("has a path length of %d, but %d authorities stand below it", c.MaxPathLen, below)
	case now.Before(c.NotBefore):
		return fmt.Errorf("is valid only from %s", c.NotBefore.Format(time.RFC3339))
	case !now.Add(2 * a.opts.Leaf).Before(c.NotAfter):
		return fmt.Errorf("ends on %s: leaves of %s could not be issued and renewed", c.NotAfter.Format(time.RFC3339), a.opts.Leaf)
	}
	switch k := c.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return errors.New("has an ECDSA key of less than 256 bits")
		}
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return fmt.Errorf("has an RSA key of %d bits: 2048 is the least", k.N.BitLen())
		}
	default:
		return fmt.Errorf("has a %s key: Envoy takes ECDSA and RSA", c.PublicKeyAlgorithm)
	}
	return nil
}

// constrained asks for hosts where an authority may only certify some.
func (a *Authority) constrained(all []*x509.Certificate, hosts []string) error {
	for _, c := range all {
		names := len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains) > 0
		addresses := len(c.PermittedIPRanges)+len(c.ExcludedIPRanges) > 0
		if (names || addresses) && len(hosts) == 0 {
			return fmt.Errorf("%q may only certify certain hosts: say with --host what the control plane's certificate is for, as `meshc serve --host` does", c.Subject)
		}
		t, err := serverTemplate(append(hosts, "localhost"))
		if err == nil && addresses && len(t.IPAddresses) > 0 {
			return fmt.Errorf("%q constrains addresses, which Envoy cannot check: give the control plane names only", c.Subject)
		}
	}
	return nil
}

// try issues a leaf and a server's certificate and verifies both as peers do.
func (a *Authority) try(l *line, trusted *x509.Certificate, hosts []string, now time.Time) error {
	workload := &x509.Certificate{
		URIs:        []*url.URL{{Scheme: "spiffe", Host: a.opts.TrustDomain, Path: "/ns/trial/sa/trial"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if err := a.tryLeaf(l, workload, trusted, now); err != nil {
		return fmt.Errorf("no proxy would accept %s: %w", workload.URIs[0], err)
	}
	if len(hosts) == 0 {
		return nil
	}
	t, err := serverTemplate(hosts)
	if err != nil {
		return err
	}
	if err := a.tryLeaf(l, t, trusted, now); err != nil {
		return fmt.Errorf("no proxy would accept the control plane as %s: %w", strings.Join(hosts, ", "), err)
	}
	return nil
}

func (a *Authority) tryLeaf(l *line, t, trusted *x509.Certificate, now time.Time) error {
	leaf, err := a.signLeaf(t, *l, a.opts.Leaf, now)
	if err != nil {
		return err
	}
	p, err := parsePair(leaf.CertPEM)
	if err != nil {
		return err
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(trusted)
	for _, c := range p.chain {
		between.AddCert(c)
	}
	if l.cross != nil {
		between.AddCert(l.cross)
	}
	for _, use := range t.ExtKeyUsage {
		_, err := p.cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
		if err != nil {
			return err
		}
	}
	return nil
}
