package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/xds/server"
)

// A slip on the command line is told as one, before anything is opened.
func TestServeFlagsAreJudgedFirst(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		`--listen "nonsense" is no address`:       {"--listen", "nonsense"},
		`--listen "" is no address`:               {"--listen", ""},
		`--admin "127.0.0.1:99999" is no address`: {"--admin", "127.0.0.1:99999"},
		`--renew-listen "localhost" is no`:        {"--renew-listen", "localhost"},
		"--leaf 1s is too short":                  {"--leaf", "1s"},
		"--intermediate 1m0s is too short":        {"--intermediate", "1m"},
		"--leaf 2h0m0s is more than half":         {"--leaf", "2h", "--intermediate", "3h"},
		"--plain-http is for a registry":          {"--plain-http"},
	} {
		_, stderr := wants(t, exitUsage, append([]string{"serve", "--bundle", dir, "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", filepath.Join(dir, "state")}, args...)...)
		if !strings.Contains(stderr, want) {
			t.Errorf("%v: it does not say %q:\n%s", args, want, stderr)
		}
	}
}

// Who says --plain-http without a registry has made a slip in the reference.
func TestPlainHTTPNeedsARegistry(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests})
	out := filepath.Join(dir, "bundle")
	wants(t, exitClean, "build", filepath.Join(dir, "apps.yaml"), "-o", out)
	for _, verb := range []string{"verify", "inspect"} {
		if _, stderr := wants(t, exitUsage, verb, out, "--plain-http"); !strings.Contains(stderr, "oci://") {
			t.Errorf("%s: %s", verb, stderr)
		}
	}
}

// A bundle of staging, signed by the key that signs production's too, is copied to
// where production looks.
func TestServeRefusesAnotherEnvironment(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	edwards(t, dir, "mine")
	writeFiles(t, dir, map[string]string{
		"mesh/apps/apps.yaml": appsManifests,
		"mesh/meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  sources: [./apps]\n" +
			"  environments:\n    prod: {mode: strict}\n    staging: {mode: permissive}\n",
		"catalog.yaml": serveCatalog,
	})
	build := func(env, epoch string) string {
		t.Helper()
		wants(t, exitClean, "build", at("mesh"), "--env", env, "-o", at("bundle"), "--sign", at("mine.key"), "--epoch", epoch)
		return manifest(t, at("bundle")).BundleDigest
	}
	args := []string{"--bundle", at("bundle"), "--catalog", at("catalog.yaml"), "--state", at("state"), "--trust", at("mine.pub")}
	prod := build("prod", "1")
	admin, end := serving(t, append(args, "--mesh", "shop", "--env", "prod")...)
	staging := build("staging", "2")
	refuses(t, admin, "MSH0417", prod)
	end()
	admin, end = serving(t, args...)
	refuses(t, admin, "MSH0417", prod)
	end()
	admin, _ = serving(t, append(args, "--env", "staging")...)
	statusUntil(t, admin, "bundle of staging", func(st server.Status) bool {
		return st.Bundle.BundleDigest == staging && len(st.Degraded) == 0
	})
}

// The bundle's folder is replaced as a whole: a provenance in it would be gone after
// the next build.
func TestProvenanceLiesBesideTheBundle(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests})
	_, stderr := wants(t, exitUsage, "build", at("apps.yaml"), "-o", at("bundle"), "--provenance", at("bundle/x.json"))
	if !strings.Contains(stderr, "name a place beside it") {
		t.Errorf("it says %s", stderr)
	}
	wants(t, exitClean, "build", at("apps.yaml"), "-o", at("bundle"), "--provenance", at("bundle.json"))
	wants(t, exitClean, "verify", at("bundle"), "--provenance", at("bundle.json"))
}
