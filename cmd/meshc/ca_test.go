package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog/ca"
)

// A root is replaced by the command line while a server runs: show tells whom it
// waits for, export what machines should pin, rotate --forget lets it go on.
func TestRotateUnderAServer(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "catalog.yaml": serveCatalog})
	out, state := filepath.Join(dir, "bundle"), filepath.Join(dir, "state")
	wants(t, exitClean, "build", filepath.Join(dir, "apps.yaml"), "-o", out)
	wants(t, exitInput, "ca", "show", "--state", state)
	wants(t, exitInput, "ca", "rotate", "--state", state)
	serving(t, "--bundle", out, "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", state)

	before, _ := wants(t, exitClean, "ca", "export", "--state", state)
	if strings.Count(before, "BEGIN CERTIFICATE") != 1 || strings.Contains(before, "KEY") {
		t.Fatalf("export prints\n%s", before)
	}
	shown, _ := wants(t, exitClean, "ca", "show", "--state", state)
	for _, want := range []string{"trust domain cluster.local", "root\n", "intermediate\n", "fingerprint  ", "ECDSA P-256", "valid "} {
		if !strings.Contains(shown, want) {
			t.Errorf("show does not say %q:\n%s", want, shown)
		}
	}
	wants(t, exitUsage, "ca", "rotate", "--state", state, "--forget", "shop/web")
	wants(t, exitUsage, "ca", "rotate", "--state", state, "--max-wait", "-1h")
	wants(t, exitClean, "ca", "rotate", "--state", state, "--max-wait", "72h")
	both, _ := wants(t, exitClean, "ca", "export", "--state", state)
	if !strings.HasPrefix(both, before) || strings.Count(both, "BEGIN CERTIFICATE") != 2 {
		t.Errorf("during the rotation machines would pin\n%s", both)
	}
	var d ca.Description
	for deadline := time.Now().Add(30 * time.Second); ; {
		asJSON, _ := wants(t, exitClean, "ca", "show", "--state", state, "-o", "json")
		if err := json.Unmarshal([]byte(asJSON), &d); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(asJSON, "PRIVATE") {
			t.Fatal("show prints a key")
		}
		if len(d.Rotation.Waiting) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server never said whom it waits for: %+v", d.Rotation)
		}
		time.Sleep(50 * time.Millisecond) // the server looks every other second
	}
	shown, _ = wants(t, exitClean, "ca", "show", "--state", state)
	for _, want := range []string{"old root", "new root", "step trust", "no step waits longer than 72h", "waits for shop/web: it is not connected", "meshc ca export"} {
		if !strings.Contains(shown, want) {
			t.Errorf("show does not say %q:\n%s", want, shown)
		}
	}
	_, stderr := wants(t, exitUsage, "ca", "rotate", "--state", state, "--forget", "shop/wep")
	if !strings.Contains(stderr, "these are: shop/web") {
		t.Errorf("a mistyped workload: %s", stderr)
	}
	shown, _ = wants(t, exitClean, "ca", "rotate", "--state", state, "--forget", "shop/web")
	if !strings.Contains(shown, "not waited for: shop/web") {
		t.Errorf("show does not say who is forgotten:\n%s", shown)
	}
	wants(t, exitUsage, "ca", "rotate", "--state", state, "--cancel", "--forget", "shop/web")
	wants(t, exitClean, "ca", "rotate", "--state", state, "--cancel")
	if after, _ := wants(t, exitClean, "ca", "export", "--state", state); after != before {
		t.Errorf("the rotation was taken back, and machines would pin\n%s", after)
	}
	wants(t, exitUsage, "ca", "rotate", "--state", state, "--cancel")
	wants(t, exitInput, "ca", "rotate", "--state", t.TempDir())
}

// A root of one's own is taken, and one that cannot serve is refused with a sentence.
func TestImportAuthority(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"key.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	for name, authority := range map[string]bool{"good.pem": true, "bad.pem": false} {
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "corp"}, BasicConstraintsValid: true, IsCA: authority,
			KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(9000 * time.Hour)}
		cert, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	}
	writeFiles(t, dir, files)
	state, keyFile := filepath.Join(dir, "state"), filepath.Join(dir, "key.pem")
	wants(t, exitInput, "ca", "import", "--cert", filepath.Join(dir, "none.pem"), "--key", keyFile, "--state", state)
	_, stderr := wants(t, exitUsage, "ca", "import", "--cert", filepath.Join(dir, "bad.pem"), "--key", keyFile, "--state", state)
	if !strings.Contains(stderr, "CA:TRUE") {
		t.Errorf("it says %s", stderr)
	}
	wants(t, exitClean, "ca", "import", "--cert", filepath.Join(dir, "good.pem"), "--key", keyFile, "--state", state)
	exported, _ := wants(t, exitClean, "ca", "export", "--state", state)
	if exported != files["good.pem"] {
		t.Errorf("machines would pin\n%s", exported)
	}
	if _, err := os.Stat(filepath.Join(state, "ca", "rotation.json")); err == nil {
		t.Error("a rotation began though nobody has another root yet")
	}
}
