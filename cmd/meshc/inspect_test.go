package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/lab"
)

func TestVerifyNamesTheDamage(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests})
	wants(t, exitClean, "build", src, "-o", dir)
	if out, _ := wants(t, exitClean, "verify", dir); !strings.Contains(out, manifest(t, dir).PolicyDigest) {
		t.Errorf("output: %s", out)
	}
	path := filepath.Join(dir, bundle.PackFile)
	pack, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pack[len(pack)/2] ^= 1
	if err := os.WriteFile(path, pack, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := wants(t, exitFindings, "verify", dir); !strings.Contains(err, "resources.pack") || !strings.Contains(err, "at offset ") {
		t.Errorf("findings: %s", err)
	}
}

func TestInspectShowsWhoGetsWhat(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests, "policy.yaml": policyManifests})
	wants(t, exitClean, "build", src, "-o", dir)
	out, _ := wants(t, exitClean, "inspect", dir, "-o", "json")
	var v bundleView
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatal(err)
	}
	if len(v.Identities) != 2 || v.Identities[0].Identity != "shop/front" || strings.Join(v.Identities[0].Calls, " ") != "shop/web:80" || v.Identities[1].Serves[0] != "shop/web:80" {
		t.Errorf("identities %+v", v.Identities)
	}
	out, _ = wants(t, exitClean, "inspect", dir, "-o", "yaml", "--identity", "shop/web")
	var one struct {
		Roles []struct {
			Ports []struct {
				Clients []struct {
					Identity string
					Because  []struct{ Grant, At string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(out), &one); err != nil {
		t.Fatal(err)
	}
	client := one.Roles[0].Ports[0].Clients[0]
	if client.Identity != "shop/front" || client.Because[0].Grant != "TrafficTarget/shop/web#rule0" || !strings.HasSuffix(client.Because[0].At, "policy.yaml:11") {
		t.Errorf("client %+v in\n%s", client, out)
	}
	for _, text := range []string{"who gets what", "shop/front"} {
		if out, _ := wants(t, exitClean, "inspect", dir); !strings.Contains(out, text) {
			t.Errorf("the text lacks %q:\n%s", text, out)
		}
	}
	wants(t, exitUsage, "inspect", dir, "--identity", "shop/nobody")
	wants(t, exitUsage, "inspect", dir, "--as", "envoy")
	wants(t, exitUsage, "inspect", dir, "-o", "toml")
}

// What is printed is what Envoy would run: Envoy itself must take it, for every
// identity and role of every example.
func TestEnvoyTakesThePrintedConfiguration(t *testing.T) {
	envoy, err := lab.FindEnvoy("")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Glob(filepath.Join("..", "..", "examples", "0*"))
	if err != nil || len(examples) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, example := range examples {
		dir := filepath.Join(t.TempDir(), "b")
		wants(t, exitClean, "build", example, "-o", dir)
		b, _, err := bundle.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, role := range b.Mesh.Roles {
			out, _ := wants(t, exitClean, "inspect", dir, "--identity", role.Identity.Short(), "--role", role.Name(), "--as", "envoy")
			file := filepath.Join(t.TempDir(), "envoy.json")
			if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
				t.Fatal(err)
			}
			if said, err := exec.Command(envoy, "--mode", "validate", "-c", file).CombinedOutput(); err != nil {
				t.Errorf("%s, role %s: %v\n%s", example, role.Name(), err, lastLines(string(said)))
			}
		}
	}
}

// With a catalog the printed configuration has the mesh's real addresses.
func TestPrintedConfigurationFollowsTheCatalog(t *testing.T) {
	src, dir := t.TempDir(), filepath.Join(t.TempDir(), "b")
	writeFiles(t, src, map[string]string{"apps.yaml": appsManifests, "policy.yaml": policyManifests, "catalog/catalog.yaml": `apiVersion: meshc.dev/v1alpha1
kind: Catalog
metadata: {name: town}
spec:
  workloads:
  - {name: shop/web-0, identity: shop/web, addresses: [10.1.0.1]}
  - {name: shop/front-0, identity: shop/front, addresses: [10.1.0.2]}
  services:
  - name: shop/web
    vips: [10.96.0.9]
    ports: [{port: 80, name: http, targetPort: 8080}]
    endpoints: [{workload: shop/web-0}]
`})
	wants(t, exitClean, "build", filepath.Join(src, "apps.yaml"), filepath.Join(src, "policy.yaml"), "-o", dir)
	catalog := filepath.Join(src, "catalog", "catalog.yaml")
	args := []string{"inspect", dir, "--identity", "shop/front", "--as", "envoy"}
	out, _ := wants(t, exitClean, append(args, "--catalog", catalog, "--workload", "shop/front-0")...)
	for _, want := range []string{"10.96.0.9", "10.1.0.1"} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not in the configuration", want)
		}
	}
	placeheld, _ := wants(t, exitClean, args...)
	if strings.Contains(placeheld, "10.96.0.9") || !strings.Contains(placeheld, "240.0.0.1") {
		t.Error("without a catalog the placeholder address is not there")
	}
	wants(t, exitUsage, append(args, "--workload", "shop/front-0")...)
	wants(t, exitUsage, append(args, "--catalog", catalog, "--workload", "shop/web-0")...)
	wants(t, exitInput, append(args, "--catalog", catalog+".gone")...)
}

func lastLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
