package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/xds/server"
)

// A folder may be the source of what is served, as a mounted volume: a newer bundle in it
// is taken, one that may not be served leaves what was, and the Mesh and the control
// plane's own status say why until there is a good one again.
func TestAFolderIsServedInsteadOfTheClustersObjects(t *testing.T) {
	r, dir := newReplicas(t), t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	edwards(t, dir, "mine")
	edwards(t, dir, "theirs")
	build := func(mode string, args ...string) string {
		t.Helper()
		writeFiles(t, dir, map[string]string{"src/meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {mode: " + mode + ", sources: [apps.yaml]}\n", "src/apps.yaml": appsManifests + "---\n" + policyManifests})
		wants(t, exitClean, append([]string{"build", at("src"), "-o", at("bundle")}, args...)...)
		return manifest(t, at("bundle")).BundleDigest
	}
	asked := 0
	look := func(status, words string) {
		t.Helper()
		asked++
		r.mesh("{bundle: {path: '"+at("bundle")+"'}}", fmt.Sprint(asked))
		r.ready(fmt.Sprint(asked), status, words)
	}
	first := build("audit", "--sign", at("mine.key"), "--epoch", "7")
	admin, _ := r.start("one", "--state", at("one"), "--trust", at("mine.pub"))
	look("True", "is served")
	r.serving(first, admin)
	good := build("strict", "--sign", at("mine.key"), "--epoch", "8")
	look("True", "is served")
	r.serving(good, admin)

	for _, bad := range []struct {
		says string
		make func()
	}{
		{"MSH0408", func() { build("permissive", "--epoch", "9") }},
		{"MSH0409", func() { build("permissive", "--epoch", "9", "--sign", at("theirs.key")) }},
		{"epoch 6", func() { build("permissive", "--epoch", "6", "--sign", at("mine.key")) }},
		{"MSH0405", func() {
			build("permissive", "--epoch", "9", "--sign", at("mine.key"))
			flip(t, filepath.Join(at("bundle"), bundle.PackFile))
		}},
		{"no such file", func() {
			if err := os.RemoveAll(at("bundle")); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		bad.make()
		look("False", bad.says)
		st := statusUntil(t, admin, "word of "+bad.says, func(s server.Status) bool {
			return len(s.Degraded) == 1 && s.Degraded[0].What == "bundle" && strings.Contains(s.Degraded[0].Reason, bad.says)
		})
		if st.Bundle.BundleDigest != good {
			t.Errorf("%s, and %s is served", bad.says, st.Bundle.BundleDigest)
		}
	}
	newest := build("permissive", "--epoch", "10", "--sign", at("mine.key"))
	look("True", "is served")
	r.serving(newest, admin)
	statusUntil(t, admin, "end of what was wrong", func(s server.Status) bool { return len(s.Degraded) == 0 })
}

// moody is a registry in this process that can be away, or give other bytes than it has.
type moody struct {
	host        string
	away, wrong atomic.Bool
}

func newMoody(t *testing.T) *moody {
	t.Helper()
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	t.Setenv("MESHC_CACHE", t.TempDir())
	m, shelf := &moody{}, registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.away.Load() {
			panic(http.ErrAbortHandler) // the connection ends
		}
		got := httptest.NewRecorder()
		shelf.ServeHTTP(got, r)
		body := got.Body.Bytes()
		if m.wrong.Load() && r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") && len(body) > 0 {
			body[len(body)/2] ^= 1
		}
		for name, values := range got.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(got.Code)
		_, _ = w.Write(body) // who asked may be gone
	}))
	t.Cleanup(server.Close)
	m.host = "oci://" + strings.TrimPrefix(server.URL, "http://")
	return m
}

// told waits until an object's condition Accepted says some words, and others not.
func (r replicas) told(path, words, not string) {
	r.t.Helper()
	r.until("it says "+words, func() error {
		status, _ := r.get(path)["status"].(kubeObject)
		list, _ := status["conditions"].([]any)
		for _, c := range list {
			c := c.(kubeObject)
			if text := c["message"].(string); c["type"] == "Accepted" && strings.Contains(text, words) && (not == "" || !strings.Contains(text, not)) {
				return nil
			}
		}
		return fmt.Errorf("%v", list)
	})
}

// A Mesh names rule sets of a registry by digest: they judge what is in force once they
// were fetched. What is not what its digest says, or nobody who is trusted signed, judges
// nothing and is told; what was accepted judges on while the registry is away, in a process
// that begins anew as well.
func TestRuleSetsOfARegistryJudgeInTheCluster(t *testing.T) {
	r, m, dir := newReplicas(t), newMoody(t), ruled(t, "")
	ruleKeys(t, dir, "team")
	ruleKeys(t, dir, "other")
	push := func(tag, key string) string {
		out, _ := wants(t, exitClean, "policy", "push", filepath.Join(dir, "rules"), m.host+"/rules:"+tag, "--plain-http", "--sign", filepath.Join(dir, key+".pem"))
		return strings.TrimSpace(out)
	}
	pinned, foreign := push("v1", "team"), push("v2", "other")
	edit(t, filepath.Join(dir, "rules", "owners", "policy.rego"), "has no label", "wants the label")
	another := push("v3", "team")
	key, err := os.ReadFile(filepath.Join(dir, "team.pub"))
	if err != nil {
		t.Fatal(err)
	}
	r.put("/api/v1/namespaces/meshc-system/configmaps", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keys, namespace: meshc-system, labels: {meshc.dev/rules: 'true'}}\ndata:\n  team.pub: |\n    "+strings.ReplaceAll(strings.TrimSpace(string(key)), "\n", "\n    "))
	targets := "/apis/access.smi-spec.io/v1alpha4/namespaces/shop/traffictargets"
	docs := strings.Split(policyManifests, "\n---\n")
	r.put("/apis/specs.smi-spec.io/v1alpha4/namespaces/shop/tcproutes", docs[0])
	r.put(targets, strings.Replace(docs[1], "v1alpha3", "v1alpha4", 1))
	names := func(sets ...string) {
		t.Helper()
		r.mesh(`{rules: {trust: [team.pub], dirs: ["`+strings.Join(sets, `", "`)+`"]}}`, "")
	}
	mesh, target := meshesPath+"/mesh", targets+"/web"
	state := filepath.Join(dir, "state")
	_, process := r.start("one", "--state", state, "--plain-http")

	names(pinned)
	r.told(target, "SHOP001", "")
	r.told(mesh, "", "MSH06")
	names(foreign)
	r.told(mesh, "MSH0643", "")
	r.told(target, "", "SHOP001")
	names(m.host + "/rules@sha256:" + strings.Repeat("0", 64))
	r.told(mesh, "MSH0641", "MSH0643")
	m.wrong.Store(true)
	names(another)
	r.told(mesh, another, "was not fetched yet")
	r.told(target, "", "SHOP001")
	m.wrong.Store(false)

	m.away.Store(true)
	names(pinned) // it was fetched before
	r.told(target, "has no label", "wants the label")
	names(pinned, another)
	r.told(mesh, "MSH0641", "was not fetched yet")
	r.told(target, "has no label", "wants the label")
	_ = process.Process.Kill() // it runs
	_ = process.Wait()         // killed, it always fails
	r.put(targets, strings.NewReplacer("v1alpha3", "v1alpha4", "{name: web, namespace: shop}", "{name: later, namespace: shop}").Replace(docs[1]))
	r.start("one", "--state", state, "--plain-http")
	r.told(targets+"/later", "has no label", "")
}
