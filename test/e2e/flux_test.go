//go:build e2e

package e2e

import (
	"context"
	"net"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// sources is what Flux is told: a repository and what to apply of it.
const sources = `
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: mesh, namespace: flux-system}
spec: {interval: 2s, url: "http://ADDRESS/mesh.git", ref: {branch: main}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: mesh, namespace: flux-system}
spec: {interval: 1m, retryInterval: 5s, timeout: 1m, path: ./policy, prune: true, sourceRef: {kind: GitRepository, name: mesh}}
`

// Flux brings policy from a Git server: a good commit takes effect, a bad one is
// refused by admission and says so at the Kustomization, and a revert restores; the
// buyer's requests go on all the while.
func TestFlux(t *testing.T) {
	ours(t)
	install(t)
	names := []string{"bookbuyer", "bookstore", "bookthief", "bookwarehouse"}
	namespaces(t, names...)
	kubectl(t, "", "apply", "-f", example("apps"))
	flux(t)
	repo := newRepository(t)
	pods(t, names...)

	kubectl(t, strings.ReplaceAll(sources, "ADDRESS", repo.address), "apply", "-f", "-")
	t.Cleanup(func() {
		kubectl(t, "", "-n", "flux-system", "delete", "kustomization,gitrepository", "mesh", "--timeout=1m")
	})
	repo.commit("Begin", map[string]string{"policy/none.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: policy, namespace: bookstore}\n"})
	repo.synced()
	question := load.Flow{Name: "the buyer buys", Request: caller.Request{Method: "GET", Path: "/buy-a-book/new", Address: "bookstore.bookstore:14001"}}
	before := start(t, "bookbuyer", "deploy/bookbuyer", question)
	only(t, before.end()[question.Name], "refused")

	files := map[string]string{}
	for _, name := range []string{"bookstore.yaml", "bookwarehouse.yaml"} {
		text, err := os.ReadFile(example("policy", name))
		if err != nil {
			t.Fatal(err)
		}
		files["policy/"+name] = string(text)
	}
	good := repo.commit("Grant", files)
	repo.synced()
	until(t, "the commit takes effect", func() bool {
		return strings.HasPrefix(inside(t, "", "bookbuyer", "deploy/bookbuyer", "app", "ask", "1", "GET", "http://bookstore.bookstore:14001/buy-a-book/new"), "1 x 200")
	})

	going := start(t, "bookbuyer", "deploy/bookbuyer", question)
	repo.commit("Break", map[string]string{"policy/bookstore.yaml": strings.Replace(files["policy/bookstore.yaml"], "pathRegex: /books-bought", "pathRegex: /books-bought(", 1)})
	var said string
	until(t, "the bad commit shows on the Kustomization", func() bool {
		said = kubectl(t, "", "-n", "flux-system", "get", "kustomization", "mesh", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}`)
		return strings.HasPrefix(said, "False") && strings.Contains(said, "MSH")
	})
	if !strings.Contains(said, "MSH1015") || !strings.Contains(said, "/books-bought(") {
		t.Errorf("the Kustomization does not say what is wrong with the commit: %s", said)
	}
	t.Logf("the bad commit: %s", said)
	repo.git("revert", "--no-edit", "HEAD")
	repo.git("push", "-q", "origin", "main")
	repo.synced()
	only(t, going.end()[question.Name], "reached")
	t.Logf("synced from %s by revert to %s", good, repo.git("rev-parse", "HEAD"))
}

// flux runs Flux's controllers in the cluster until the test ends.
func flux(t *testing.T) {
	t.Helper()
	modules := filepath.Join(world.Root, "test", "cluster", "modules", "flux")
	for _, name := range []string{"source-controller", "kustomize-controller"} {
		program := filepath.Join(world.Dir, "bin", name)
		if _, err := os.Stat(program); err != nil {
			t.Fatalf("Flux is not built: run test/cluster/build .cache/cluster/bin e2e (%v)", err)
		}
		run(t, world.Root, filepath.Join("test", "cluster", "load"), world.Dir, "meshc.test/"+name+":1", program+"=/"+name, "--", "/"+name)
		dir := strings.TrimSpace(run(t, modules, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/fluxcd/"+name))
		crds := filepath.Join(dir, "config", "crd", "bases")
		kubectl(t, "", "apply", "--server-side", "-f", crds)
		t.Cleanup(func() { kubectl(t, "", "delete", "-f", crds, "--timeout=2m") })
	}
	manifests := filepath.Join(world.Root, "test", "e2e", "testdata", "flux.yaml")
	kubectl(t, "", "apply", "-f", manifests)
	t.Cleanup(func() { kubectl(t, "", "delete", "-f", manifests, "--timeout=2m") })
	pods(t, "flux-system")
}

// repository is a Git repository that a real Git server serves to the cluster.
type repository struct {
	t       *testing.T
	address string
	dir     string // a clone
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	root := t.TempDir()
	r := &repository{t: t, dir: filepath.Join(root, "clone")}
	run(t, root, "git", "init", "-q", "--bare", "-b", "main", "mesh.git")
	run(t, root, "git", "-C", "mesh.git", "config", "http.receivepack", "true")
	backend := filepath.Join(strings.TrimSpace(run(t, root, "git", "--exec-path")), "git-http-backend")
	// This machine's end of the link to the node.
	l, err := net.Listen("tcp", "10.250.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: &cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}}}
	go func() { _ = server.Serve(l) }() // until it is closed
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	r.address = l.Addr().String()
	run(t, root, "git", "clone", "-q", "http://"+r.address+"/mesh.git", r.dir)
	r.git("checkout", "-q", "-B", "main")
	r.git("config", "user.name", "test")
	r.git("config", "user.email", "test@example.org")
	return r
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	return strings.TrimSpace(run(r.t, r.dir, "git", args...))
}

// commit writes files, commits and pushes them; it gives the commit.
func (r *repository) commit(subject string, files map[string]string) string {
	r.t.Helper()
	for name, text := range files {
		path := filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "-A")
	r.git("commit", "-q", "-m", subject)
	r.git("push", "-q", "origin", "main")
	return r.git("rev-parse", "HEAD")
}

// synced waits until the cluster is at the last commit.
func (r *repository) synced() {
	r.t.Helper()
	head := r.git("rev-parse", "HEAD")
	var said string
	defer func() {
		if r.t.Failed() {
			r.t.Logf("the Kustomization says: %s", said)
		}
	}()
	until(r.t, "the Kustomization is at "+head, func() bool {
		said = kubectl(r.t, "", "-n", "flux-system", "get", "kustomization", "mesh", "-o", `jsonpath={.status.lastAppliedRevision} {.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="Ready")].message}`)
		return strings.HasPrefix(said, "main@sha1:"+head+" True")
	})
}

// run runs a program in a folder.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
