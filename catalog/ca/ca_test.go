package ca_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/ir"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const buyer = ir.Identity("spiffe://cluster.local/ns/bookbuyer/sa/bookbuyer")

// clock is a time that only tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func open(t *testing.T, dir string, c *clock) *ca.Authority {
	t.Helper()
	a, err := ca.Open(dir, ca.Options{Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *ca.Authority) (ca.Leaf, []*x509.Certificate) {
	t.Helper()
	l, err := a.Issue(buyer, 0)
	if err != nil {
		t.Fatal(err)
	}
	return l, chain(t, l.CertPEM)
}

func chain(t *testing.T, data []byte) []*x509.Certificate {
	t.Helper()
	var out []*x509.Certificate
	for b, rest := pem.Decode(data); b != nil; b, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func verify(t *testing.T, roots []byte, certs []*x509.Certificate, at time.Time) error {
	t.Helper()
	pool, inter := x509.NewCertPool(), x509.NewCertPool()
	if !pool.AppendCertsFromPEM(roots) {
		t.Fatal("the roots are not PEM")
	}
	for _, c := range certs[1:] {
		inter.AddCert(c)
	}
	_, err := certs[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: inter, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// A control plane whose clock is ahead, by more than the life of a leaf even, must
// not take the mesh down: peers whose clocks are right accept what it issues.
func TestLeafOfAClockThatIsAhead(t *testing.T) {
	c := &clock{t: start}
	a := open(t, t.TempDir(), c)
	for _, ahead := range []time.Duration{10 * time.Minute, 30 * time.Hour} {
		c.t = start.Add(ahead)
		_, certs := issue(t, a)
		if err := verify(t, a.Roots(), certs, start); err != nil {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}

// A replica that no proxy is connected to issues nothing. Its intermediate is renewed all
// the same, and no metric of it tells of one that is about to end.
func TestAnIdleAuthorityShowsNoIntermediateThatHasEnded(t *testing.T) {
	c := &clock{t: time.Now()}
	a := open(t, t.TempDir(), c)
	_, first := a.Expires()
	for _, after := range []time.Duration{first.Sub(c.now()) / 2, first.Sub(c.now()) + time.Hour} {
		c.set(c.now().Add(after))
		if _, end := a.Expires(); !end.After(first) || a.Err() != nil {
			t.Errorf("after %s it shows an intermediate that ends on %s, the first did on %s: %v", after, end, first, a.Err())
		}
	}
	_, end := a.Expires()
	if _, certs := issue(t, a); !certs[1].NotAfter.Equal(end) {
		t.Errorf("it shows one that ends on %s, and issues by one that does on %s", end, certs[1].NotAfter)
	}
}

func TestLeafHasOneNameAndBothUses(t *testing.T) {
	c := &clock{t: start}
	a := open(t, t.TempDir(), c)
	l, certs := issue(t, a)
	leaf := certs[0]
	if len(leaf.URIs) != 1 || leaf.URIs[0].String() != string(buyer) || len(leaf.DNSNames)+len(leaf.IPAddresses)+len(leaf.EmailAddresses) != 0 {
		t.Errorf("a peer could take the leaf for somebody else: URIs %v, DNS %v", leaf.URIs, leaf.DNSNames)
	}
	if key, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("key is a %T, not ECDSA P-256", leaf.PublicKey)
	}
	if back := start.Sub(leaf.NotBefore); back < 5*time.Minute || back > 10*time.Minute {
		t.Errorf("starts %s back: a peer whose clock is behind refuses it", back)
	}
	if leaf.NotAfter != start.Add(24*time.Hour) || l.NotAfter != leaf.NotAfter {
		t.Errorf("ends %s", leaf.NotAfter)
	}
	if got := l.RenewAt.Sub(start); got >= 12*time.Hour || got < 8*time.Hour {
		t.Errorf("renewed after %s: half of its life or later leaves no time to mend a failure", got)
	}
	if id, err := ca.IdentityOf(leaf); err != nil || id != buyer {
		t.Errorf("identity read back is %q, %v", id, err)
	}
	if len(certs) != 2 || !certs[1].IsCA {
		t.Fatalf("the chain has %d certificates: peers that hold only the root cannot check it", len(certs))
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		inter := x509.NewCertPool()
		inter.AddCert(certs[1])
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), Intermediates: inter, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
			t.Errorf("use %v: %v", use, err)
		}
	}
}

// A mesh that asks for shorter certificates gets them while proxies come and go: a
// longer one that a proxy brings back is replaced at once.
func TestLifetimesChangeWhileItIssues(t *testing.T) {
	c := &clock{t: start}
	a := open(t, t.TempDir(), c)
	long, _ := issue(t, a)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 20 {
			a.Keeps(long.Version())
			_, _ = a.Issue(buyer, 0)
		}
	}()
	if err := a.SetLifetimes(time.Hour, 0); err != nil {
		t.Fatal(err)
	}
	<-done
	if short, _ := issue(t, a); !short.NotAfter.Equal(start.Add(time.Hour)) {
		t.Errorf("a certificate lives until %s", short.NotAfter)
	}
	if _, ok := a.Keeps(long.Version()); ok {
		t.Error("a certificate of a day is kept where an hour is asked for")
	}
	if err := a.SetLifetimes(time.Second, 0); err == nil {
		t.Error("a life that cannot be renewed in time is taken")
	}
}

func TestMutualTLSBetweenTwoLeaves(t *testing.T) {
	a, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server, err := a.ServerCertificate([]string{"meshc.meshc-system", "127.0.0.1", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.Issue(buyer, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	client, err := l.TLS()
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"meshc.meshc-system", "127.0.0.1", "::1"} {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.Pool()})
		if err != nil {
			t.Fatal(err)
		}
		who := make(chan string, 1)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				who <- err.Error()
				return
			}
			defer conn.Close()
			tc := conn.(*tls.Conn)
			if err := tc.Handshake(); err != nil {
				who <- err.Error()
				return
			}
			id, err := ca.IdentityOf(tc.ConnectionState().PeerCertificates[0])
			who <- fmt.Sprint(id, err)
		}()
		conn, err := tls.Dial("tcp", ln.Addr().String(), &tls.Config{RootCAs: a.Pool(), ServerName: host, Certificates: []tls.Certificate{client}})
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if got := <-who; got != string(buyer)+"<nil>" {
			t.Errorf("%s: the server saw %s", host, got)
		}
		conn.Close()
		ln.Close()
	}
	if _, err := ca.IdentityOf(server.Leaf); err == nil {
		t.Error("the control plane's certificate passes for a workload's")
	}
}

