package ca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// made is a certificate from elsewhere with its key.
type made struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func (m made) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw})
}

func (m made) keyPEM(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func p256(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rsaKey(t *testing.T, bits int) crypto.Signer {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0") // a weak key is what one test is about
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// forge makes a certificate as an enterprise would, signed by another or itself.
func forge(t *testing.T, name string, key crypto.Signer, by *made, change ...func(*x509.Certificate)) made {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: start.Add(-time.Hour), NotAfter: start.Add(4000 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, MaxPathLen: -1, KeyUsage: x509.KeyUsageCertSign,
	}
	for _, f := range change {
		f(c)
	}
	parent, signer := c, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made{cert, key}
}

func bring(t *testing.T, dir string, c *clock, key []byte, certs ...made) error {
	t.Helper()
	var all []byte
	for _, m := range certs {
		all = append(all, m.pem()...)
	}
	_, err := ca.Import(dir, ca.Options{Now: c.now}, ca.ImportOptions{Certificates: all, Key: key})
	return err
}

func TestImportIntoAnEmptyFolder(t *testing.T) {
	root := forge(t, "corp root", p256(t), nil)
	middle := forge(t, "corp issuing", p256(t), &root)
	rsaRoot := forge(t, "corp rsa root", rsaKey(t, 2048), nil)
	for name, chain := range map[string][]made{
		"a root": {root}, "an RSA root": {rsaRoot},
		"an intermediate":      {forge(t, "mesh", p256(t), &root), root},
		"an RSA intermediate":  {forge(t, "mesh rsa", rsaKey(t, 2048), &rsaRoot), rsaRoot},
		"a longer chain":       {forge(t, "mesh below", p256(t), &middle), middle, root},
		"one without AnyUsage": {forge(t, "mesh", p256(t), &root, func(c *x509.Certificate) { c.KeyUsage = 0 }), root},
	} {
		t.Run(name, func(t *testing.T) {
			dir, c := filepath.Join(t.TempDir(), "state"), &clock{t: start}
			if err := bring(t, dir, c, chain[0].keyPEM(t), chain...); err != nil {
				t.Fatal(err)
			}
			a := open(t, dir, c)
			if !bytes.Equal(a.Roots(), chain[len(chain)-1].pem()) {
				t.Error("machines would pin something else than the root that was brought")
			}
			_, certs := issue(t, a)
			if err := verify(t, a.Roots(), certs, start); err != nil {
				t.Error(err)
			}
			if err := bring(t, dir, c, chain[0].keyPEM(t), chain...); len(chain) == 1 && err == nil {
				t.Error("a root that is in force is brought again without a word")
			}
		})
	}
}

// The first try often fails. It settles nothing: the trust domain least of all,
// which could not be changed any more.
func TestARefusedImportLeavesAnEmptyFolderEmpty(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "state"), &clock{t: start}
	root := forge(t, "corp root", p256(t), nil)
	if err := bring(t, dir, c, forge(t, "another", p256(t), nil).keyPEM(t), root); err == nil {
		t.Fatal("a key of another certificate is taken")
	}
	_, err := ca.Import(dir, ca.Options{TrustDomain: "corp.example", Now: c.now}, ca.ImportOptions{Certificates: root.pem(), Key: root.keyPEM(t)})
	if err != nil {
		t.Fatalf("the second try: %v", err)
	}
	if domain, err := ca.FolderDomain(dir); domain != "corp.example" {
		t.Errorf("the folder is of the trust domain %q, %v", domain, err)
	}
}

// What somebody would not accept is refused with the reason, and changes nothing.
func TestImportRefusals(t *testing.T) {
	root := forge(t, "corp root", p256(t), nil)
	shallow := forge(t, "shallow", p256(t), nil, func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	self := func(name string, f func(*x509.Certificate)) made { return forge(t, name, p256(t), nil, f) }
	other := &url.URL{Scheme: "spiffe", Host: "other.org"}
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}})
	for reason, in := range map[string]struct {
		certs []made
		key   []byte
	}{
		"lacks CA:TRUE":           {certs: []made{self("no authority", func(c *x509.Certificate) { c.IsCA, c.MaxPathLen = false, 0 })}},
		"path length of 0, so":    {certs: []made{shallow}},
		"path length of 0, but 1": {certs: []made{forge(t, "below", p256(t), &shallow), shallow}},
		"not that of the first":   {certs: []made{root}, key: made{key: p256(t)}.keyPEM(t)},
		"no private key":          {certs: []made{root}, key: []byte("hello")},
		"is encrypted":            {certs: []made{root}, key: encrypted},
		"no certificate in PEM":   {key: root.keyPEM(t)},
		"1024 bits":               {certs: []made{forge(t, "weak", rsaKey(t, 1024), nil)}},
		"takes ECDSA and RSA":     {certs: []made{forge(t, "ed", ed, nil)}},
		"less than 256 bits": {certs: []made{func() made {
			k, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return forge(t, "p224", k, nil)
		}()}},
		"could not be issued and renewed": {certs: []made{self("ending", func(c *x509.Certificate) { c.NotAfter = start.Add(40 * time.Hour) })}},
		"is valid only from":              {certs: []made{self("early", func(c *x509.Certificate) { c.NotBefore = start.Add(time.Hour) })}},
		"may not sign":                    {certs: []made{self("usage", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })}},
		"of the trust domain other.org":   {certs: []made{self("other", func(c *x509.Certificate) { c.URIs = []*url.URL{other} })}},
		"the root must be the last":       {certs: []made{forge(t, "alone", p256(t), &root)}},
		"not in order":                    {certs: []made{forge(t, "stray", p256(t), &shallow), root}},
		"nothing belongs behind":          {certs: []made{root, shallow}},
		"would accept spiffe://cluster.local": {certs: []made{forge(t, "uris", p256(t), &root, func(c *x509.Certificate) {
			c.PermittedURIDomains, c.PermittedDNSDomainsCritical = []string{"other.org"}, true
		}), root}},
		"incompatible key usage": {certs: []made{forge(t, "mail", p256(t), &root, func(c *x509.Certificate) {
			c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
		}), root}},
		"say with --host": {certs: []made{forge(t, "hosts", p256(t), &root, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"corp.example"} }), root}},
	} {
		t.Run(reason, func(t *testing.T) {
			if in.key == nil && len(in.certs) > 0 {
				in.key = in.certs[0].keyPEM(t)
			}
			empty := filepath.Join(t.TempDir(), "state")
			dir, c := t.TempDir(), &clock{t: start}
			before := open(t, dir, c).Roots()
			for _, into := range []string{empty, dir} {
				if err := bring(t, into, c, in.key, in.certs...); err == nil || !strings.Contains(err.Error(), reason) {
					t.Errorf("it says %v", err)
				}
			}
			if !bytes.Equal(open(t, dir, c).Roots(), before) {
				t.Error("what was refused is trusted")
			}
			if _, err := os.Stat(filepath.Join(empty, "ca", "root.pem")); err == nil {
				t.Error("what was refused is kept")
			}
		})
	}
}

