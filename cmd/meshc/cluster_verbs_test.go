package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// onCluster runs the verbs of a cluster as its administrator.
type onCluster struct {
	*apiserver.Server
	t          *testing.T
	kubeconfig string
}

func (c onCluster) ask(exit int, args ...string) (stdout, stderr string) {
	c.t.Helper()
	return wants(c.t, exit, append(args, "--kubeconfig", c.kubeconfig)...)
}

// says runs a verb that is to end well, and holds what it prints to some texts.
func (c onCluster) says(args []string, texts ...string) string {
	c.t.Helper()
	stdout, stderr := c.ask(exitClean, args...)
	for _, want := range texts {
		if !strings.Contains(stdout+stderr, want) {
			c.t.Errorf("meshc %s does not say %q:\n%s%s", strings.Join(args, " "), want, stdout, stderr)
		}
	}
	return stdout
}

// define gives the API server the kinds of the mesh, without a converter.
func (c onCluster) define() {
	c.t.Helper()
	files, err := crds.Files()
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "meshc.dev_") {
			continue
		}
		var crd manifestOf
		if err := yaml.Unmarshal(f.Text, &crd); err != nil {
			c.t.Fatal(err)
		}
		c.Do(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := c.Try(http.MethodGet, "/apis/meshc.dev/v1alpha1/breakglasses", nil); err == nil {
			return
		} else if time.Now().After(deadline) {
			c.t.Fatal(err)
		}
	}
}

// What an administrator asks of a cluster in which nothing runs yet: each verb says what
// it does and finds, and changes what it says.
func TestVerbsOfACluster(t *testing.T) {
	s := apiserver.New(t)
	c := onCluster{s, t, townOnCluster(t, s)}
	c.define()
	t.Run("install", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.installs() })
	t.Run("namespace", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.joins() })
	t.Run("metrics", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.scrapes() })
	t.Run("proxy", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.asksProxies() })
	t.Run("breakglass", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.opens() })
	t.Run("doctor and support", func(t *testing.T) { onCluster{s, t, c.kubeconfig}.looks() })
}

func (c onCluster) installs() {
	printed := c.says([]string{"install", "--dry-run", "--set", "image=registry.example/meshc:1"}, "kind: Deployment", "registry.example/meshc:1", "name: meshc-breakglass")
	if strings.Contains(printed, "kind: Secret") {
		c.t.Errorf("a dry run prints a Secret:\n%s", printed)
	}
	if _, err := c.Try(http.MethodGet, "/api/v1/namespaces/meshc-system", nil); err == nil {
		c.t.Error("a dry run made the namespace")
	}
	if _, stderr := c.ask(exitFindings, "install", "--dry-run", "--set", "replicas=many"); !strings.Contains(stderr, "MSH4112") {
		c.t.Errorf("a value that does not fit is told as %s", stderr)
	}
}

func (c onCluster) joins() {
	label := func() string {
		var ns struct {
			Metadata struct{ Labels map[string]string }
		}
		if err := json.Unmarshal(c.Do(http.MethodGet, "/api/v1/namespaces/shop", nil), &ns); err != nil {
			c.t.Fatal(err)
		}
		return ns.Metadata.Labels["meshc.dev/mesh"] + "|" + ns.Metadata.Labels["openservicemesh.io/ignore"]
	}
	if _, stderr := c.ask(exitFindings, "namespace", "add", "shop", "--mesh", "other"); !strings.Contains(stderr, "MSH4114") || label() != "town|" {
		c.t.Errorf("a namespace of another mesh is taken: %s", stderr)
	}
	c.says([]string{"namespace", "remove", "shop", "--mesh", "town"}, "is of no mesh")
	c.says([]string{"namespace", "add", "shop", "--mesh", "other"}, "namespace shop is of mesh other")
	if is := label(); is != "other|" {
		c.t.Errorf("added, it says %s", is)
	}
	c.says([]string{"namespace", "list", "--mesh", "other"}, "shop", "enabled")
	c.says([]string{"namespace", "ignore", "shop", "--mesh", "other"}, "is ignored")
	if is := label(); is != "|true" {
		c.t.Errorf("ignored, it says %s", is)
	}
	c.says([]string{"namespace", "add", "shop", "--mesh", "town"})
	c.says([]string{"namespace", "remove", "shop", "--mesh", "town"}, "is of no mesh")
	if is := label(); is != "|" {
		c.t.Errorf("removed, it says %s", is)
	}
	c.ask(exitUsage, "namespace", "add", "shop") // no mesh is installed, and none is named
}