func TestFilesAreTightAndSurviveReopening(t *testing.T) {
	dir, c := t.TempDir(), &clock{t: start}
	a := open(t, dir, c)
	l, certs := issue(t, a)
	for name, want := range map[string]os.FileMode{"ca": 0o700, "ca/root.pem": 0o600, "ca/intermediate.pem": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o, want %04o", name, info.Mode().Perm(), want)
		}
	}
	b := open(t, dir, c)
	if err := verify(t, b.Roots(), certs, start); err != nil {
		t.Errorf("after a restart earlier leaves are refused: %v", err)
	}
	if at, ok := b.Keeps(l.Version()); !ok || !at.Equal(start.Add(12*time.Hour)) {
		t.Errorf("after a restart leaf %s is not kept (%s, %v): every proxy would be sent a new one", l.Version(), at, ok)
	}
	files, err := os.ReadDir(filepath.Join(dir, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, "ca", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, l.KeyPEM) || strings.Contains(f.Name(), "leaf") {
			t.Errorf("a leaf's key is on disk in %s", f.Name())
		}
	}
}

func TestLoosePermissionsAreRefused(t *testing.T) {
	for _, name := range []string{"ca", "ca/root.pem", "ca/intermediate.pem"} {
		dir, c := t.TempDir(), &clock{t: start}
		open(t, dir, c)
		path := filepath.Join(dir, name)
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := ca.Open(dir, ca.Options{Now: c.now})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod") {
			t.Errorf("%s is open to others and the authority says: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	c := &clock{t: start}
	a := open(t, t.TempDir(), c)
	for _, id := range []ir.Identity{"", "bookbuyer/bookbuyer", "spiffe://cluster.local", "spiffe://cluster.local/", "spiffe://cluster.local/ns/../sa/x",
		"spiffe://other.org/ns/a/sa/b", "spiffe://cluster.local/ns/a/sa/b?x=1", "spiffe://Cluster.local/ns/a/sa/b", "https://cluster.local/ns/a/sa/b"} {
		if _, err := a.Issue(id, 0); err == nil {
			t.Errorf("%q got a certificate", id)
		}
	}
	if _, err := a.Issue(buyer, -time.Second); err == nil {
		t.Error("a life that is over was granted")
	}
	if leaf, err := a.Issue(buyer, 25*time.Hour); err != nil || leaf.NotAfter.After(start.Add(24*time.Hour)) {
		t.Errorf("a leaf that was to live 25h ends at %s: %v", leaf.NotAfter, err)
	}
	if _, err := a.ServerCertificate(nil); err == nil {
		t.Error("a server certificate without a name was issued")
	}
	for name, o := range map[string]ca.Options{
		"a trust domain with a slash":          {TrustDomain: "a/b"},
		"leaves that outlive the intermediate": {Leaf: 24 * time.Hour, Intermediate: 30 * time.Hour},
		"leaves of a second":                   {Leaf: time.Second},
	} {
		if _, err := ca.Open(t.TempDir(), o); err == nil {
			t.Errorf("opened with %s", name)
		}
	}
}

func TestDamagedStateIsNeverReplaced(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"another trust domain":  nil,
		"a lost root":           func(d string) error { return os.Remove(filepath.Join(d, "root.pem")) },
		"a cut root":            func(d string) error { return os.Truncate(filepath.Join(d, "root.pem"), 300) },
		"an empty intermediate": func(d string) error { return os.Truncate(filepath.Join(d, "intermediate.pem"), 0) },
		"swapped files": func(d string) error {
			return os.Rename(filepath.Join(d, "root.pem"), filepath.Join(d, "intermediate.pem"))
		},
	} {
		dir, c := t.TempDir(), &clock{t: start}
		open(t, dir, c)
		opts := ca.Options{Now: c.now}
		if spoil == nil {
			opts.TrustDomain = "other.org"
		} else if err := spoil(filepath.Join(dir, "ca")); err != nil {
			t.Fatal(err)
		}
		if _, err := ca.Open(dir, opts); err == nil {
			t.Errorf("%s: the authority opened, so a new root would cut the mesh in two", name)
		}
	}
}

func TestKeysAreRedacted(t *testing.T) {
	c := &clock{t: start}
	l, _ := issue(t, open(t, t.TempDir(), c))
	j, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("leaf", "key", l.KeyPEM, "leaf", l)
	body := strings.Split(string(l.KeyPEM), "\n")[1]
	for how, out := range map[string]string{
		"%v": fmt.Sprintf("%v", l), "%+v": fmt.Sprintf("%+v", l), "%#v": fmt.Sprintf("%#v", l), "%s": fmt.Sprintf("%s", l.KeyPEM),
		"%x": fmt.Sprintf("%x", l.KeyPEM), "json": string(j), "slog": log.String(), "error": fmt.Errorf("leaf %v", l.KeyPEM).Error(),
	} {
		if strings.Contains(out, body) || strings.Contains(out, fmt.Sprintf("%x", body)) || !strings.Contains(out, "[redacted]") {
			t.Errorf("%s shows the key: %s", how, out)
		}
	}
}
