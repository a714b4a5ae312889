package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/xds/server"
)

const serveCatalog = `apiVersion: meshc.dev/v1alpha1
kind: Catalog
metadata: {name: shop}
spec:
  workloads:
  - {name: shop/web, identity: shop/web, addresses: [10.42.0.7]}
  services:
  - name: shop/web
    vips: [10.96.0.1]
    ports: [{port: 80, name: http, targetPort: 8080}]
    endpoints: [{workload: shop/web}]
`

// serving runs `meshc serve` until the test ends; it gives the admin address and
// a function that ends it as SIGTERM does and gives the exit code.
func serving(t *testing.T, args ...string) (admin string, end func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...), streams{In: strings.NewReader(""), Out: w, Err: w})
		w.Close()
	}()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			t.Log(lines.Text())
			if _, address, ok := strings.Cut(lines.Text(), `msg="listening for operators" address=`); ok {
				found <- address
			}
		}
	}()
	stopped := false
	end = func() int {
		if stopped {
			return 0
		}
		stopped = true
		cancel()
		c := <-code
		for range found { // until the log has ended
		}
		return c
	}
	t.Cleanup(func() { end() })
	admin, ok := <-found
	if !ok {
		t.Fatalf("serve ended with %d", <-code)
	}
	return admin, end
}

func TestServeAndStatus(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "catalog.yaml": serveCatalog})
	out, state := filepath.Join(dir, "bundle"), filepath.Join(dir, "state")
	wants(t, exitClean, "build", filepath.Join(dir, "apps.yaml"), "-o", out)
	admin, end := serving(t, "--bundle", out, "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", state)

	text, _ := wants(t, exitClean, "status", "--server", admin)
	for _, want := range []string{"policy digest " + manifest(t, out).PolicyDigest, "no proxy is connected"} {
		if !strings.Contains(text, want) {
			t.Errorf("status does not say %q:\n%s", want, text)
		}
	}
	asJSON, _ := wants(t, exitClean, "status", "--server", "http://"+admin, "-o", "json")
	var st server.Status
	if err := json.Unmarshal([]byte(asJSON), &st); err != nil || !st.Ready || st.Bundle.BundleDigest != manifest(t, out).BundleDigest {
		t.Errorf("status as JSON is %s (%v)", asJSON, err)
	}
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ok", "/metrics": `meshc_xds_bundle_info{bundle_digest="`} {
		resp, err := http.Get("http://" + admin + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte(want)) {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
	if resp, err := http.Get("http://" + admin + "/debug/pprof/"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("profiles are served though nobody asked: %v %v", resp, err)
	}
	if code := end(); code != exitClean {
		t.Errorf("serve ended with %d on SIGTERM", code)
	}
	wants(t, exitInput, "status", "--server", admin)
}

// What cannot be served ends at once, with the reason.
func TestServeWithoutABundle(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"catalog.yaml": serveCatalog, "bundle/manifest.json": "{"})
	_, stderr := wants(t, exitInput, "serve", "--bundle", filepath.Join(dir, "absent"), "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", filepath.Join(dir, "state"))
	if !strings.Contains(stderr, "absent") {
		t.Errorf("it says %s", stderr)
	}
	_, stderr = wants(t, exitFindings, "serve", "--bundle", filepath.Join(dir, "bundle"), "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", filepath.Join(dir, "state"))
	if !strings.Contains(stderr, "MSH0401") {
		t.Errorf("it says %s", stderr)
	}
}

// A slip in what is to be gone back to is told at once: served would be the newest,
// in an hour in which somebody wants anything else.
func TestServeGoesBackToADigestOnly(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{{"--rollback", "v1"}, {"--rollback", "sha256:abc"}, {"--allow-widen"}} {
		wants(t, exitUsage, append([]string{"serve", "--bundle", dir, "--catalog", filepath.Join(dir, "catalog.yaml"), "--state", filepath.Join(dir, "state")}, args...)...)
	}
}

// Status shows what people look for: who is behind, who refuses what, what drifts.
func TestStatusText(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var st server.Status
	err := json.Unmarshal([]byte(`{"ready": true, "bundle": {"mesh": "shop", "policyDigest": "abc", "bundleDigest": "def", "revision": "r7"},
	 "proxies": [{"identity": "spiffe://cluster.local/ns/shop/sa/web", "workload": "shop/web-0", "since": "2026-03-01T11:58:30Z", "inSync": false,
	   "types": [{"type": "CDS", "sent": 3, "acked": 2, "nacked": 1, "refused": [{"name": "shop/db:5432", "version": "v", "reason": "no such thing"}]}]}],
	 "degraded": [{"what": "catalog", "reason": "it is gone", "since": "2026-03-01T11:00:00Z"}],
	 "rejected": [{"at": "2026-03-01T11:59:59Z", "peer": "10.0.0.9:1", "reason": "the token has expired"},
	  {"at": "2026-03-01T11:59:58Z", "times": 7, "peer": "10.0.0.8:1", "reason": "the token is revoked"}],
	 "drift": [{"code": "MSH4601", "severity": "warning", "message": "service \"shop/x\" is gone"}]}`), &st)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := printStatus(&out, st, now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"mesh shop\npolicy digest abc\nbundle digest def\nrevision r7\n", "degraded for 1h0m0s: it is gone",
		"shop/web  shop/web-0  1m30s      refuses a part  CDS 3/2/1", `shop/web-0 refused CDS "shop/db:5432": no such thing`,
		"refused 1s ago: a stream without an identity from 10.0.0.9:1: the token has expired", "refused 2s ago, 7 times: a stream", `warning[MSH4601]: service "shop/x" is gone`,
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("status does not say %q:\n%s", want, out.String())
		}
	}
}
