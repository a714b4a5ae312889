package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInjectWritesManifests(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("app.yaml", "kind: Pod\nmetadata: {name: app, namespace: shop}\nspec: {containers: [{name: c, image: c}]}\n")
	write("out.yaml", "kind: Pod\nmetadata: {name: out, namespace: shop, labels: {meshc.dev/inject: disabled}}\nspec: {containers: [{name: c, image: c}]}\n")
	ca := write("root.pem", "PEM")
	args := []string{"inject", "-f", dir, "--control-plane", "meshc:15128", "--envoy-image", "envoy:1", "--meshc-image", "meshc:1", "--ca", ca}
	out, said := wants(t, exitClean, args...)
	for _, want := range []string{"image: envoy:1", "image: meshc:1", "kind: ConfigMap", "name: meshc-trust", "namespace: shop"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if !strings.Contains(said, "not injected: Pod/shop/out: the pod says meshc.dev/inject: disabled") {
		t.Errorf("it is not said who is left out: %s", said)
	}
	write("bad.yaml", "kind: Pod\nmetadata: {name: bad, namespace: shop}\nspec: {securityContext: {runAsUser: 1500}, containers: [{name: c, image: c}]}\n")
	if out, said = wants(t, exitFindings, args...); out != "" || !strings.Contains(said, "MSH4032") || !strings.Contains(said, "bad.yaml:3") {
		t.Errorf("a pod that passes its proxy by: %s%s", out, said)
	}
	wants(t, exitUsage, append(args, "--form", "odd")...)
	wants(t, exitInput, "inject", "-f", filepath.Join(dir, "none"), "--control-plane", "m:1", "--envoy-image", "e", "--meshc-image", "m")
}
