package webhook_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/catalog/ca"
)

// API servers keep their connections for as long as they can. A replica that leaves
// answers on them, has its callers go elsewhere call by call, and loses none on the way.
func TestWhoLeavesGivesItsCallersAwayWithoutAFailure(t *testing.T) {
	// API servers speak HTTP/1.1 to webhooks; others may speak HTTP/2.
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", major), func(t *testing.T) { leaves(t, major) })
	}
}

func leaves(t *testing.T, major int) {
	authority, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := webhook.New(webhook.Options{Inject: injector(shop, settings()), Log: quiet(), Certificate: authority.GetCertificate([]string{"localhost"})})
	if err != nil {
		t.Fatal(err)
	}
	l, pool, ended := serving(t, s, authority)
	client := &http.Client{Transport: &http.Transport{ForceAttemptHTTP2: major == 2, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}}}
	call := func() (reused bool) {
		t.Helper()
		trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) { reused = c.Reused }}
		r, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPost,
			"https://"+l.Addr().String()+webhook.MutatePath, bytes.NewReader(review(t, "shop", []byte(plain))))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("a call is lost: %v", err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != major {
			t.Fatalf("%s over %s: %v", resp.Status, resp.Proto, err)
		}
		return reused
	}
	call()
	for range 20 {
		if !call() {
			t.Fatal("a caller of a replica that stays has to connect anew")
		}
	}
	s.Leave()
	if !call() {
		t.Error("a connection is closed of which its caller was not told: what it had sent would be lost")
	}
	anew := 0
	for calls := 0; anew < 3 && calls < 10_000; calls++ {
		if !call() { // over HTTP/2 some calls may come before GOAWAY does
			anew++
		}
	}
	if anew < 3 {
		t.Errorf("the caller has connected anew %d times", anew)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