// An authority that may only certify some hosts is taken for these.
func TestImportForHosts(t *testing.T) {
	root := forge(t, "corp root", p256(t), nil)
	mesh := forge(t, "mesh", p256(t), &root, func(c *x509.Certificate) {
		c.PermittedDNSDomains = []string{"corp.example"}
		c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(10, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}}
	})
	for host, want := range map[string]string{"meshc.corp.example": "", "meshc.example": "would accept the control plane as meshc.example", "10.0.0.1": "constrains addresses"} {
		_, err := ca.Import(filepath.Join(t.TempDir(), "state"), ca.Options{Now: (&clock{t: start}).now}, ca.ImportOptions{
			Certificates: append(mesh.pem(), root.pem()...), Key: mesh.keyPEM(t), Hosts: []string{host}})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: it says %v", host, err)
		}
	}
}

// Another root begins a rotation: nothing that runs is cut off.
func TestImportOfAnotherRootIsARotation(t *testing.T) {
	r := &replacing{t: t, dir: t.TempDir(), c: &clock{t: start}}
	r.a = open(t, r.dir, r.c)
	r.old = r.a.Roots()
	root := forge(t, "corp root", p256(t), nil)
	mesh := forge(t, "mesh", p256(t), &root)
	if err := bring(t, r.dir, r.c, mesh.keyPEM(t), mesh, root); err != nil {
		t.Fatal(err)
	}
	r.want(ca.StepTrust, "another root")
	if !r.trusts(r.old) {
		t.Fatal("the new authority issues before anybody trusts it")
	}
	if err := bring(t, r.dir, r.c, mesh.keyPEM(t), mesh, root); err == nil || !strings.Contains(err.Error(), "under way") {
		t.Errorf("a second import in the middle says %v", err)
	}
	for _, step := range []ca.Step{ca.StepIssue, ""} {
		r.pass(time.Minute)
		r.report(r.a, nil)
		r.want(step, "nobody to wait for")
	}
	if !r.trusts(root.pem()) || !bytes.Equal(r.a.Roots(), root.pem()) {
		t.Error("the imported authority does not issue")
	}

	// Its next intermediate takes over at once; the one before warned of its end.
	r.c.set(start.Add(1900 * time.Hour))
	issue(t, r.a)
	if r.a.Err() == nil || !strings.Contains(r.a.Err().Error(), "ca import") {
		t.Errorf("an intermediate that nobody can renew runs out, and it says %v", r.a.Err())
	}
	following := forge(t, "mesh 2", p256(t), &root, func(c *x509.Certificate) { c.NotBefore = start.Add(1800 * time.Hour) })
	if err := bring(t, r.dir, r.c, following.keyPEM(t), following, root); err != nil {
		t.Fatal(err)
	}
	if _, certs := issue(t, r.a); !certs[1].Equal(following.cert) || r.a.Err() != nil {
		t.Errorf("it still issues by %s (%v)", certs[1].Subject, r.a.Err())
	}

	// The root's key is elsewhere, so no cross certificate can be: the old root is
	// dropped only when somebody says that machines pin the new one.
	r.rotate(ca.RotateOptions{})
	for _, step := range []ca.Step{ca.StepIssue, ca.StepIssue} {
		r.pass(time.Minute)
		r.report(r.a, nil)
		r.want(step, "machines pin the old root")
	}
	cert, err := r.a.ServerCertificate([]string{"localhost"})
	if err != nil {
		t.Fatal(err)
	}
	if got := cert.Leaf.Issuer.CommonName; got != "mesh 2" {
		t.Errorf("the control plane shows a certificate of %q, which machines do not accept yet", got)
	}
	r.rotate(ca.RotateOptions{Repinned: true})
	r.report(r.a, nil)
	r.want("", "machines pin the new root")
}
