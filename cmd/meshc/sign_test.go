package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
)

// keyPair writes NAME.key and NAME.pub as openssl does, and gives the line of the
// private key that must never be seen.
func keyPair(t *testing.T, dir, name string, private any, public any) (secret string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, name+".key"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if der, err = x509.MarshalPKIXPublicKey(public); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, dir, map[string]string{name + ".pub": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))})
	return strings.Split(string(text), "\n")[1]
}

func edwards(t *testing.T, dir, name string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair(t, dir, name, private, public)
}

// A bundle is signed where it is built and verified anywhere; each way to fail
// says which it is.
func TestSignAndVerify(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests})
	secret := edwards(t, dir, "mine")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keyPair(t, dir, "theirs", key, &key.PublicKey)
	edwards(t, dir, "nobody")

	out, errs := wants(t, exitClean, "build", at("apps.yaml"), "-o", at("bundle"), "--sign", at("mine.key"), "--sign", at("theirs.key"), "--provenance", at("how.json"))
	if strings.Contains(out+errs, secret) {
		t.Error("the build prints the key")
	}
	for _, name := range []string{"mine", "theirs"} {
		if out, _ := wants(t, exitClean, "verify", at("bundle"), "--key", at("nobody.pub"), "--key", at(name+".pub"), "--provenance", at("how.json")); !strings.Contains(out, name+".pub") {
			t.Errorf("verify does not say who signed it:\n%s", out)
		}
	}
	if out, _ := wants(t, exitClean, "verify", at("bundle")); !strings.Contains(out, "2 signatures, looked at by nobody") {
		t.Errorf("whoever names no key may think that the signatures were checked:\n%s", out)
	}
	unsigned := at("unsigned")
	wants(t, exitClean, "build", at("apps.yaml"), "-o", unsigned, "--provenance", at("bare.json"))
	if out, _ := wants(t, exitClean, "verify", unsigned, "--provenance", at("bare.json")); !strings.Contains(out, "not signed") {
		t.Errorf("verify does not say that nobody signed it:\n%s", out)
	}
	writeFiles(t, dir, map[string]string{"broken.pub": "?"})
	wants(t, exitClean, "build", at("apps.yaml"), "-o", at("other"), "--revision", "r2", "--provenance", at("other.json"))
	for _, c := range []struct {
		want string
		args []string
	}{
		{"MSH0409", []string{at("bundle"), "--key", at("nobody.pub")}},
		{"MSH0408", []string{unsigned, "--key", at("mine.pub")}},
		{"MSH0411", []string{at("bundle"), "--key", at("broken.pub")}},
		{"MSH0416", []string{at("bundle"), "--key", at("mine.pub"), "--provenance", at("bare.json")}},
		{"no key was named", []string{at("bundle"), "--provenance", at("how.json")}},
		{"another bundle", []string{unsigned, "--provenance", at("other.json")}},
	} {
		if _, errs := wants(t, exitFindings, append([]string{"verify"}, c.args...)...); !strings.Contains(errs, c.want) {
			t.Errorf("verify %s does not say %s but\n%s", c.args, c.want, errs)
		}
	}
	if err := os.Chmod(at("mine.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, errs := wants(t, exitInput, "build", at("apps.yaml"), "-o", at("bundle"), "--sign", at("mine.key")); !strings.Contains(errs, "chmod") {
		t.Errorf("a key that all may read is taken, or: %s", errs)
	}
	wants(t, exitUsage, "build", at("apps.yaml"), "-o", at("bundle"), "--epoch", "-1")
	wants(t, exitUsage, "build", at("apps.yaml"), "-o", at("bundle"), "--builder", "https://ci.example")
}

// Environments are built, signed and told of one by one.
func TestEveryEnvironmentIsSigned(t *testing.T) {
	dir := t.TempDir()
	edwards(t, dir, "mine")
	out, how := filepath.Join(dir, "out"), filepath.Join(dir, "how")
	wants(t, exitClean, "build", "../../examples/04-kustomize-overlays", "--all-envs", "-o", out, "--sign", filepath.Join(dir, "mine.key"), "--provenance", how)
	entries, err := os.ReadDir(out)
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		wants(t, exitClean, "verify", filepath.Join(out, e.Name()), "--key", filepath.Join(dir, "mine.pub"), "--provenance", filepath.Join(how, e.Name()+".intoto.json"))
	}
}

// gitIn runs git as somebody at a time, without the tester's own configuration.
func gitIn(t *testing.T, dir string, seconds int64, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		fmt.Sprintf("GIT_AUTHOR_DATE=%d +0000", seconds), fmt.Sprintf("GIT_COMMITTER_DATE=%d +0000", seconds))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args, err, &errs)
	}
	return strings.TrimSpace(string(out))
}

// The epoch is the time of the commit that the sources are of, and the revision
// says when they are not as committed.
func TestEpochIsTheCommits(t *testing.T) {
	dir := t.TempDir()
	sources := filepath.Join(dir, "repository", "mesh")
	writeFiles(t, sources, map[string]string{"apps.yaml": appsManifests, "more/space d.yaml": "# empty\n"})
	built := func(args ...string) bundle.Manifest {
		t.Helper()
		out := filepath.Join(dir, "bundle")
		wants(t, exitClean, append([]string{"build", "-o", out}, args...)...)
		return manifest(t, out)
	}
	if m := built(sources); m.Epoch != 0 || m.Revision != "" {
		t.Errorf("sources outside of Git have epoch %d and revision %q", m.Epoch, m.Revision)
	}
	gitIn(t, dir, 0, "init", "-q", "repository")
	if m := built(sources); m.Epoch != 0 {
		t.Errorf("sources that were never committed have epoch %d", m.Epoch)
	}
	gitIn(t, sources, 1700000000, "add", ".")
	gitIn(t, sources, 1700000000, "commit", "-q", "-m", "first")
	head := gitIn(t, sources, 0, "rev-parse", "HEAD")
	if m := built(sources); m.Epoch != 1700000000 || m.Revision != head {
		t.Errorf("commit %s became epoch %d and revision %q", head, m.Epoch, m.Revision)
	}
	if m := built(sources, "--epoch", "7", "--revision", "r7"); m.Epoch != 7 || m.Revision != "r7" {
		t.Errorf("asked for 7 and r7: epoch %d and revision %q", m.Epoch, m.Revision)
	}
	writeFiles(t, sources, map[string]string{"more/space d.yaml": "# changed\n"})
	if m := built(sources); m.Epoch != 1700000000 || m.Revision != head+"-dirty" {
		t.Errorf("changed sources have epoch %d and revision %q", m.Epoch, m.Revision)
	}
	gitIn(t, sources, 1700000100, "commit", "-qam", "second")
	writeFiles(t, sources, map[string]string{"new.yaml": "# new\n"})
	if m := built(sources); m.Epoch != 1700000100 || !strings.HasSuffix(m.Revision, "-dirty") {
		t.Errorf("a file that is not committed: epoch %d and revision %q", m.Epoch, m.Revision)
	}
	t.Chdir(sources)
	if m := built("apps.yaml", "more"); m.Epoch != 1700000100 || strings.HasSuffix(m.Revision, "-dirty") {
		t.Errorf("by names of the working directory: epoch %d and revision %q", m.Epoch, m.Revision)
	}
	code, _, errs := meshc(t, appsManifests, "build", "-", "-o", filepath.Join(dir, "stdin"))
	if m := manifest(t, filepath.Join(dir, "stdin")); code != exitClean || m.Epoch != 0 {
		t.Errorf("standard input has epoch %d (exit %d)\n%s", m.Epoch, code, errs)
	}
}
