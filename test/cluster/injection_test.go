package cluster_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/test/cluster"
)

const policy = `
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: books, namespace: shop}
spec: {matches: [{name: list, pathRegex: /books, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: client-web, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: books}]
  sources: [{kind: ServiceAccount, name: client, namespace: shop}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {meshc.dev/mesh: meshc}}
---
apiVersion: v1
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
spec:
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}]
`

// clients call as soon as they run, and end: a Job's pod, and one whose init
// container calls.
const clients = `
apiVersion: v1
kind: Pod
metadata: {name: once, namespace: shop}
spec:
  serviceAccountName: client
  restartPolicy: Never
  initContainers: [{name: first, image: meshc.test/app:1, args: [call, "URL4/books/init"]}]
  containers: [{name: app, image: meshc.test/app:1, args: [call, "URL4/books", "URL4/buy", "URL6/books"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: classic, namespace: shop, annotations: {meshc.dev/native-sidecar: "false"}}
spec:
  terminationGracePeriodSeconds: 1
  serviceAccountName: client
  containers: [{name: app, image: meshc.test/app:1, args: [wait]}]
`

// mesh is a control plane on this machine: it reads the cluster, and the cluster's
// pods reach it.
type mesh struct {
	meshc, dir string
}

func (m *mesh) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mesh) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(m.path(name)+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(m.path(name)+".new", m.path(name)); err != nil {
		t.Fatal(err)
	}
}

// serve runs `meshc serve` until the test ends.
func (m *mesh) serve(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log, err := os.Create(m.path("serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, m.meshc, "serve", "--sources", m.path("mesh"), "--catalog", "cluster", "--kubeconfig", world.Kubeconfig, "--state", m.path("state"),
		"--listen", "10.250.0.1:15128", "--host", "10.250.0.1", "--admin", "")
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name()) // only to be shown
			t.Logf("the control plane said:\n%s", text)
		}
	})
	until(t, "the control plane listens", func() bool {
		text, err := os.ReadFile(log.Name())
		return err == nil && strings.Contains(string(text), "listening for proxies")
	})
}

// apply injects manifests as a user does, and applies them.
func (m *mesh) apply(t *testing.T, manifests string, more ...string) {
	t.Helper()
	m.write(t, "apps.yaml", manifests)
	must(t, command(t, m.meshc, append([]string{"inject", "-f", m.path("apps.yaml"), "--mesh", "meshc", "--control-plane", "10.250.0.1:15128", "--envoy-image", cluster.EnvoyImage,
		"--meshc-image", cluster.MeshcImage, "--pull-policy", "Never", "--ca", m.path("root.pem")}, more...)...), "apply", "-f", "-")
}

// calls are the answers of calls from a pod's application, their first words.
func calls(t *testing.T, pod string, urls ...string) []string {
	t.Helper()
	return answers(must(t, "", append([]string{"-n", "shop", "exec", pod, "-c", "app", "--", "app", "call"}, urls...)...))
}

func answers(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		word, _, _ := strings.Cut(line, " ")
		out = append(out, strings.TrimSpace(word))
	}
	return out
}

// probed are pods that are asked by every kind of probe.
func probed(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/probes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestInjectedPods(t *testing.T) {
	m := &mesh{meshc: build(t), dir: t.TempDir()}
	web := probed(t)
	must(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}", "apply", "-f", "-")
	t.Cleanup(func() { _, _ = kubectl("", "delete", "namespace", "shop", "--wait=false") }) // the cluster may be gone
	if err := os.MkdirAll(m.path("mesh/manifests"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write(t, "mesh/meshc.yaml", "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: meshc}\nspec: {sources: [./manifests]}\n")
	m.write(t, "mesh/manifests/policy.yaml", policy)
	m.write(t, "mesh/manifests/web.yaml", web)
	m.write(t, "mesh/manifests/clients.yaml", clients)
	must(t, policy[strings.Index(policy, "apiVersion: v1"):], "apply", "-f", "-")
	vips := strings.Fields(must(t, "", "-n", "shop", "get", "service", "web", "-o", "jsonpath={.spec.clusterIPs[*]}"))
	if len(vips) != 2 {
		t.Fatalf("the service has addresses %v, want two families", vips)
	}
	m.serve(t)
	m.write(t, "root.pem", command(t, m.meshc, "ca", "export", "--state", m.path("state")))

	m.apply(t, web)
	// Its containers wait for its proxy, its proxy for the control plane. All probes
	// answer; those of an application that is ill restart it.
	until(t, "the application is ready by its probes", func() bool { return look(t, "web").ready() })
	until(t, "an application that is ill is restarted", func() bool { return look(t, "ill").restarts("app") > 0 })
	p := look(t, "web")
	for _, s := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
		if s.RestartCount != 0 {
			t.Errorf("container %s restarted %d times: its probes do not reach it", s.Name, s.RestartCount)
		}
	}
	replace := strings.NewReplacer("URL4", "http://"+vips[0], "URL6", "http://["+vips[1]+"]")
	m.apply(t, replace.Replace(clients))
	until(t, "a pod of a Job ends although it has a proxy", func() bool { return look(t, "once").Status.Phase == "Succeeded" })
	if got := answers(must(t, "", "-n", "shop", "logs", "once", "-c", "app")); strings.Join(got, " ") != "200 403 200" {
		t.Errorf("the first calls of a pod are answered %v, want 200 403 200", got)
	}
	if got := answers(must(t, "", "-n", "shop", "logs", "once", "-c", "first")); strings.Join(got, " ") != "200" {
		t.Errorf("an init container that calls is answered %v, want 200", got)
	}
	until(t, "the classic form is ready", func() bool { return look(t, "classic").ready() })
	if got := calls(t, "classic", "http://"+vips[0]+"/books", "http://"+vips[0]+"/buy"); strings.Join(got, " ") != "200 403" {
		t.Errorf("beside a classic proxy calls are answered %v, want 200 403", got)
	}
	until(t, "the outsider runs", func() bool { return look(t, "outsider").ready() })
	ip := p.Status.PodIPs[0].IP
	got := calls(t, "outsider", "http://"+vips[0]+"/books", "http://"+ip+":8080/books", "http://"+ip+":9191/", "http://"+ip+":15020/app/readiness", "http://"+ip+":15020/books", "http://"+ip+":15000/")
	if strings.Join(got, " ") != "error: error: 200 200 404 error:" {
		t.Errorf("who is not in the mesh is answered %v, want only the excluded port and probes", got)
	}
}
