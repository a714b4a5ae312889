package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/resolve"
)

const exportedCatalog = `apiVersion: meshc.dev/v1alpha1
kind: Catalog
spec:
  workloads:
  - {name: shop/web-1, identity: shop/web, addresses: [10.0.0.1]}
  - {name: shop/front-1, identity: shop/front, addresses: [10.0.0.2]}
  services:
  - name: shop/web
    vips: [10.96.0.1]
    ports: [{port: 80, name: http, targetPort: 8080}]
    endpoints: [{workload: shop/web-1}]
`

// From machines in a file to a build that pins them.
func TestCatalogExportFeedsTheLock(t *testing.T) {
	dir := t.TempDir()
	src, file, facts := filepath.Join(dir, "src"), filepath.Join(dir, "catalog.yaml"), filepath.Join(dir, "facts.lock")
	writeFiles(t, dir, map[string]string{"catalog.yaml": exportedCatalog, "src/policy.yaml": policyManifests})
	out, _ := wants(t, exitClean, "catalog", "export", "--catalog", file)
	wants(t, exitClean, "catalog", "export", "--catalog", file, "-o", facts)
	written, err := os.ReadFile(facts)
	if err != nil {
		t.Fatal(err)
	}
	known, findings := resolve.ParseLock("facts.lock", written)
	if len(findings) > 0 || len(known.Facts) != 5 || known.Header.From != "file catalog.yaml" || known.Header.At == "" {
		t.Errorf("facts read back as %+v with %v", known, findings)
	}
	if body := func(s string) string { return s[strings.Index(s, "\naccount"):] }; body(out) != body(string(written)) {
		t.Errorf("-o writes something else than standard output:\n%s\n%s", out, written)
	}
	wants(t, exitClean, "lock", src, "--from", facts)
	wants(t, exitClean, "build", src, "-o", filepath.Join(dir, "b"), "--locked")
}

func TestCatalogExportOfAWrongCatalog(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "catalog.yaml")
	writeFiles(t, dir, map[string]string{"catalog.yaml": strings.Replace(exportedCatalog, "shop/web-1}]", "shop/web1}]", 1)})
	out, said := wants(t, exitFindings, "catalog", "export", "--catalog", file)
	if out != "" || !strings.Contains(said, "MSH4507") || !strings.Contains(said, `did you mean "shop/web-1"`) {
		t.Errorf("printed %q, said %s", out, said)
	}
	wants(t, exitFindings, "catalog", "export", "--catalog", file, "--fail-on", "error")
	wants(t, exitInput, "catalog", "export", "--catalog", filepath.Join(dir, "none"))
	wants(t, exitUsage, "catalog", "export")
}
