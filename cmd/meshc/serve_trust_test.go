package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/xds/server"
)

// statusUntil asks a server for its status until it satisfies a condition.
func statusUntil(t *testing.T, admin, what string, ok func(server.Status) bool) server.Status {
	t.Helper()
	var st server.Status
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		code, out, errs := meshc(t, "", "status", "--server", admin, "-o", "json")
		if code == exitClean {
			st = server.Status{}
			if err := json.Unmarshal([]byte(out), &st); err != nil {
				t.Fatal(err)
			}
			if ok(st) {
				return st
			}
		}
		if time.Now().After(end) {
			t.Fatalf("no %s: exit %d, %+v\n%s", what, code, st, errs)
		}
	}
}

// refuses waits until the newest bundle is refused with a code, and checks that
// the one that was served still is.
func refuses(t *testing.T, admin, code, serving string) {
	t.Helper()
	st := statusUntil(t, admin, "refusal with "+code, func(st server.Status) bool {
		return len(st.Degraded) == 1 && len(st.Degraded[0].Findings) > 0 && st.Degraded[0].Findings[0].Code == code
	})
	if st.Bundle.BundleDigest != serving || !st.Ready {
		t.Errorf("after %s it serves %s, not %s", code, st.Bundle.BundleDigest, serving)
	}
}

// process is a server that can be killed.
func process(t *testing.T, args ...string) (admin string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(os.Args[0], append([]string{"serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), asMeshc+"=1")
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			if _, address, ok := strings.Cut(lines.Text(), `msg="listening for operators" address=`); ok {
				found <- address
			}
		}
	}()
	admin, ok := <-found
	if !ok {
		t.Fatalf("it ended: %v", cmd.Wait())
	}
	return admin, cmd
}

// The real server, with real files: a bundle that is unsigned, signed by another
// key, altered by one bit or older than what is served is refused with the
// reason, what was served stays, and kill -9 makes it forget nothing of that.
func TestServeTrustsWhomItIsTold(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	edwards(t, dir, "mine")
	edwards(t, dir, "theirs")
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "catalog.yaml": serveCatalog})
	build := func(args ...string) string {
		t.Helper()
		wants(t, exitClean, append([]string{"build", at("apps.yaml"), "-o", at("bundle")}, args...)...)
		return manifest(t, at("bundle")).BundleDigest
	}
	serve := []string{"--bundle", at("bundle"), "--catalog", at("catalog.yaml"), "--state", at("state"), "--trust", at("mine.pub")}
	ten := build("--sign", at("mine.key"), "--epoch", "10")
	admin, server10 := process(t, serve...)
	statusUntil(t, admin, "bundle of epoch 10", func(st server.Status) bool { return st.Bundle.BundleDigest == ten })

	build("--epoch", "11")
	refuses(t, admin, "MSH0408", ten)
	build("--epoch", "11", "--sign", at("theirs.key"))
	refuses(t, admin, "MSH0409", ten)
	build("--epoch", "9", "--sign", at("mine.key"))
	refuses(t, admin, "MSH0412", ten)
	build("--epoch", "11", "--sign", at("theirs.key"))
	refuses(t, admin, "MSH0409", ten)
	flip(t, filepath.Join(at("bundle"), bundle.PackFile))
	refuses(t, admin, "MSH0405", ten)

	if err := server10.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = server10.Wait()
	build("--epoch", "9", "--sign", at("mine.key"))
	admin, _ = process(t, serve...)
	refuses(t, admin, "MSH0412", ten)
	eleven := build("--epoch", "11", "--sign", at("mine.key"))
	statusUntil(t, admin, "bundle of epoch 11", func(st server.Status) bool {
		return st.Bundle.BundleDigest == eleven && len(st.Degraded) == 0
	})
}

// flip turns one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Going back is asked for by digest; where the older bundle allows more, it takes
// a second word, and the refusal names what would be open again.
func TestServeRollsBackByDigest(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	writeFiles(t, dir, map[string]string{"open/apps.yaml": rollbackApps + rollbackGrant, "closed/apps.yaml": rollbackApps, "catalog.yaml": serveCatalog})
	build := func(sources, epoch string) bundle.Manifest {
		t.Helper()
		wants(t, exitClean, "build", at(sources), "-o", at("bundle"), "--epoch", epoch)
		return manifest(t, at("bundle"))
	}
	args := []string{"--bundle", at("bundle"), "--catalog", at("catalog.yaml"), "--state", at("state")}
	closed := build("closed", "2")
	admin, end := serving(t, args...)
	open := build("open", "1")
	refuses(t, admin, "MSH0412", closed.BundleDigest)
	end()

	args = append(args, "--rollback", open.PolicyDigest)
	admin, end = serving(t, args...)
	refuses(t, admin, "MSH0413", closed.BundleDigest)
	st := statusUntil(t, admin, "reason", func(server.Status) bool { return true })
	if message := st.Degraded[0].Findings[0].Message; !strings.Contains(message, "shop/client") {
		t.Errorf("it does not say who may again: %s", message)
	}
	end()

	admin, _ = serving(t, append(args, "--allow-widen")...)
	statusUntil(t, admin, "older bundle", func(st server.Status) bool {
		return st.Bundle.BundleDigest == open.BundleDigest && len(st.Degraded) == 0
	})
}

