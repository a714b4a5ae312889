package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/test/cluster/apiserver"
	"github.com/meshc/meshc/xds/server"
)

type kubeObject = map[string]any

// replicas is a cluster with control planes that are processes of their own.
type replicas struct {
	*apiserver.Server
	t *testing.T
}

func newReplicas(t *testing.T) replicas {
	r := replicas{apiserver.New(t), t}
	files, err := crds.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var o kubeObject
		if err := yaml.Unmarshal(f.Text, &o); err != nil {
			t.Fatal(err)
		}
		delete(o["spec"].(kubeObject), "conversion")
		r.Do(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", o)
	}
	r.put("/api/v1/namespaces", "apiVersion: v1\nkind: Namespace\nmetadata: {name: meshc-system}")
	r.put("/api/v1/namespaces", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {meshc.dev/mesh: mesh}}")
	return r
}

func (r replicas) until(what string, try func() error) {
	r.t.Helper()
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	r.t.Fatalf("never: %s: %v", what, err)
}

// put makes an object what a manifest says, once its kind is served.
func (r replicas) put(list, manifest string) {
	r.t.Helper()
	var o kubeObject
	if err := yaml.Unmarshal([]byte(manifest), &o); err != nil {
		r.t.Fatal(err)
	}
	r.until("it is applied: "+manifest, func() error {
		delete(o["metadata"].(kubeObject), "resourceVersion") // of a try that met with a conflict
		_, err := r.Try(http.MethodPost, list, o)
		if err == nil || !strings.Contains(err.Error(), "AlreadyExists") {
			return err
		}
		at := list + "/" + o["metadata"].(kubeObject)["name"].(string)
		o["metadata"].(kubeObject)["resourceVersion"] = r.get(at)["metadata"].(kubeObject)["resourceVersion"]
		_, err = r.Try(http.MethodPut, at, o)
		return err
	})
}

func (r replicas) get(path string) kubeObject {
	r.t.Helper()
	var out kubeObject
	if err := json.Unmarshal(r.Do(http.MethodGet, path, nil), &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// start starts a control plane as a pod of this name.
func (r replicas) start(name string, args ...string) (admin string, process *exec.Cmd) {
	r.t.Helper()
	admin = freeAddress(r.t)
	process = exec.Command(os.Args[0], append([]string{"controller", "--kubeconfig", r.Kubeconfig(), "--listen", "127.0.0.1:0", "--admin", admin}, args...)...)
	process.Env = append(os.Environ(), asMeshc+"=1", "POD_NAME="+name)
	log, err := os.Create(filepath.Join(r.t.TempDir(), name+".log"))
	if err != nil {
		r.t.Fatal(err)
	}
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = process.Process.Kill() // it may have ended
		_ = process.Wait()         // killed, it always fails
		if text, err := os.ReadFile(log.Name()); err == nil && r.t.Failed() {
			r.t.Logf("%s:\n%s", name, text)
		}
		log.Close()
	})
	return admin, process
}

