package main

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/ca"
	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/xds/server"
)

// Who writes certificates that live an hour into meshc.yaml gets such certificates,
// from the next bundle on, and not those of a day that nobody asked for.
func TestLifetimesComeWithTheBundle(t *testing.T) {
	dir := t.TempDir()
	build := func(certificates string) *bundle.Bundle {
		writeFiles(t, dir, map[string]string{"apps/apps.yaml": appsManifests,
			"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec:\n  sources: [./apps]\n" + certificates})
		wants(t, exitClean, "build", dir, "-o", filepath.Join(dir, "bundle"))
		b, findings, err := bundle.Open(filepath.Join(dir, "bundle"))
		if err != nil || len(findings) > 0 {
			t.Fatal(findings, err)
		}
		return b
	}
	authority, err := ca.Open(filepath.Join(dir, "state"), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Options{Authority: authority, Certificate: authority.GetCertificate([]string{"localhost"})})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	life := func(flags serveFlags, b *bundle.Bundle) time.Duration {
		t.Helper()
		issuing{srv, &flags, authority, slog.New(slog.DiscardHandler), nil}.Set(b, &catalog.Snapshot{})
		leaf, err := authority.Issue(ir.NewIdentity("cluster.local", "shop", "web"), 0)
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(leaf.NotAfter).Round(time.Minute)
	}
	short, plain := build("  certificates: {leaf: 1h, intermediate: 48h}\n"), build("")
	for _, c := range []struct {
		why   string
		flags serveFlags
		b     *bundle.Bundle
		want  time.Duration
	}{
		{"as the mesh says", serveFlags{}, short, time.Hour},
		{"a mesh that says nothing", serveFlags{}, plain, 24 * time.Hour},
		{"a flag overrules", serveFlags{leaf: 2 * time.Hour}, short, 2 * time.Hour},
		{"what does not fit changes nothing", serveFlags{leaf: 40 * time.Hour}, short, 2 * time.Hour},
	} {
		if got := life(c.flags, c.b); got != c.want {
			t.Errorf("%s: leaves live %s, not %s", c.why, got, c.want)
		}
	}
	if st := srv.Status(); len(st.Degraded) != 1 || st.Degraded[0].What != "lifetimes" {
		t.Errorf("status does not say that the mesh's lifetimes are not taken: %+v", st.Degraded)
	}
}

// How long a proxy is let on while the cluster cannot judge it is what the bundle says
// that is served now: a shorter one, or none, must not wait for the next start.
func TestTheGraceComesWithTheBundle(t *testing.T) {
	authority, err := ca.Open(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Options{Authority: authority, Certificate: authority.GetCertificate([]string{"localhost"})})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	dir := t.TempDir()
	for config, want := range map[string]time.Duration{
		"": 12 * time.Hour, "  authGrace: 1h\n": time.Hour, "  authGrace: 0s\n": -1, "  certificates: {leaf: 4h}\n": 2 * time.Hour,
	} {
		writeFiles(t, dir, map[string]string{"apps/apps.yaml": appsManifests,
			"meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: m}\nspec:\n  sources: [./apps]\n" + config})
		wants(t, exitClean, "build", dir, "-o", filepath.Join(dir, "bundle"))
		b, findings, err := bundle.Open(filepath.Join(dir, "bundle"))
		if err != nil || len(findings) > 0 {
			t.Fatal(findings, err)
		}
		var got time.Duration
		issuing{srv, &serveFlags{}, authority, slog.New(slog.DiscardHandler), func(d time.Duration) { got = d }}.Set(b, &catalog.Snapshot{})
		if got != want {
			t.Errorf("%q: the grace is %s, want %s", config, got, want)
		}
	}
}