const rollbackApps = `apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: client, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, name: http, targetPort: 8080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {serviceAccountName: web, containers: [{name: web, image: web, ports: [{containerPort: 8080}]}]}
`

const rollbackGrant = `---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: web, namespace: shop}
spec: {matches: [{name: all, pathRegex: ".*", methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  sources: [{kind: ServiceAccount, name: client, namespace: shop}]
  rules: [{kind: HTTPRouteGroup, name: web, matches: [all]}]
`

// From sources to a registry to whoever reads bundles, a server among them, which
// outlives the registry.
func TestRegistryFromEndToEnd(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	shelf := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer shelf.Close()
	ref := "oci://" + strings.TrimPrefix(shelf.URL, "http://") + "/team/mesh:v1"
	edwards(t, dir, "mine")
	edwards(t, dir, "theirs")
	writeFiles(t, dir, map[string]string{"apps.yaml": appsManifests, "catalog.yaml": serveCatalog})
	push := func(key string, epoch int) bundle.Manifest {
		t.Helper()
		wants(t, exitClean, "build", at("apps.yaml"), "-o", at("bundle"), "--sign", at(key), "--epoch", fmt.Sprint(epoch))
		wants(t, exitClean, "push", at("bundle"), ref, "--plain-http", "--tag", "stable")
		return manifest(t, at("bundle"))
	}
	one := push("mine.key", 1)
	out, _ := wants(t, exitClean, "push", at("bundle"), ref, "--plain-http")
	pinned, _, _ := strings.Cut(out, "\n")
	wants(t, exitClean, "pull", pinned, "--plain-http", "-o", at("pulled"), "--key", at("mine.pub"))
	if got := manifest(t, at("pulled")); got.BundleDigest != one.BundleDigest {
		t.Errorf("pushed %s, pulled %s", one.BundleDigest, got.BundleDigest)
	}
	wants(t, exitClean, "verify", ref, "--plain-http", "--key", at("mine.pub"))
	if out, _ := wants(t, exitClean, "inspect", ref, "--plain-http"); !strings.Contains(out, one.PolicyDigest) {
		t.Errorf("inspect shows\n%s", out)
	}
	wants(t, exitFindings, "pull", ref, "--plain-http", "-o", at("refused"), "--key", at("theirs.pub"))
	if _, err := os.Stat(at("refused")); err == nil {
		t.Error("a bundle that nobody trusted signed was written")
	}
	wants(t, exitInput, "verify", ref+"-absent", "--plain-http")
	wants(t, exitUsage, "push", at("bundle"), "registry.example/mesh")

	args := []string{"--bundle", ref, "--plain-http", "--poll", "50ms", "--catalog", at("catalog.yaml"), "--state", at("state"), "--trust", at("mine.pub")}
	admin, end := serving(t, args...)
	statusUntil(t, admin, "bundle", func(st server.Status) bool { return st.Bundle.BundleDigest == one.BundleDigest })
	two := push("mine.key", 2)
	statusUntil(t, admin, "second bundle", func(st server.Status) bool { return st.Bundle.BundleDigest == two.BundleDigest })
	push("theirs.key", 3)
	refuses(t, admin, "MSH0409", two.BundleDigest)
	shelf.Close()
	st := statusUntil(t, admin, "word of the outage", func(st server.Status) bool {
		return len(st.Degraded) == 1 && strings.Contains(st.Degraded[0].Reason, "cannot be read")
	})
	if st.Bundle.BundleDigest != two.BundleDigest {
		t.Errorf("while the registry is away %s is served", st.Bundle.BundleDigest)
	}
	end()
	admin, _ = serving(t, args...)
	statusUntil(t, admin, "last good bundle", func(st server.Status) bool { return st.Ready && st.Bundle.BundleDigest == two.BundleDigest })
}
