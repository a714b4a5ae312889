package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/xds/server"
)

// Who serves manifests sees an edit served, and a faulty one change nothing but
// what status says.
func TestServeSources(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"mesh/apps.yaml": appsManifests, "catalog.yaml": serveCatalog})
	mesh := filepath.Join(dir, "mesh")
	admin, end := serving(t, "--sources", mesh, "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", filepath.Join(dir, "state"))
	status := func(what string, fits func(server.Status) bool) server.Status {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); ; {
			var st server.Status
			text, _ := wants(t, exitClean, "status", "--server", admin, "-o", "json")
			if err := json.Unmarshal([]byte(text), &st); err != nil {
				t.Fatal(err)
			}
			if fits(st) {
				return st
			}
			if time.Now().After(deadline) {
				t.Fatalf("status never shows %s: %s", what, text)
			}
		}
	}
	out := filepath.Join(dir, "bundle")
	wants(t, exitClean, "build", mesh, "-o", out)
	first := status("the mesh", func(st server.Status) bool { return st.Ready })
	if first.Bundle.PolicyDigest != manifest(t, out).PolicyDigest {
		t.Errorf("it serves %s, a build makes %s", first.Bundle.PolicyDigest, manifest(t, out).PolicyDigest)
	}
	edit := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(mesh, "apps.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	widened := strings.Replace(appsManifests, "port: 80", "port: 81", 1)
	if widened == appsManifests {
		t.Fatal("the manifests have no port 80")
	}
	edit(widened)
	second := status("the edit", func(st server.Status) bool { return st.Bundle.PolicyDigest != first.Bundle.PolicyDigest })
	edit(widened + "---\napiVersion: v1\nkind: Service\nmetadata: {nam: x}\n")
	faulty := status("the fault", func(st server.Status) bool { return len(st.Degraded) > 0 })
	if faulty.Bundle.PolicyDigest != second.Bundle.PolicyDigest || !strings.Contains(faulty.Degraded[0].Reason, "MSH0") {
		t.Errorf("a faulty edit is served or not told: %+v", faulty)
	}
	edit(appsManifests)
	status("the mended manifests", func(st server.Status) bool {
		return len(st.Degraded) == 0 && st.Bundle.PolicyDigest == first.Bundle.PolicyDigest
	})
	if code := end(); code != exitClean {
		t.Errorf("serve ended with %d", code)
	}
	wants(t, exitUsage, "serve", "--sources", mesh, "--bundle", out, "--catalog", "c", "--state", "s")
}