// serving waits until all of some control planes serve a bundle, and gives its files.
func (r replicas) serving(digest string, admins ...string) {
	r.t.Helper()
	var first string
	for _, admin := range admins {
		statusUntil(r.t, admin, "bundle "+digest, func(s server.Status) bool { return s.Ready && s.Bundle.BundleDigest == digest })
		resp, err := http.Get("http://" + admin + "/bundle/manifest.json")
		if err != nil {
			r.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || len(text) == 0 || resp.StatusCode != http.StatusOK {
			r.t.Fatal(resp.Status, err)
		}
		if first == "" {
			first = string(text) // it has the digests of all other files
		}
		if first != string(text) {
			r.t.Errorf("replicas serve other bytes under one digest:\n%s\nand\n%s", first, text)
		}
	}
}

const meshesPath = "/apis/meshc.dev/v1alpha1/meshes"

// mesh writes the Mesh, and asks that it be looked at.
func (r replicas) mesh(spec, asked string) {
	r.t.Helper()
	r.put(meshesPath, fmt.Sprintf("apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh, annotations: {reconcile.fluxcd.io/requestedAt: %q}}\nspec: %s", asked, spec))
}

// ready waits until the Mesh says of a request what became of it.
func (r replicas) ready(asked, status, words string) {
	r.t.Helper()
	r.until("Ready is "+status+" with "+words, func() error {
		is, _ := r.get(meshesPath + "/mesh")["status"].(kubeObject)
		list, _ := is["conditions"].([]any)
		for _, c := range list {
			c := c.(kubeObject)
			if c["type"] == "Ready" && c["status"] == status && strings.Contains(c["message"].(string), words) && is["lastHandledReconcileAt"] == asked {
				return nil
			}
		}
		return fmt.Errorf("%v", is)
	})
}

// holder is which replica leads.
func (r replicas) holder() string {
	spec := r.get("/apis/coordination.k8s.io/v1/namespaces/meshc-system/leases/meshc-controller")["spec"].(kubeObject)
	name, _ := spec["holderIdentity"].(string)
	return name
}

// Two control planes of a cluster, as processes of their own: they serve the same bytes,
// one of them writes, either may be killed and come back, and a bundle that the Mesh names
// is taken from a registry when it is signed by whom they trust, and by nobody else.
func TestReplicasServeTheSame(t *testing.T) {
	r, dir, host := newReplicas(t), t.TempDir(), registryHost(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	edwards(t, dir, "mine")
	edwards(t, dir, "theirs")
	publish := func(mode, key string, epoch int) string {
		t.Helper()
		writeFiles(t, dir, map[string]string{"src/meshc.yaml": "apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: mesh}\nspec: {mode: " + mode + ", sources: [apps.yaml]}\n", "src/apps.yaml": appsManifests + "---\n" + policyManifests})
		wants(t, exitClean, "build", at("src"), "-o", at("bundle"), "--sign", at(key+".key"), "--epoch", fmt.Sprint(epoch))
		wants(t, exitClean, "push", at("bundle"), host+"/mesh:stable", "--plain-http")
		return manifest(t, at("bundle")).BundleDigest
	}
	flags := func(name string) []string {
		return []string{"--state", at(name), "--trust", at("mine.pub"), "--plain-http"}
	}
	one, oneProcess := r.start("one", flags("one")...)
	two, twoProcess := r.start("two", flags("two")...)
	for _, doc := range strings.Split(policyManifests, "\n---\n") {
		list := "/apis/specs.smi-spec.io/v1alpha4/namespaces/shop/tcproutes"
		if strings.Contains(doc, "TrafficTarget") {
			list, doc = "/apis/access.smi-spec.io/v1alpha4/namespaces/shop/traffictargets", strings.Replace(doc, "v1alpha3", "v1alpha4", 1)
		}
		r.put(list, doc)
	}
	r.mesh("{mode: audit}", "objects")
	r.ready("objects", "True", "is served")
	r.until("one status is written", func() error {
		o := r.get("/apis/access.smi-spec.io/v1alpha4/namespaces/shop/traffictargets/web")
		if status, _ := o["status"].(kubeObject); status["conditions"] == nil {
			return fmt.Errorf("%v", o)
		}
		return nil
	})
	r.until("both serve the objects alike, as the Mesh says", func() error {
		for _, admin := range []string{one, two} {
			s := statusUntil(t, admin, "bundle of the objects", func(s server.Status) bool { return s.Ready })
			status, _ := r.get(meshesPath + "/mesh")["status"].(kubeObject)
			if status["policyDigest"] != s.Bundle.PolicyDigest { // what it was made of may be told in another order
				return fmt.Errorf("%v and %v", s.Bundle, status)
			}
		}
		return nil
	})

	good := publish("audit", "mine", 7)
	source := "{bundle: {oci: '" + strings.TrimPrefix(host, "oci://") + "/mesh:stable'}}"
	r.mesh(source, "first")
	r.ready("first", "True", "is served")
	r.serving(good, one, two)
	publish("permissive", "theirs", 8)
	r.mesh(source, "second")
	r.ready("second", "False", "MSH0409")
	publish("permissive", "mine", 6)
	r.mesh(source, "third")
	r.ready("third", "False", "epoch 6")
	r.serving(good, one, two)

	leader := r.holder()
	stays := two
	if leader == "two" {
		stays, oneProcess = one, twoProcess
	}
	_ = oneProcess.Process.Kill() // it runs
	_ = oneProcess.Wait()         // killed, it always fails
	r.until("the other leads", func() error {
		if now := r.holder(); now == leader || now == "" {
			return fmt.Errorf("%q leads", now)
		}
		return nil
	})
	again, _ := r.start(leader, flags(leader)...)
	r.serving(good, again, stays) // what the registry has now is not taken, and what was kept is
	newest := publish("permissive", "mine", 9)
	r.mesh(source, "fourth")
	r.ready("fourth", "True", "is served")
	r.serving(newest, again, stays)
	if now := r.holder(); now == leader {
		t.Errorf("%s leads again, though the other runs", now)
	}
}
