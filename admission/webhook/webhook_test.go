package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/diag"
)

// broken is a compiler with a defect.
type broken struct{}

func (broken) Try(compiler.Change) diag.List { panic("a defect") }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func policy(operation string) []byte {
	return []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"1","kind":{"group":"split.smi-spec.io","version":"v1alpha4","kind":"TrafficSplit"},` +
		`"name":"s","namespace":"shop","operation":"` + operation + `","object":{"metadata":{"name":"s"},"spec":{}}}}`)
}

// A defect must not let anything in: the API server is told that the call failed, and
// the server goes on.
func TestAPanicIsAFailureAndNoYes(t *testing.T) {
	registry := prometheus.NewRegistry()
	s, err := webhook.New(webhook.Options{Validate: &validate.Handler{Compiler: broken{}}, Registry: registry, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhook.ValidatePath, bytes.NewReader(policy("DELETE"))))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "allowed") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	want := "# HELP meshc_webhook_requests_total Calls of API servers, by webhook, verdict (allowed, warned, denied, injected, converted, refused, failed) and code: the first finding's, or that of HTTP where it failed.\n" +
		"# TYPE meshc_webhook_requests_total counter\nmeshc_webhook_requests_total{code=\"500\",verdict=\"failed\",webhook=\"validate\"} 2\n"
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "meshc_webhook_requests_total"); err != nil {
		t.Error(err)
	}
}

// from gives each call an address of its own: one has only its share of the places.
func from(calls *atomic.Int32, r *http.Request) *http.Request {
	r.RemoteAddr = fmt.Sprintf("10.0.0.%d:4711", calls.Add(1))
	return r
}

// The server is open to whoever reaches it: many long bodies at once must not take all
// its memory, nor keep short ones from being answered.
func TestFewLongConversionsAtOnce(t *testing.T) {
	s, err := webhook.New(webhook.Options{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	post := func(body io.Reader) int {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, from(&calls, httptest.NewRequest(http.MethodPost, webhook.ConvertPath, body)))
		return w.Code
	}
	var bodies []*io.PipeWriter
	codes := make(chan int, 2)
	for range 2 {
		r, w := io.Pipe() // of a length that nobody knows
		bodies = append(bodies, w)
		go func() { codes <- post(r) }()
		if _, err := w.Write([]byte("{")); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	if r, _ := io.Pipe(); post(r) != http.StatusServiceUnavailable {
		t.Error("a third long one was read")
	}
	short := `{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"split.smi-spec.io/v1alpha4","objects":[]}}`
	if code := post(strings.NewReader(short)); code != http.StatusOK {
		t.Errorf("a short one is answered by %d", code)
	}
	for _, w := range bodies {
		w.Close()
		<-codes
	}
	r, w := io.Pipe()
	go func() { _, _ = io.WriteString(w, short); w.Close() }()
	if code := post(r); code != http.StatusOK {
		t.Errorf("after these a long one is answered by %d", code)
	}
}

// Reviews too: long ones that nobody finishes keep neither short ones waiting nor take
// more memory than a few of them have, and what is too long for one is not read at all.
func TestFewLongReviewsAtOnce(t *testing.T) {
	s, err := webhook.New(webhook.Options{Inject: injector(shop, settings()), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int32
	post := func(body io.Reader, length int64) int {
		r := httptest.NewRequest(http.MethodPost, webhook.MutatePath, body)
		r.ContentLength = length
		w := httptest.NewRecorder()
		s.ServeHTTP(w, from(&calls, r))
		return w.Code
	}
	codes := make(chan int)
	var open []*io.PipeWriter
	for range 4 {
		r, w := io.Pipe()
		open = append(open, w)
		go func() { codes <- post(r, -1) }()
		if _, err := w.Write([]byte("{")); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	if r, _ := io.Pipe(); post(r, 1<<20) != http.StatusServiceUnavailable {
		t.Error("a fifth long one was read")
	}
	short := review(t, "shop", []byte(plain))
	if code := post(bytes.NewReader(short), int64(len(short))); code != http.StatusOK {
		t.Errorf("a short one is answered by %d", code)
	}
	if r, _ := io.Pipe(); post(r, 9<<20) != http.StatusRequestEntityTooLarge {
		t.Error("one that can be no review was read")
	}
	for _, w := range open {
		w.Close()
		if code := <-codes; code != http.StatusBadRequest {
			t.Errorf("half a review is answered by %d", code)
		}
	}
}

// Operators tell by the metrics what the webhooks do.
func TestAnswersAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	told := 0
	inject := injector(shop, settings())
	inject.Decided = func(*validate.Request, *validate.Response) { told++ }
	s, err := webhook.New(webhook.Options{Inject: inject, Registry: registry, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ask(t, s, webhook.MutatePath, review(t, "shop", []byte(plain)))
	ask(t, s, webhook.MutatePath, review(t, "shop", []byte(strings.Replace(plain, `"spec":{`, `"spec":{"os":{"name":"windows"},`, 1))))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhook.ConvertPath, strings.NewReader(
		`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"specs.smi-spec.io/v1alpha4","objects":[{"kind":"TCPRoute"}]}}`)))
	if w.Code != http.StatusOK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	var text strings.Builder
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			text.WriteString(f.GetName())
			for _, l := range m.Label {
				text.WriteString(" " + l.GetName() + "=" + l.GetValue())
			}
			text.WriteString("\n")
		}
	}
	for _, want := range []string{
		"requests_total code= verdict=injected webhook=mutate", "requests_total code=MSH4031 verdict=denied webhook=mutate",
		"requests_total code= verdict=refused webhook=convert", "findings_total code=MSH4031 webhook=mutate", "duration_seconds webhook=convert",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("there is no %s in\n%s", want, text.String())
		}
	}
	if told != 2 {
		t.Errorf("who asked to be told was, %d times", told)
	}
	for _, path := range []string{webhook.ValidatePath, "/", "/metrics"} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(policy("CREATE"))))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s is answered with %d", path, w.Code)
		}
	}
}

// serving lets a server serve, with the roots that its clients know it by.
func serving(t *testing.T, s *webhook.Server, authority *ca.Authority) (net.Listener, *x509.CertPool, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.Roots())
	return l, pool, ended
}

// A certificate that changed is used from the next connection on; nothing older than
// TLS 1.2 is spoken; a shutdown ends Serve without an error.
func TestServesOverTLSWithTheCertificateOfTheMoment(t *testing.T) {
	authority, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	handed := 0
	s, err := webhook.New(webhook.Options{Inject: injector(shop, settings()), Log: quiet(), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		handed++
		c, err := authority.ServerCertificate([]string{"localhost"})
		return &c, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, pool, ended := serving(t, s, authority)
	call := func(most uint16) error {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: most}}}
		resp, err := client.Post("https://"+l.Addr().String()+webhook.MutatePath, "application/json", bytes.NewReader(review(t, "shop", []byte(plain))))
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		if err := call(version); err != nil {
			t.Error(err)
		}
	}
	if err := call(tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if handed < 2 {
		t.Errorf("the certificate was asked for %d times", handed)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := (&webhook.Server{}).Serve(l); err == nil {
		t.Error("it serves without a certificate")
	}
}

// With an authority of clients only who has a certificate of it is answered: what is
// found in an object tells of policy. Conversions tell of nothing, and need none.
func TestOnlyKnownClientsAsk(t *testing.T) {
	own, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, own.Roots(), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := webhook.New(webhook.Options{Inject: injector(shop, settings()), Log: quiet(), Clients: webhook.ClientsOf(file),
		Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := own.ServerCertificate([]string{"localhost"})
			return &c, err
		}})
	if err != nil {
		t.Fatal(err)
	}
	l, pool, ended := serving(t, s, own)
	call := func(of *ca.Authority, path string, body []byte) string {
		config := &tls.Config{RootCAs: pool, ServerName: "localhost"}
		if of != nil {
			leaf, err := of.Issue("spiffe://cluster.local/ns/kube-system/sa/apiserver", 0)
			if err != nil {
				t.Fatal(err)
			}
			c, err := leaf.TLS()
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &c, nil }
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config, ForceAttemptHTTP2: true}}
		resp, err := client.Post("https://"+l.Addr().String()+path, "application/json", bytes.NewReader(body))
		if err != nil {
			return "no answer"
		}
		resp.Body.Close()
		return resp.Status
	}
	pod := review(t, "shop", []byte(plain))
	conversion := []byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"split.smi-spec.io/v1alpha4","objects":[]}}`)
	for _, c := range []struct {
		name string
		got  string
		want string
	}{
		{"an API server", call(own, webhook.MutatePath, pod), "200 OK"},
		{"nobody", call(nil, webhook.MutatePath, pod), "401 Unauthorized"},
		{"somebody else", call(other, webhook.MutatePath, pod), "no answer"},
		{"a conversion", call(nil, webhook.ConvertPath, conversion), "200 OK"},
	} {
		if c.got != c.want {
			t.Errorf("%s is answered %q, want %q", c.name, c.got, c.want)
		}
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
