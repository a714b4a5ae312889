package token_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
)

// server is a control plane's HTTPS port with a certificate of its own authority.
func server(t *testing.T, s *token.Store) (addr string, roots []byte) {
	t.Helper()
	a, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s.Handler(), TLSConfig: &tls.Config{GetCertificate: a.GetCertificate([]string{"127.0.0.1"})}}
	go func() { _ = srv.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { srv.Close() })
	return ln.Addr().String(), a.Roots()
}

func TestRenewOverTLS(t *testing.T) {
	c := &clock{t: start}
	s := open(t, t.TempDir(), c)
	raw, _ := create(t, s, time.Hour)
	addr, roots := server(t, s)
	c.add(time.Minute)
	got, err := token.Remote{Server: addr, CA: roots}.Renew(context.Background(), raw+"\n")
	if err != nil {
		t.Fatal(err)
	}
	claims, err := s.Verify(got.Token, c.now())
	if err != nil || claims.ID != got.ID || claims.Workload != "shop/vm-1" || !got.Expires.Equal(start.Add(61*time.Minute)) {
		t.Errorf("renewed %+v: %v", got, err)
	}
	c.add(2 * time.Hour)
	if _, err := (token.Remote{Server: addr, CA: roots}).Renew(context.Background(), raw); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("the machine is not told why: %v", err)
	}
}

// A token must not reach a server that did not prove itself.
func TestRenewTrustsThePinnedCAOnly(t *testing.T) {
	s := open(t, t.TempDir(), &clock{t: start})
	raw, _ := create(t, s, time.Hour)
	addr, roots := server(t, s)
	_, others := server(t, s)
	for name, r := range map[string]token.Remote{
		"another CA":   {Server: addr, CA: others},
		"no CA":        {Server: addr},
		"another name": {Server: addr, CA: roots, ServerName: "meshc.example"},
	} {
		if _, err := r.Renew(context.Background(), raw); err == nil {
			t.Errorf("%s: the token was sent", name)
		}
	}
	if list, err := s.List(); err != nil || len(list) != 1 {
		t.Errorf("a renewal got through: %v, %v", list, err)
	}
}

// do calls the handler as if over TLS.
func do(t *testing.T, h http.Handler, method, path, auth string, overTLS bool) (*http.Response, token.Refusal) {
	t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(strings.Repeat("x", 1<<20)))
	req.TLS = nil
	if overTLS {
		req.TLS = &tls.ConnectionState{}
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	body, err := io.ReadAll(rec.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	var why token.Refusal
	_ = json.Unmarshal(body, &why) // the router's own answers are text
	return rec.Result(), why
}

func TestHandlerRefusals(t *testing.T) {
	c := &clock{t: start}
	s := open(t, t.TempDir(), c)
	raw, claims := create(t, s, time.Hour)
	gone, goneClaims := create(t, s, time.Hour)
	if _, err := s.Revoke(goneClaims.ID); err != nil {
		t.Fatal(err)
	}
	h := s.Handler()
	for name, x := range map[string]struct {
		method, path, auth string
		tls                bool
		code               int
		says               string
	}{
		"without TLS":  {"POST", token.RenewPath, "Bearer " + raw, false, 403, "TLS"},
		"without":      {"POST", token.RenewPath, "", true, 401, "missing"},
		"with words":   {"POST", token.RenewPath, "Bearer let me in", true, 401, "missing"},
		"basic":        {"POST", token.RenewPath, "Basic " + raw, true, 401, "missing"},
		"with rubbish": {"POST", token.RenewPath, "Bearer rubbish", true, 401, token.ErrMalformed.Error()},
		"revoked":      {"POST", token.RenewPath, "Bearer " + gone, true, 401, token.ErrRevoked.Error()},
		"by GET":       {"GET", token.RenewPath, "Bearer " + raw, true, 405, ""},
		"elsewhere":    {"POST", "/v1/token/create", "Bearer " + raw, true, 404, ""},
	} {
		resp, why := do(t, h, x.method, x.path, x.auth, x.tls)
		if resp.StatusCode != x.code || !strings.Contains(why.Error, x.says) {
			t.Errorf("%s: %d %q, want %d %q", name, resp.StatusCode, why.Error, x.code, x.says)
		}
	}
	resp, _ := do(t, h, "POST", token.RenewPath, "Bearer "+raw, true)
	if resp.StatusCode != 200 || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the token %s itself: %d, %v", claims.ID, resp.StatusCode, resp.Header)
	}
}

// One machine that renews in a loop must neither fill the disk nor starve others.
func TestHandlerIsRateLimited(t *testing.T) {
	c := &clock{t: start}
	s := open(t, t.TempDir(), c)
	loop, _ := create(t, s, time.Hour)
	calm, _ := create(t, s, time.Hour)
	h := s.Handler()
	last := 0
	for range 20 {
		resp, _ := do(t, h, "POST", token.RenewPath, "Bearer "+loop, true)
		last = resp.StatusCode
		if last == 429 && resp.Header.Get("Retry-After") == "" {
			t.Error("the machine is not told when to come back")
		}
	}
	if last != 429 {
		t.Errorf("the twentieth renewal in no time: %d", last)
	}
	if list, err := s.List(); err != nil || len(list) > 5 {
		t.Errorf("%d tokens (%v)", len(list), err)
	}
	if resp, _ := do(t, h, "POST", token.RenewPath, "Bearer "+calm, true); resp.StatusCode != 200 {
		t.Errorf("another machine: %d", resp.StatusCode)
	}
	c.add(time.Minute)
	if resp, _ := do(t, h, "POST", token.RenewPath, "Bearer "+loop, true); resp.StatusCode != 200 {
		t.Errorf("a minute later: %d", resp.StatusCode)
	}
	codes := map[int]int{}
	for range 200 {
		resp, _ := do(t, h, "POST", token.RenewPath, "Bearer rubbish", true)
		codes[resp.StatusCode]++
	}
	if codes[429] < 50 {
		t.Errorf("guessing is not slowed: %v", codes)
	}
}

func TestReplaceFileKeepsModeAndLinks(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real"), filepath.Join(dir, "token")
	if err := os.WriteFile(path, []byte("old\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Fatal(err)
	}
	if err := token.ReplaceFile(link, "n.e.w"); err != nil {
		t.Fatal(err)
	}
	got, err := token.ReadFile(link)
	if err != nil || got != "n.e.w" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "no-token"), []byte("-----BEGIN PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := token.ReadFile(filepath.Join(dir, "no-token")); err == nil {
		t.Errorf("what is no token is about to be sent to the control plane: %q", got)
	}
	if err := os.Remove(filepath.Join(dir, "no-token")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v: Envoy can no longer read it", info.Mode(), err)
	}
	if l, err := os.Lstat(link); err != nil || l.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link became a file (%v)", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
	if err := token.ReplaceFile(filepath.Join(dir, "none"), "new"); err == nil {
		t.Error("a file that was not there was made, with whatever mode")
	}
	if _, err := token.ReadFile(filepath.Join(dir, "none")); err == nil {
		t.Error("a missing file passes for a token")
	}
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := token.ReadFile(path); err == nil {
		t.Error("an empty file passes for a token")
	}
}
