package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/catalog/token"
)

func TestTokenLifeOnTheCommandLine(t *testing.T) {
	state := t.TempDir()
	out, said := wants(t, exitClean, "token", "create", "--identity", "shop/cart", "--workload", "vm-1", "--state", state)
	raw := strings.TrimSuffix(out, "\n")
	store, err := token.Open(state, token.Options{})
	if err != nil {
		t.Fatal(err)
	}
	claims, err := store.Verify(raw, time.Now())
	if err != nil || claims.Identity != "spiffe://cluster.local/ns/shop/sa/cart" || claims.Workload != "shop/vm-1" {
		t.Fatalf("standard output is not the token alone: %q: %+v, %v", out, claims, err)
	}
	if !strings.Contains(said, claims.ID) {
		t.Errorf("nobody learns the id by which the token is revoked: %s", said)
	}
	list, _ := wants(t, exitClean, "token", "list", "--state", state)
	if !strings.Contains(list, claims.ID) || !strings.Contains(list, "valid") || strings.Contains(list, raw) {
		t.Errorf("list:\n%s", list)
	}
	wants(t, exitClean, "token", "revoke", claims.ID, "--state", state)
	if _, err := store.Verify(raw, time.Now()); err == nil {
		t.Error("the token is still good")
	}
	list, _ = wants(t, exitClean, "token", "list", "--state", state, "-o", "json")
	var records []token.Record
	if err := json.Unmarshal([]byte(list), &records); err != nil || len(records) != 1 || !records[0].Revoked {
		t.Errorf("scripts cannot tell a revoked token (%v):\n%s", err, list)
	}
	if _, said = wants(t, exitClean, "token", "revoke", "aaaaaaaaaaaaaaaa", "--state", state); !strings.Contains(said, "aaaaaaaaaaaaaaaa") {
		t.Errorf("a typing slip in an id goes by unseen: %q", said)
	}
}

// Who makes a token on the control machine need not repeat the mesh's trust domain;
// one for another domain would be refused only where it is used.
func TestTokenIsOfTheFoldersDomain(t *testing.T) {
	state := t.TempDir()
	wants(t, exitClean, "token", "create", "--identity", "shop/cart", "--state", state)
	if _, err := ca.Open(state, ca.Options{TrustDomain: "corp.example"}); err != nil {
		t.Fatal(err)
	}
	_, said := wants(t, exitClean, "token", "create", "--identity", "shop/web", "--state", state)
	if !strings.Contains(said, "spiffe://corp.example/ns/shop/sa/web") {
		t.Errorf("the token is for %s", said)
	}
	for _, args := range [][]string{{"--identity", "shop/web", "--trust-domain", "cluster.local"}, {"--identity", "spiffe://other/ns/shop/sa/web"}} {
		_, said = wants(t, exitUsage, append([]string{"token", "create", "--state", state}, args...)...)
		if !strings.Contains(said, "certifies only corp.example") {
			t.Errorf("%v: %s", args, said)
		}
	}
	list, _ := wants(t, exitClean, "token", "list", "--state", state)
	for _, want := range []string{"  shop/web  ", "  spiffe://cluster.local/ns/shop/sa/cart  "} {
		if !strings.Contains(list, want) {
			t.Errorf("the list does not tell identities of two domains apart: no %q in\n%s", want, list)
		}
	}
}

func TestTokenUsage(t *testing.T) {
	state := t.TempDir()
	for _, args := range [][]string{
		{"token", "create", "--identity", "shop/cart"},
		{"token", "create", "--state", state},
		{"token", "create", "--identity", "cart", "--state", state},
		{"token", "create", "--identity", "shop/cart", "--ttl", "1s", "--state", state},
		{"token", "create", "--identity", "shop/cart", "--trust-domain", "A B", "--state", state},
		{"token", "revoke", "all", "--state", state},
		{"token", "revoke", "--state", state},
		{"token", "list", "--state", state, "-o", "xml"},
	} {
		wants(t, exitUsage, args...)
	}
	// A slip in the folder's name must not look like a revocation that worked.
	slip := filepath.Join(state, "slip")
	for _, args := range [][]string{{"token", "revoke", "aaaaaaaaaaaaaaaa", "--state", slip}, {"token", "list", "--state", slip}} {
		if _, said := wants(t, exitInput, args...); !strings.Contains(said, slip) {
			t.Errorf("%v does not name the folder: %s", args, said)
		}
	}
	if _, err := os.Stat(slip); err == nil {
		t.Error("a state folder was made by a verb that only looks")
	}
	loose := filepath.Join(state, "loose")
	wants(t, exitClean, "token", "create", "--identity", "shop/cart", "--state", loose)
	if err := os.Chmod(filepath.Join(loose, "token"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, said := wants(t, exitInput, "token", "list", "--state", loose); !strings.Contains(said, "chmod") {
		t.Errorf("nobody is told what to do: %s", said)
	}
}

func TestTokenRenewRewritesTheFile(t *testing.T) {
	dir := t.TempDir()
	store, err := token.Open(dir, token.Options{})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ca.Open(dir, ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: store.Handler(), TLSConfig: &tls.Config{GetCertificate: authority.GetCertificate([]string{"127.0.0.1"})}}
	go func() { _ = srv.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })

	raw, _ := wants(t, exitClean, "token", "create", "--identity", "shop/cart", "--workload", "shop/vm-1", "--state", dir)
	caFile, tokenFile := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "machine-token")
	writeFiles(t, dir, map[string]string{"ca.pem": string(authority.Roots()), "machine-token": raw})
	renew := []string{"token", "renew", "--server", ln.Addr().String(), "--ca", caFile, "--token-file", tokenFile}
	out, _ := wants(t, exitClean, renew...)
	renewed, err := token.ReadFile(tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := store.Verify(renewed, time.Now())
	if err != nil || renewed == strings.TrimSpace(raw) || claims.Workload != "shop/vm-1" {
		t.Errorf("the file holds %+v, %v", claims, err)
	}
	if out != "" {
		t.Errorf("a timer's log would show %q", out)
	}

	wants(t, exitClean, "token", "revoke", claims.ID, "--state", dir)
	if _, said := wants(t, exitEngine, renew...); !strings.Contains(said, "revoked") {
		t.Errorf("the machine is not told why: %s", said)
	}
	if again, err := token.ReadFile(tokenFile); err != nil || again != renewed {
		t.Errorf("a refused renewal changed the file (%v)", err)
	}
	wants(t, exitInput, "token", "renew", "--server", ln.Addr().String(), "--ca", filepath.Join(dir, "none"), "--token-file", tokenFile)
}
