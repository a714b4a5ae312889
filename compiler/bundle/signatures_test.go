package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Signatures travel with the bundle, change no digest, and go with the bundle
// that they belong to.
func TestSignaturesLieInTheBundle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	b := packed(t, tiny())
	signed := b.WithSignature("a.dsse.json", []byte("one")).WithSignature("b", []byte("two")).WithSignature("b", []byte("three"))
	if len(b.Signatures()) != 0 {
		t.Error("a signature was added to the bundle that was to be signed")
	}
	if err := Write(dir, signed); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{".hidden", "deeper/x"} {
		path = filepath.Join(dir, SignaturesDir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := opened(t, dir)
	if s := got.Signatures(); len(s) != 2 || string(s["signatures/a.dsse.json"]) != "one" || string(s["signatures/b"]) != "three" {
		t.Errorf("opened with the signatures %q", s)
	}
	if got.Manifest.BundleDigest != b.Manifest.BundleDigest {
		t.Error("signatures change the bundle's digest")
	}
	if err := Write(dir, b); err != nil {
		t.Fatal(err)
	}
	if s := opened(t, dir).Signatures(); len(s) != 0 {
		t.Errorf("the next bundle has the last one's signatures: %q", s)
	}
}

// Nobody fills a reader's memory with signatures.
func TestSignaturesAreBounded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bundle")
	many := packed(t, tiny())
	for i := range maxSignatures + 1 {
		many = many.WithSignature(fmt.Sprint(i), nil)
	}
	for what, b := range map[string]*Bundle{"many": many, "large": packed(t, tiny()).WithSignature("x", make([]byte, maxSignature+1))} {
		if _, findings := FromFiles(b.Files()); codes(findings) != "MSH0407" {
			t.Errorf("%s: from memory: %v", what, findings)
		}
		if err := Write(dir, b); err != nil {
			t.Fatal(err)
		}
		if _, findings, err := Open(dir); err != nil || codes(findings) != "MSH0407" || !strings.Contains(findings[0].At().File, SignaturesDir) {
			t.Errorf("%s: from a folder: %v %v", what, findings, err)
		}
	}
}

// The epoch is signed, and equal policy is equal whatever its epoch.
func TestEpochIsNoPolicy(t *testing.T) {
	in := tiny()
	one := packed(t, in)
	in.Epoch = 7
	two := packed(t, in)
	if one.Manifest.PolicyDigest != two.Manifest.PolicyDigest || one.Manifest.BundleDigest == two.Manifest.BundleDigest {
		t.Errorf("policy digests %s and %s, bundle digests %s and %s", one.Manifest.PolicyDigest, two.Manifest.PolicyDigest, one.Manifest.BundleDigest, two.Manifest.BundleDigest)
	}
	files := two.Files()
	reseal(t, files, func(m map[string]any) { m["epoch"] = -1 })
	if _, findings := FromFiles(files); codes(findings) != "MSH0406" {
		t.Errorf("an epoch below 0: %v", findings)
	}
}
