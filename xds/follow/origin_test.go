package follow_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/envoy"
	"github.com/meshc/meshc/xds/follow"
)

// from is a bundle of a mesh and an environment.
func from(t *testing.T, meshName, env, name string) *bundle.Bundle {
	t.Helper()
	m := mesh(t, name, "cluster.local").Mesh
	m.Settings.Name = meshName
	plan, err := envoy.Lower(m)
	must(t, err)
	b, err := bundle.Pack(bundle.Input{Mesh: m, Plan: plan, Environment: env})
	must(t, err)
	return b
}

// What was built for staging is not served as production, though the same key signs
// it: the first bundle fixes mesh and environment, over restarts too, and only a
// word of the operator changes them.
func TestBundleOfAnotherEnvironmentIsRefused(t *testing.T) {
	o := place(t)
	write(t, o.Catalog, catalogOf("a-0"))
	put := func(b *bundle.Bundle) { t.Helper(); must(t, bundle.Write(o.Bundle, b)) }
	put(from(t, "shop", "prod", "first"))
	r, _, stop := start(t, o)
	r.serves(t, "first", "shop/a-0")
	put(from(t, "shop", "staging", "staged"))
	r.refuses(t, `mesh "shop", environment "staging", and this server serves mesh "shop", environment "prod" [MSH0417]`, "first")
	put(from(t, "bank", "prod", "banked"))
	r.refuses(t, `mesh "bank"`, "first")
	put(from(t, "shop", "", "plain"))
	r.refuses(t, "without an environment", "first")
	put(from(t, "shop", "prod", "second"))
	r.serves(t, "second", "shop/a-0")
	stop()

	put(from(t, "shop", "staging", "staged"))
	r, findings, stop := start(t, o)
	r.refuses(t, "MSH0417", "second")
	if len(findings) != 1 || !strings.Contains(findings[0].Help, "--mesh shop --env 'staging'") || findings[0].At().File != o.Bundle+"/"+bundle.ManifestFile {
		t.Errorf("the findings of the start are %v", findings)
	}
	stop()

	staging := "staging"
	o.Env = &staging
	r, _, stop = start(t, o)
	r.serves(t, "staged", "shop/a-0")
	stop()
	o.Env = nil
	r, _, _ = start(t, o)
	r.serves(t, "staged", "shop/a-0")
	put(from(t, "shop", "prod", "second"))
	r.refuses(t, "MSH0417", "staged")
}

// What the operator says holds for the first bundle, and for the one that is kept.
func TestOperatorNamesMeshAndEnvironment(t *testing.T) {
	o := place(t)
	write(t, o.Catalog, catalogOf("a-0"))
	none := ""
	for name, say := range map[string]func(*follow.Options){
		"mesh": func(o *follow.Options) { o.Mesh = "bank" },
		"env":  func(o *follow.Options) { o.Env = &none },
	} {
		said := o
		say(&said)
		must(t, bundle.Write(o.Bundle, from(t, "shop", "prod", "first")))
		if _, findings, err := follow.Start(t.Context(), said); err == nil || len(findings) != 1 || findings[0].Code != "MSH0417" {
			t.Errorf("--%s: the first bundle gives %v, %v", name, findings, err)
		}
	}
	r, _, stop := start(t, o)
	r.serves(t, "first", "shop/a-0")
	stop()
	must(t, os.RemoveAll(o.Bundle))
	o.Mesh = "bank"
	if _, _, err := follow.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "MSH0417") {
		t.Errorf("the kept bundle of another mesh is served: %v", err)
	}
}

// A state folder of an earlier meshc, which wrote no mesh down, is as good.
func TestOlderStateKnowsItsMesh(t *testing.T) {
	o := place(t)
	write(t, o.Catalog, catalogOf("a-0"))
	b := from(t, "shop", "prod", "first")
	must(t, bundle.Write(o.Bundle, b))
	r, _, stop := start(t, o)
	r.serves(t, "first", "shop/a-0")
	stop()
	write(t, filepath.Join(o.State, "served", "served.json"), `{"epoch":0,"policyDigest":"`+b.Manifest.PolicyDigest+`","bundleDigest":"`+b.Manifest.BundleDigest+`"}`)
	must(t, bundle.Write(o.Bundle, from(t, "shop", "staging", "staged")))
	r, _, _ = start(t, o)
	r.refuses(t, "MSH0417", "first")
}
