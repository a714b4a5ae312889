package follow_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/follow"
)

func key(t *testing.T) (signature.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	s, err := signature.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	must(t, err)
	der, err = x509.MarshalPKIXPublicKey(crypto.Signer(private).Public())
	must(t, err)
	return s, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func signed(t *testing.T, b *bundle.Bundle, s signature.Signer) *bundle.Bundle {
	t.Helper()
	out, err := signature.Sign(b, s)
	must(t, err)
	return out
}

// aged is a bundle with an epoch.
func aged(t *testing.T, name string, epoch int64) *bundle.Bundle {
	t.Helper()
	m := mesh(t, name, "cluster.local").Mesh
	plan, err := envoy.Lower(m)
	must(t, err)
	b, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan, Epoch: epoch})
	must(t, err)
	return b
}

// refuses waits until the bundle is refused with a code; what was served stays.
func (r *recorder) refuses(t *testing.T, code, serving string) {
	t.Helper()
	r.until(t, "refusal with "+code, func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], code) })
	r.serves(t, serving, "shop/a-0")
}

// Whatever is wrong with who signed a bundle: it is refused, the reason is said,
// and the last good one goes on being served, endpoints and all.
func TestUntrustedBundlesAreRefused(t *testing.T) {
	o := place(t)
	o.Trust = filepath.Join(filepath.Dir(o.State), "trusted.pub")
	mine, public := key(t)
	theirs, theirPublic := key(t)
	write(t, o.Trust, public)
	write(t, o.Catalog, catalogOf("a-0"))
	must(t, bundle.Write(o.Bundle, signed(t, aged(t, "good", 10), mine)))
	r, _, stop := start(t, o)
	r.serves(t, "good", "shop/a-0")

	must(t, bundle.Write(o.Bundle, aged(t, "unsigned", 11)))
	r.refuses(t, "MSH0408", "good")
	must(t, bundle.Write(o.Bundle, signed(t, aged(t, "foreign", 11), theirs)))
	r.refuses(t, "MSH0409", "good")
	altered := signed(t, aged(t, "altered", 11), mine)
	must(t, bundle.Write(o.Bundle, altered))
	r.serves(t, "altered", "shop/a-0")
	file := filepath.Join(o.Bundle, bundle.IRFile)
	content, err := os.ReadFile(file)
	must(t, err)
	content[len(content)/2] ^= 1
	write(t, file, string(content))
	r.refuses(t, "MSH0405", "altered")
	must(t, bundle.Write(o.Bundle, signed(t, aged(t, "older", 10), mine)))
	r.refuses(t, "MSH0412", "altered")

	write(t, o.Catalog, catalogOf("b-0"))
	r.serves(t, "altered", "shop/b-0")
	must(t, bundle.Write(o.Bundle, signed(t, aged(t, "newer", 12), mine)))
	r.serves(t, "newer", "shop/b-0")
	r.until(t, "word that all is well", func(r *recorder) bool { return r.degraded["bundle"] == "" })

	// A key that is trusted from now on, and one that is trusted no longer.
	must(t, bundle.Write(o.Bundle, signed(t, aged(t, "theirs", 13), theirs)))
	r.until(t, "refusal", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "MSH0409") })
	write(t, o.Trust, theirPublic)
	r.serves(t, "theirs", "shop/b-0")
	write(t, o.Trust, "broken")
	r.until(t, "word of the broken key", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "MSH0411") })
	r.serves(t, "theirs", "shop/b-0")
	stop()

	write(t, o.Trust, public)
	must(t, os.RemoveAll(o.Bundle))
	if _, _, err := follow.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "MSH0409") {
		t.Errorf("a restart serves the kept bundle of a key that is trusted no longer: %v", err)
	}
}

// Nothing that was not signed is served at the start either.
func TestUntrustedBundleIsNotServedAtStart(t *testing.T) {
	o := place(t)
	o.Trust = t.TempDir()
	_, public := key(t)
	write(t, filepath.Join(o.Trust, "a.pub"), public)
	write(t, o.Catalog, catalogOf("a-0"))
	must(t, bundle.Write(o.Bundle, aged(t, "unsigned", 0)))
	_, findings, err := follow.Start(t.Context(), o)
	if err == nil || len(findings) != 1 || findings[0].Code != "MSH0408" || findings[0].At().File != o.Bundle+"/signatures" {
		t.Errorf("%v %v", findings, err)
	}
}