func (c onCluster) scrapes() {
	for _, step := range []struct{ word, is string }{{"enable", "enabled"}, {"disable", "disabled"}} {
		c.says([]string{"metrics", step.word, "shop"}, "namespace shop")
		text := string(c.Do(http.MethodGet, "/api/v1/namespaces/shop", nil))
		if !strings.Contains(text, `"meshc.dev/metrics":"`+step.is+`"`) {
			c.t.Errorf("after %s the namespace is %s", step.word, text)
		}
	}
}

func (c onCluster) asksProxies() {
	for _, args := range [][]string{{"proxy", "status"}, {"proxy", "get", "shop/none"}, {"proxy", "config", "shop/none"}, {"proxy", "stats", "shop/none"}, {"proxy", "logs", "shop/none"}} {
		if _, stderr := c.ask(exitInput, args...); strings.TrimSpace(stderr) == "" {
			c.t.Errorf("meshc %v fails and does not say why", args)
		}
	}
	c.ask(exitUsage, "proxy", "get", "shop/none", "--what", "lisners")
	c.ask(exitUsage, "proxy", "config", "shop/none", "-o", "text")
}

func (c onCluster) opens() {
	allow := []string{"breakglass", "allow", "shop/nobody", "shop/web:80", "--reason", "INC-1", "--for", "1h", "--wait"}
	said, _ := c.ask(exitClean, append(allow, "0s")...)
	record, _, _ := strings.Cut(said, ":")
	var listed []struct{ Namespace, Name, From, To, Reason, By string }
	if err := json.Unmarshal([]byte(c.says([]string{"breakglass", "list", "-o", "json"})), &listed); err != nil || len(listed) != 1 {
		c.t.Fatalf("it lists %v, %v", listed, err)
	}
	if r := listed[0]; r.Namespace+"/"+r.Name != record || r.From != "shop/nobody" || r.To != "shop/web:80" || r.By != "admin" || r.Reason != "INC-1" {
		c.t.Errorf("it lists %+v", r)
	}
	if _, stderr := c.ask(exitEngine, append(allow, "300ms")...); !strings.Contains(stderr, "has not said") {
		c.t.Errorf("without a control plane it says %s", stderr)
	}
	c.says([]string{"breakglass", "end", record, "--wait", "0s"}, record+" is over")
	if text := string(c.Do(http.MethodGet, "/apis/meshc.dev/v1alpha1/namespaces/shop/breakglasses/"+listed[0].Name, nil)); !strings.Contains(text, `"endedBy":"admin"`) {
		c.t.Errorf("ended, it is %s", text)
	}
	c.ask(exitInput, "breakglass", "end", "shop/none")
	c.ask(exitUsage, "breakglass", "allow", "shop/nobody", "shop/web:80", "--reason", "INC-1", "--for", "0s")
	c.ask(exitUsage, "breakglass", "allow", "shop/nobody", "shop/web:80", "--reason", " ", "--for", "1h")
	c.ask(exitUsage, "breakglass", "allow", "nobody", "web", "--reason", "INC-1", "--for", "1h")
}

func (c onCluster) looks() {
	_, stderr := wantsAny(c.t, []int{exitClean, exitFindings}, "doctor", "--kubeconfig", c.kubeconfig)
	for _, check := range []string{"kubernetes", "permissions", "namespaces"} {
		if !strings.Contains(stderr, check) {
			c.t.Errorf("doctor does not look at %s:\n%s", check, stderr)
		}
	}
	c.ask(exitInput, "doctor", "connectivity", "--from", "shop/web-1", "--to", "shop/web:80")
	c.Do(http.MethodPost, "/api/v1/namespaces/shop/secrets", manifestOf{"metadata": manifestOf{"name": "key"}, "stringData": manifestOf{"key": "PRIVATE"}})
	archive := filepath.Join(c.t.TempDir(), "support.tar.gz")
	c.says([]string{"support", "bundle", "--from", "shop", "-o", archive}, "look into it before you pass it on")
	files := unpacked(c.t, archive)
	if len(files) == 0 || !strings.Contains(files["doctor.txt"], "kubernetes") {
		c.t.Errorf("the archive holds %d files, and doctor.txt says %q", len(files), files["doctor.txt"])
	}
	for name, text := range files {
		if strings.Contains(text, "PRIVATE") || strings.Contains(text, "UFJJVkFURQ") { // in base64
			c.t.Errorf("%s tells a Secret", name)
		}
	}
}

// wantsAny runs a verb that may end in several ways.
func wantsAny(t *testing.T, exits []int, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := meshc(t, "", args...)
	for _, e := range exits {
		if code == e {
			return stdout, stderr
		}
	}
	t.Fatalf("meshc %s: exit %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	return "", ""
}

// unpacked are the files of an archive, by the last part of their names.
func unpacked(t *testing.T, name string) map[string]string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(h.Name)] = string(text)
	}
}
