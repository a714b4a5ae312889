package upkeep_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/deploy/upkeep"
)

// A certificate that cert-manager renews is served without a restart; while the files
// are half written, what was there before is.
func TestAMountedCertificateIsReadAgain(t *testing.T) {
	authority, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, now := t.TempDir(), time.Now()
	put := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute) // the files are looked at again
		if err := os.Chtimes(filepath.Join(dir, name), now, now); err != nil {
			t.Fatal(err)
		}
	}
	issue := func() ca.Leaf {
		leaf, err := authority.Issue("spiffe://cluster.local/ns/a/sa/a", 0)
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	k, err := upkeep.New(upkeep.Options{Config: &rest.Config{Host: "https://127.0.0.1:1"}, Namespace: "meshc-system", Now: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.OpenWebhooks(t.Context(), upkeep.WebhookOptions{Folder: dir}); err == nil {
		t.Error("it serves without a certificate")
	}
	first := issue()
	put("tls.crt", first.CertPEM)
	put("tls.key", first.KeyPEM)
	w, err := k.OpenWebhooks(t.Context(), upkeep.WebhookOptions{Folder: dir})
	if err != nil {
		t.Fatal(err)
	}
	serial := func() []byte {
		t.Helper()
		c, err := w.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return c.Certificate[0]
	}
	was := serial()
	next := issue()
	put("tls.crt", next.CertPEM)
	if !bytes.Equal(serial(), was) {
		t.Error("a certificate without its key is served")
	}
	put("tls.key", next.KeyPEM)
	if bytes.Equal(serial(), was) {
		t.Error("the old certificate is served on")
	}
	if err := os.Remove(filepath.Join(dir, "tls.crt")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	serial()
	if err := w.Trusted(); err != nil {
		t.Error("without a ca.crt the caBundles are somebody else's:", err)
	}
}