// What is served last outlives the process, so that no restart lets an older
// bundle in; the one that was asked back comes in, and stays the measure.
func TestEpochOutlivesTheProcess(t *testing.T) {
	o := place(t)
	write(t, o.Catalog, catalogOf("a-0"))
	must(t, bundle.Write(o.Bundle, aged(t, "nine", 9)))
	r, _, stop := start(t, o)
	r.serves(t, "nine", "shop/a-0")
	stop()

	older := aged(t, "five", 5)
	must(t, bundle.Write(o.Bundle, older))
	r, findings, stop := start(t, o)
	r.refuses(t, "MSH0412", "nine")
	if len(findings) != 1 || !strings.Contains(findings[0].Help, older.Manifest.PolicyDigest) {
		t.Errorf("the findings of the start are %v", findings)
	}
	must(t, bundle.Write(o.Bundle, aged(t, "unordered", 0)))
	r.refuses(t, "has no epoch, which counts as the oldest", "nine")
	stop()

	must(t, bundle.Write(o.Bundle, older))
	o.Rollback = older.Manifest.PolicyDigest
	o.Widened = func(was, is *ir.Mesh) []string {
		if nameOf(was) != "nine" || nameOf(is) != "five" {
			t.Errorf("%s was held against %s", nameOf(is), nameOf(was))
		}
		return []string{"bookthief may call bookstore"}
	}
	r, _, stop = start(t, o)
	r.refuses(t, "bookthief may call bookstore [MSH0413]", "nine")
	stop()

	o.AllowWiden = true
	r, _, stop = start(t, o)
	r.serves(t, "five", "shop/a-0")
	stop()

	o.Rollback, o.AllowWiden = "", false
	r, _, _ = start(t, o)
	r.serves(t, "five", "shop/a-0")
	must(t, bundle.Write(o.Bundle, aged(t, "four", 4)))
	r.refuses(t, "MSH0412", "five")
	must(t, bundle.Write(o.Bundle, aged(t, "six", 6)))
	r.serves(t, "six", "shop/a-0")
}

// Going back to what allows no more needs no second word, while a server runs.
func TestNarrowingRollback(t *testing.T) {
	o := place(t)
	older := aged(t, "five", 5)
	o.Rollback, o.Widened = older.Manifest.BundleDigest, func(_, _ *ir.Mesh) []string { return nil }
	write(t, o.Catalog, catalogOf("a-0"))
	must(t, bundle.Write(o.Bundle, aged(t, "nine", 9)))
	r, _, _ := start(t, o)
	r.serves(t, "nine", "shop/a-0")
	must(t, bundle.Write(o.Bundle, aged(t, "four", 4)))
	r.refuses(t, "MSH0412", "nine")
	must(t, bundle.Write(o.Bundle, older))
	r.serves(t, "five", "shop/a-0")
}

// Signatures that were added to the bundle that is served are kept with it.
func TestNewSignaturesAreKept(t *testing.T) {
	o := place(t)
	mine, _ := key(t)
	b := aged(t, "one", 1)
	write(t, o.Catalog, catalogOf("a-0"))
	must(t, bundle.Write(o.Bundle, b))
	r, _, stop := start(t, o)
	r.serves(t, "one", "shop/a-0")
	must(t, bundle.Write(o.Bundle, signed(t, b, mine)))
	stop()
	r, _, stop = start(t, o)
	r.serves(t, "one", "shop/a-0")
	stop()
	kept, findings, err := bundle.Open(filepath.Join(o.State, "served", "bundle"))
	if err != nil || kept == nil || len(kept.Signatures()) != 1 {
		t.Errorf("%v %v", findings, err)
	}
}

// shelf is a source whose content a test changes.
type shelf struct {
	mu     sync.Mutex
	bundle *bundle.Bundle
	err    error
}

func (s *shelf) put(b *bundle.Bundle, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bundle, s.err = b, err
}

func (s *shelf) Fetch(context.Context) (*bundle.Bundle, diag.List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bundle, nil, s.err
}

// A source is followed as a folder is: what it gives is judged and served, and
// while it is away the last good one is.
func TestSourceIsFollowed(t *testing.T) {
	o := place(t)
	mine, public := key(t)
	other, otherPublic := key(t)
	o.Trust = filepath.Join(filepath.Dir(o.State), "trusted.pub")
	write(t, o.Trust, public)
	write(t, o.Catalog, catalogOf("a-0"))
	from := &shelf{bundle: signed(t, aged(t, "one", 1), mine)}
	o.Bundle, o.Source, o.Fetch = "oci://registry.example/mesh", from, 10*time.Millisecond
	r, _, stop := start(t, o)
	r.serves(t, "one", "shop/a-0")
	from.put(signed(t, aged(t, "two", 2), mine), nil)
	r.serves(t, "two", "shop/a-0")
	from.put(nil, errors.New("no route to host"))
	r.until(t, "word of the outage", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "no route to host") })
	write(t, o.Catalog, catalogOf("b-0"))
	r.serves(t, "two", "shop/b-0")
	from.put(signed(t, aged(t, "three", 3), other), nil)
	r.until(t, "refusal", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "MSH0409") })
	write(t, o.Trust, public+otherPublic)
	r.serves(t, "three", "shop/b-0")
	stop()

	from.put(nil, errors.New("no route to host"))
	r, _, _ = start(t, o)
	r.serves(t, "three", "shop/b-0")
	r.until(t, "word of the last good one", func(r *recorder) bool { return strings.Contains(r.degraded["bundle"], "the last good one is served") })
	from.put(signed(t, aged(t, "four", 4), mine), nil)
	r.serves(t, "four", "shop/b-0")
}
