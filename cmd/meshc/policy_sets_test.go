package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// registryHost is a registry in this process, and a cache of the test's own.
func registryHost(t *testing.T) string {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("MESHC_CACHE", t.TempDir())
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return "oci://" + strings.TrimPrefix(server.URL, "http://")
}

// ruleKeys writes a private and a public key.
func ruleKeys(t *testing.T, dir, name string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	open, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "PRIVATE KEY", Bytes: secret}, name + ".pub": {Type: "PUBLIC KEY", Bytes: open}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// meshOf is a mesh that the rules of a registry judge.
func meshOf(t *testing.T, dir, rules string) {
	t.Helper()
	writeFiles(t, dir, map[string]string{"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  sources: [./access.yaml]\n  rules: {" + rules + "}\n"})
}

// A rule set judges the mesh that pins it, from where it was pulled to, and only
// while who is trusted vouches for it. Whatever else is no pass.
func TestRuleSetsFromARegistryJudge(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "")
	ruleKeys(t, dir, "team")
	ruleKeys(t, dir, "other")
	out, _ := wants(t, exitClean, "policy", "push", filepath.Join(dir, "rules"), host+"/rules:v1", "--plain-http", "--sign", filepath.Join(dir, "team.pem"))
	pinned := strings.TrimSpace(out)
	has(t, pinned, host+"/rules@sha256:")

	meshOf(t, dir, `dirs: ["`+pinned+`"], trust: [team.pub]`)
	_, err := wants(t, exitEngine, "check", dir)
	has(t, err, "error[MSH0641]", "meshc.yaml:6:18", "it was not pulled yet")
	out, _ = wants(t, exitClean, "policy", "pull", dir, "--plain-http")
	has(t, out, pinned)
	_, err = wants(t, exitClean, "check", dir)
	has(t, err, "warning[SHOP001]", "access.yaml:4:9")
	out, _ = wants(t, exitClean, "policy", "list", dir, "-o", "json")
	has(t, out, pinned+"/owners/policy.rego")

	meshOf(t, dir, `dirs: ["`+pinned+`"], trust: [other.pub]`)
	_, err = wants(t, exitEngine, "check", dir)
	has(t, err, "error[MSH0643]", "by none of the 1 trusted keys")
	wants(t, exitFindings, "policy", "pull", dir, "--plain-http")
	meshOf(t, dir, `dirs: ["`+pinned+`"], trust: [team.pem]`)
	_, err = wants(t, exitEngine, "check", dir)
	has(t, err, "error[MSH0643]", "cannot be used as a public key")
	meshOf(t, dir, `dirs: ["`+host+`/rules:v1"]`)
	_, err = wants(t, exitEngine, "check", dir)
	has(t, err, "error[MSH0640]", "is not pinned")

	// Nobody signed this one.
	out, _ = wants(t, exitClean, "policy", "push", filepath.Join(dir, "rules"), host+"/rules:v2", "--plain-http")
	unsigned := strings.TrimSpace(out)
	meshOf(t, dir, `dirs: ["`+unsigned+`"], trust: [team.pub]`)
	_, err = wants(t, exitFindings, "policy", "pull", dir, "--plain-http")
	has(t, err, "error[MSH0643]", "nobody signed it")
	meshOf(t, dir, `dirs: ["`+unsigned+`"]`)
	wants(t, exitClean, "check", dir)

	// What was kept is something else now.
	cache := os.Getenv("MESHC_CACHE")
	layers, globErr := filepath.Glob(filepath.Join(cache, "rulesets", "*", "layer.tar.gz"))
	if globErr != nil || len(layers) != 2 {
		t.Fatal(layers, globErr)
	}
	for _, file := range layers {
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err = wants(t, exitEngine, "check", dir)
	has(t, err, "error[MSH0642]")
	wants(t, exitEngine, "build", dir, "-o", filepath.Join(t.TempDir(), "b"))
}

func TestPolicyPullOfAReference(t *testing.T) {
	host := registryHost(t)
	dir := ruled(t, "")
	ruleKeys(t, dir, "team")
	ruleKeys(t, dir, "other")
	rules := filepath.Join(dir, "rules")
	out, _ := wants(t, exitClean, "policy", "push", rules, host+"/rules:v1", "--plain-http", "--sign", filepath.Join(dir, "team.pem"))
	into := filepath.Join(t.TempDir(), "rules")
	got, _ := wants(t, exitClean, "policy", "pull", host+"/rules:v1", "--plain-http", "-o", into, "--key", filepath.Join(dir, "team.pub"))
	if got != out {
		t.Errorf("pushed %s, pulled %s", out, got)
	}
	wants(t, exitClean, "policy", "test", into)
	wants(t, exitInput, "policy", "pull", host+"/rules:v1", "--plain-http", "-o", into)
	_, err := wants(t, exitFindings, "policy", "pull", host+"/rules:v1", "--plain-http", "--key", filepath.Join(dir, "other.pub"))
	has(t, err, "MSH0643")
	wants(t, exitInput, "policy", "pull", host+"/rules:v9", "--plain-http")
	wants(t, exitUsage, "policy", "pull", dir, "-o", into)

	edit(t, filepath.Join(rules, "owners", "policy.rego"), "not input.object.metadata.labels[", "not input.object.metadata.labls[")
	wants(t, exitEngine, "policy", "push", rules, host+"/rules:v3", "--plain-http")
	wants(t, exitInput, "policy", "pull", host+"/rules:v3", "--plain-http")
}

// Pages that nobody regenerates tell of rules as they were.
func TestPolicyDocsAreKeptFresh(t *testing.T) {
	dir := ruled(t, "")
	rules, pages := filepath.Join(dir, "rules"), filepath.Join(dir, "pages")
	wants(t, exitFindings, "policy", "docs", rules, "-o", pages, "--check")
	wants(t, exitClean, "policy", "docs", rules, "-o", pages)
	wants(t, exitClean, "policy", "docs", rules, "-o", pages, "--check")
	text, err := os.ReadFile(filepath.Join(pages, "owners.md"))
	if err != nil {
		t.Fatal(err)
	}
	has(t, string(text), "# SHOP001: a target has no owner", "| `label` | string |", "Bad, in access.yaml", "# here")
	edit(t, filepath.Join(rules, "owners", "policy.rego"), "title: a target has no owner", "title: nobody owns a target")
	out, _ := wants(t, exitFindings, "policy", "docs", rules, "-o", pages, "--check")
	has(t, out, "owners.md is stale", "README.md is stale")
	if err := os.Rename(filepath.Join(rules, "owners"), filepath.Join(rules, "owned")); err != nil {
		t.Fatal(err)
	}
	wants(t, exitClean, "policy", "docs", rules, "-o", pages)
	out, _ = wants(t, exitFindings, "policy", "docs", rules, "-o", pages, "--check")
	has(t, out, "owners.md is the page of no rule")
	wants(t, exitEngine, "policy", "docs", t.TempDir(), "-o", pages)
}
