package ruleset_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/meshc/meshc/compiler/bundle/signature"
	"github.com/meshc/meshc/gitops/oci"
	"github.com/meshc/meshc/gitops/ruleset"
)

var rules = map[string][]byte{"owners/policy.rego": []byte("package a\n"), "owners/bad/a.yaml": []byte("kind: A\n"), "owners/empty.yaml": {}}

// reference is a place in a registry in this process.
func reference(t *testing.T, name string) oci.Reference {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	r, err := oci.Parse("oci://"+strings.TrimPrefix(server.URL, "http://")+"/"+name, true)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func packed(t *testing.T) *ruleset.Set {
	t.Helper()
	s, err := ruleset.Pack(rules)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signer makes a key of a seed.
func signer(t *testing.T, seed byte) signature.Signer {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := signature.ParsePrivate(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What was pushed comes back byte for byte, by tag, by digest and from the cache;
// what nobody pulled does not.
func TestPushedRulesComeBack(t *testing.T) {
	to := reference(t, "rules:v1")
	mine := signer(t, 1)
	set, err := packed(t).Sign(mine)
	if err != nil {
		t.Fatal(err)
	}
	at, err := ruleset.Push(t.Context(), set, to, "https://git.example/rules", "stable")
	if err != nil || !at.Pinned() {
		t.Fatal(at, err)
	}
	if again, err := ruleset.Push(t.Context(), set, to, "https://git.example/rules"); err != nil || again.Digest() != at.Digest() {
		t.Errorf("an equal set became %s, and then %s: %v", at, again, err)
	}
	keep := ruleset.Cache(filepath.Join(t.TempDir(), "cache"))
	if _, err := keep.Get(at.Digest()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a set that nobody pulled: %v", err)
	}
	for _, from := range []oci.Reference{to, to.At("stable"), at} {
		got, pinned, err := ruleset.Pull(t.Context(), from, keep)
		if err != nil || pinned.Digest() != at.Digest() || !maps.EqualFunc(got.Files(), rules, bytes.Equal) {
			t.Errorf("%s: %v", from, err)
		}
	}
	got, err := keep.Get(at.Digest())
	if err != nil || !maps.EqualFunc(got.Files(), rules, bytes.Equal) {
		t.Fatal(err)
	}
	if by, err := got.Check([]signature.Key{mine.Public()}); err != nil || by.ID != mine.Public().ID {
		t.Error(by, err)
	}
}

// A cache is a folder that others may write to: what lies there counts only while it
// fits its digest.
func TestACacheThatWasAlteredIsRefused(t *testing.T) {
	to := reference(t, "rules:v1")
	at, err := ruleset.Push(t.Context(), packed(t), to, "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keep := ruleset.Cache(dir)
	for _, name := range []string{"manifest.json", "layer.tar.gz"} {
		if _, _, err := ruleset.Pull(t.Context(), at, keep); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, strings.Replace(at.Digest(), ":", "-", 1), name)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		var damaged *ruleset.DamagedError
		if _, err := keep.Get(at.Digest()); !errors.As(err, &damaged) {
			t.Errorf("%s altered by a bit: %v", name, err)
		}
	}
	if _, _, err := ruleset.Pull(t.Context(), at, keep); err != nil {
		t.Fatal(err)
	}
	if _, err := keep.Get(at.Digest()); err != nil {
		t.Errorf("pulled anew: %v", err)
	}
}

func TestOnlyTrustedKeysVouch(t *testing.T) {
	mine, other := signer(t, 1), signer(t, 2)
	trust := []signature.Key{mine.Public()}
	if _, err := packed(t).Check(trust); err == nil {
		t.Error("an unsigned set is trusted")
	}
	by, err := packed(t).Sign(other)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := by.Check(trust); err == nil {
		t.Error("a set that another signed is trusted")
	}
	both, err := by.Sign(mine)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Check(trust); err != nil {
		t.Errorf("signed by both: %v", err)
	}
}

// A bundle, an image, an archive that reaches out of its folder: none is taken for
// rules, and none is kept.
func TestOtherArtifactsAreRefused(t *testing.T) {
	like := oci.Kind{Config: "application/vnd.meshc.ruleset.config.v1+json", Layer: "application/vnd.meshc.ruleset.content.v1.tar+gzip"}
	image := oci.Kind{Config: like.Config, Layer: "application/vnd.oci.image.layer.v1.tar+gzip"}
	for name, c := range map[string]struct {
		kind  oci.Kind
		files map[string][]byte
		want  string
	}{
		"an image":        {image, map[string][]byte{"ruleset.json": []byte(`{"format":1}`)}, "is wanted"},
		"no manifest":     {like, map[string][]byte{"rules/a.rego": nil}, "holds no ruleset.json"},
		"a parent folder": {like, map[string][]byte{"../a.rego": nil}, "no name of a file"},
		"an absolute one": {like, map[string][]byte{"/etc/a.rego": nil}, "no name of a file"},
		"far too large":   {like, map[string][]byte{"rules/a.rego": make([]byte, 40<<20)}, "take more than"},
	} {
		t.Run(name, func(t *testing.T) {
			to := reference(t, "rules:v1")
			at, err := oci.PushFiles(t.Context(), c.files, c.kind, nil, to)
			if err != nil {
				t.Fatal(err)
			}
			keep := ruleset.Cache(t.TempDir())
			var damaged *ruleset.DamagedError
			if _, _, err := ruleset.Pull(t.Context(), to, keep); !errors.As(err, &damaged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
			if _, err := keep.Get(at.Digest()); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it was kept: %v", err)
			}
		})
	}
	if _, _, err := ruleset.Pull(t.Context(), reference(t, "rules:absent"), ruleset.Cache(t.TempDir())); err == nil {
		t.Error("a tag that is not there")
	} else if damaged := new(ruleset.DamagedError); errors.As(err, &damaged) {
		t.Errorf("a tag that is not there is called damaged: %v", err)
	}
}
