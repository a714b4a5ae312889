package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/doctor"
)

// authority is a root with an intermediate, which issues.
type authority struct {
	root, between *x509.Certificate
	key           *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.root, a.key = issue(t, nil, nil, &x509.Certificate{IsCA: true, NotAfter: time.Now().Add(time.Hour)})
	a.between, a.key = issue(t, a.root, a.key, &x509.Certificate{IsCA: true, NotAfter: time.Now().Add(time.Hour)})
	return a
}

func issue(t *testing.T, parent *x509.Certificate, by *ecdsa.PrivateKey, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = c, key
	}
	c.SerialNumber, c.NotBefore, c.BasicConstraintsValid = big.NewInt(1), time.Now().Add(-2*time.Hour), true

	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

// dump is what an Envoy tells that holds a leaf of an account, with its intermediate, and
// the roots of an authority.
func (a *authority) dump(t *testing.T, account string, ends time.Duration, trusts *authority) string {
	t.Helper()
	leaf, _ := issue(t, a.between, a.key, &x509.Certificate{URIs: []*url.URL{{Scheme: "spiffe", Host: "cluster.local", Path: "/ns/town/sa/" + account}}, NotAfter: time.Now().Add(ends)})
	return secrets(t, `{"name":"identity","secret":{"tls_certificate":{"certificate_chain":{"inline_bytes":`+inPEM(t, leaf, a.between)+`}}}}`,
		`{"name":"roots","secret":{"validation_context":{"trusted_ca":{"inline_bytes":`+inPEM(t, trusts.root)+`}}}}`)
}

func secrets(t *testing.T, active ...string) string {
	t.Helper()
	return `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.SecretsConfigDump","dynamic_active_secrets":[` + strings.Join(active, ",") + `]}]}`
}

// inPEM are certificates as JSON has bytes.
func inPEM(t *testing.T, certs ...*x509.Certificate) string {
	t.Helper()
	var out []byte
	for _, c := range certs {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// envoys are what the Envoys of pods tell; of one that is not there nothing is heard.
type envoys map[string]string

func wellKept(t *testing.T) envoys {
	t.Helper()
	a := newAuthority(t)
	return envoys{"front": a.dump(t, "front", time.Hour, a), "cart": a.dump(t, "cart", time.Hour, a)}
}

// reached are envoys that can be asked, by pod.
type reached map[string]*url.URL

func (e envoys) start(t *testing.T) reached {
	t.Helper()
	out := reached{}
	for pod, text := range e {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(text)) // the client says so if it is gone
		}))
		t.Cleanup(server.Close)
		at, err := url.Parse(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		out[pod] = at
	}
	return out
}

func (r reached) inside(_, pod string, _ int) *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		if r[pod] == nil {
			return nil, errors.New("nobody listens")
		}
		return r[pod], nil
	}}}
}

// What is wrong with a certificate at either end is told before what comes of it is
// counted; an Envoy that does not answer is left to the last step.
func TestAWalkEndsAtACertificateThatIsNotTaken(t *testing.T) {
	result, found := compiler.Compile(source.FromMap(map[string][]byte{"town.yaml": []byte(town)}), ir.Known{}, compiler.Options{NoRules: true})
	if found.HasErrors() {
		t.Fatal(found)
	}
	server := httptest.NewServer(works())
	t.Cleanup(server.Close)
	client, err := api.New(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	a, other := newAuthority(t), newAuthority(t)
	front, cart := a.dump(t, "front", time.Hour, a), a.dump(t, "cart", time.Hour, a)
	for name, c := range map[string]struct {
		envoys     envoys
		last, code string
		says       string
	}{
		"both are well":                  {envoys{"front": front, "cart": cart}, "envoy", "", ""},
		"the caller has none":            {envoys{"front": secrets(t), "cart": cart}, "certificate", "MSH4137", "front holds no certificate"},
		"the server has none":            {envoys{"front": front, "cart": secrets(t)}, "certificate", "MSH4137", "cart holds no certificate"},
		"the caller's ended":             {envoys{"front": a.dump(t, "front", -time.Minute, a), "cart": cart}, "certificate", "MSH4137", "front ended on"},
		"the server's is of another":     {envoys{"front": front, "cart": a.dump(t, "till", time.Hour, a)}, "certificate", "MSH4137", "sa/till"},
		"the caller trusts another root": {envoys{"front": a.dump(t, "front", time.Hour, other), "cart": cart}, "certificate", "MSH4137", "front does not trust the certificate of pod cart"},
		"the server trusts another root": {envoys{"front": front, "cart": a.dump(t, "cart", time.Hour, other)}, "certificate", "MSH4137", "cart does not trust the certificate of pod front"},
		"the server's Envoy is silent":   {envoys{"front": front}, "envoy", "MSH4119", "cart does not tell"},
		"the caller's Envoy is silent":   {envoys{"cart": cart}, "envoy", "MSH4119", "front does not tell"},
	} {
		t.Run(name, func(t *testing.T) {
			walk := doctor.Walk{Client: client, Namespace: "meshc-system", Mesh: result.Mesh, Now: time.Now(), Inside: c.envoys.start(t).inside,
				From: api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: "town", Name: "front"},
				To:   ir.PortID{Service: ir.ServiceID{Namespace: "town", Name: "cart"}}, HTTP: &ir.HTTPRequest{Method: "GET", Path: "/items"}}
			checks, err := walk.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var all diag.List
			for _, check := range checks {
				all.Add(check.Found...)
			}
			if last := checks[len(checks)-1].Name; last != c.last || (len(all) == 0) != (c.code == "") {
				t.Fatalf("it ended at %s with %v, want %s with %q", last, all, c.last, c.code)
			}
			if len(all) > 0 && (len(all) > 1 || string(all[0].Code) != c.code || !strings.Contains(all[0].Message, c.says)) {
				t.Errorf("it finds %v, want one %s that says %q", all, c.code, c.says)
			}
		})
	}
}
