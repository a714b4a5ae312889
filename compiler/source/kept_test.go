package source_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/source"
)

const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}\n"

// workshop is a folder on disk that is edited and loaded again and again.
type workshop struct {
	t    *testing.T
	dir  string
	kept source.Kept
}

func (w *workshop) write(name, text string) {
	w.t.Helper()
	full := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.age(full)
}

// age makes a file look as if nobody had touched it for a while.
func (w *workshop) age(full string) {
	w.t.Helper()
	long := time.Now().Add(-time.Hour)
	if err := os.Chtimes(full, long, long); err != nil {
		w.t.Fatal(err)
	}
}

// load loads with what is kept, and holds it against a load without.
func (w *workshop) load(after string) *source.Tree {
	w.t.Helper()
	opts := source.Options{Paths: []string{w.dir}, Dir: w.dir}
	want, faults, failure := source.Load(opts)
	opts.Kept = &w.kept
	got, found, err := source.Load(opts)
	if !reflect.DeepEqual(found, faults) || (err == nil) != (failure == nil) {
		w.t.Errorf("after %s a load finds %v (%v), and without what was kept %v (%v)", after, found, err, faults, failure)
	}
	if !reflect.DeepEqual(got, want) {
		w.t.Errorf("after %s a load gives another tree than one without what was kept:\n%+v\n%+v", after, got, want)
	}
	return got
}

// Whoever loads again gets what is there now, however it changed.
func TestKeptFilesFollowTheDisk(t *testing.T) {
	w := &workshop{t: t, dir: t.TempDir()}
	w.write("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  sources: [./apps, {kustomize: ./prod}]\n  rules: {dirs: [./rules]}\n")
	w.write("apps/a.yaml", account)
	w.write("rules/a/policy.rego", "package a\n")
	w.write("base/web.yaml", deployment)
	w.write("base/kustomization.yaml", "resources: [web.yaml]\n")
	w.write("prod/kustomization.yaml", "resources: [../base]\npatches: [{path: p.yaml}]\n")
	w.write("prod/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 2}\n")
	remove := func(name string) {
		if err := os.RemoveAll(filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, edit := range []struct {
		name string
		do   func()
	}{
		{"nothing", func() {}},
		{"an edit", func() { w.write("apps/a.yaml", account+"# more\n") }},
		{"an edit of the same size", func() { w.write("apps/a.yaml", account+"# less\n") }},
		{"a new file", func() { w.write("apps/b/c.yaml", account) }},
		{"a renaming", func() {
			if err := os.Rename(filepath.Join(w.dir, "apps/a.yaml"), filepath.Join(w.dir, "apps/d.yaml")); err != nil {
				t.Fatal(err)
			}
		}},
		{"an edit of a base", func() { w.write("base/web.yaml", deployment+"---\n"+account) }},
		{"an edit of a patch", func() {
			w.write("prod/p.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n")
		}},
		{"a broken base", func() { w.write("base/web.yaml", "a: [1,\n") }},
		{"a mended base", func() { w.write("base/web.yaml", deployment) }},
		{"a patch that is gone", func() { remove("prod/p.yaml") }},
		{"a patch that came again", func() { w.write("prod/p.yaml", deployment) }},
		{"a second kustomization", func() { w.write("prod/kustomization.yml", "resources: [../base]\n") }},
		{"none", func() { remove("prod") }},
		{"another rule", func() { w.write("rules/a/policy.rego", "package b\n") }},
		{"a removed folder", func() { remove("apps") }},
	} {
		edit.do()
		w.load(edit.name)
	}
}

// An edit costs reading one file, and a kustomization is rendered again only when
// something that it is made of changed.
func TestWhatStaysIsNotReadAgain(t *testing.T) {
	w := &workshop{t: t, dir: t.TempDir()}
	w.write("meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  sources: [./apps, {kustomize: ./base}]\n")
	w.write("apps/a.yaml", account)
	w.write("apps/b.yaml", account)
	w.write("base/web.yaml", deployment)
	w.write("base/kustomization.yaml", "resources: [web.yaml]\n")
	first := w.load("nothing")
	w.write("apps/a.yaml", account+"# more\n")
	second := w.load("an edit")
	if &first.Files[1].Data[0] != &second.Files[1].Data[0] {
		t.Error("a file that stayed was read again")
	}
	if !second.SameBuilds(first) {
		t.Error("a kustomization that stayed was rendered again")
	}
	if second.Same(first) || !second.Same(w.load("nothing")) {
		t.Error("an edit makes the same tree, or none makes another")
	}
	w.write("base/web.yaml", deployment+"# more\n")
	if w.load("an edit of the base").SameBuilds(second) {
		t.Error("a kustomization whose base changed was not rendered again")
	}
}

// Two edits within one tick of the clock of files: the second shows, too.
func TestAnEditThatLeavesTimeAndSizeIsSeen(t *testing.T) {
	w := &workshop{t: t, dir: t.TempDir()}
	name := filepath.Join(w.dir, "a.yaml")
	now := time.Now()
	for _, text := range []string{account + "# 1\n", account + "# 2\n"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, now, now); err != nil {
			t.Fatal(err)
		}
		if got := w.load("an edit"); string(got.Files[0].Data) != text {
			t.Errorf("it holds %q, and %q was loaded", text, got.Files[0].Data)
		}
	}
}
