package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/gitops/live"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

type object = map[string]any

func TestMain(m *testing.M) {
	klog.SetSlogLogger(slog.New(slog.DiscardHandler)) // client-go tells of every watch that ends
	os.Exit(m.Run())
}

// cluster is an API server that knows the kinds of the mesh.
type cluster struct {
	*apiserver.Server
	t testing.TB
}

func newCluster(t testing.TB) cluster {
	c := cluster{apiserver.New(t), t}
	files, err := crds.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var crd object
		if err := yaml.Unmarshal(f.Text, &crd); err != nil {
			t.Fatal(err)
		}
		delete(crd["spec"].(object), "conversion") // objects come in the version that is stored
		c.Do(http.MethodPost, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name, ".yaml")
		group, plural, _ := strings.Cut(name, "_")
		c.until(name+" is served", func() error {
			_, err := c.Try(http.MethodGet, "/apis/"+group+"/"+stored(plural)+"/"+plural, nil)
			return err
		})
	}
	return c
}

func stored(plural string) string {
	if plural == "meshes" || plural == "waivers" || plural == "breakglasses" {
		return "v1alpha1"
	}
	return "v1alpha4"
}

func (c cluster) until(what string, try func() error) {
	c.t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	c.t.Fatalf("never: %s: %v", what, err)
}

// path is where the API server has an object, with its name or without.
func path(o object, named bool) string {
	kinds := map[string]string{
		"TrafficTarget": "traffictargets", "HTTPRouteGroup": "httproutegroups", "TCPRoute": "tcproutes", "TrafficSplit": "trafficsplits",
		"IdentityBinding": "identitybindings", "Mesh": "meshes", "Waivers": "waivers", "BreakGlass": "breakglasses", "Namespace": "namespaces", "Service": "services",
		"ServiceAccount": "serviceaccounts", "Pod": "pods", "ConfigMap": "configmaps", "Deployment": "deployments",
	}
	meta := o["metadata"].(object)
	out := "/apis/" + o["apiVersion"].(string)
	if o["apiVersion"] == "v1" {
		out = "/api/v1"
	}
	if ns, ok := meta["namespace"].(string); ok {
		out += "/namespaces/" + ns
	}
	if out += "/" + kinds[o["kind"].(string)]; named {
		out += "/" + meta["name"].(string)
	}
	return out
}

// apply makes objects what a manifest says, as new ones or in the place of others.
func (c cluster) apply(manifest string) {
	c.t.Helper()
	for _, doc := range strings.Split(manifest, "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			c.t.Fatal(err)
		}
		if _, err := c.Try(http.MethodPost, path(o, false), o); err == nil {
			continue
		} else if !strings.Contains(err.Error(), "AlreadyExists") {
			c.t.Fatal(err)
		}
		for { // a status may be written meanwhile
			o["metadata"].(object)["resourceVersion"] = c.get(o)["metadata"].(object)["resourceVersion"]
			_, err := c.Try(http.MethodPut, path(o, true), o)
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), "Conflict") {
				c.t.Fatal(err)
			}
		}
	}
}

func (c cluster) get(o object) object {
	c.t.Helper()
	var out object
	if err := json.Unmarshal(c.Do(http.MethodGet, path(o, true), nil), &out); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// objectOf is what the cluster has of a manifest.
func (c cluster) objectOf(manifest string) object {
	c.t.Helper()
	var o object
	if err := yaml.Unmarshal([]byte(manifest), &o); err != nil {
		c.t.Fatal(err)
	}
	return c.get(o)
}

func (c cluster) watch(opts live.Options) *live.Live {
	c.t.Helper()
	opts.Config = c.Config
	if opts.Mesh == "" {
		opts.Mesh = "town"
	}
	l, err := live.Watch(opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(l.Close)
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if err := l.Wait(ctx); err != nil {
		c.t.Fatal(err)
	}
	return l
}

// until waits for the bundle of which something holds.
func until(t testing.TB, l *live.Live, what string, holds func(*ir.Mesh) bool) *bundle.Bundle {
	t.Helper()
	late := time.After(time.Minute)
	for {
		b, found, err := l.Fetch(t.Context())
		if b != nil && holds(b.Mesh) {
			return b
		}
		select {
		case <-l.Changed():
		case <-late:
			t.Fatalf("never: %s: %v %v", what, found, err)
		}
	}
}

const town = `apiVersion: meshc.dev/v1alpha1
kind: Mesh
metadata: {name: town}
spec: {mode: strict}
---
apiVersion: v1
kind: Namespace
metadata: {name: town, labels: {meshc.dev/mesh: town}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: town}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: town}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: town}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, targetPort: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart-7d9f-1, namespace: town, labels: {app: cart, pod-template-hash: 7d9f, meshc.dev/injected: "true"}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c, ports: [{name: web, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: front-1, namespace: town, labels: {app: front, meshc.dev/injected: "true"}}
spec: {serviceAccountName: front, containers: [{name: c, image: c}]}
---
` + routes + "\n---\n" + target

const routes = `apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: town}
spec: {matches: [{name: read, pathRegex: /api/.*, methods: [GET]}, {name: write, pathRegex: /api/.*, methods: [PUT]}]}`

const target = `apiVersion: access.smi-spec.io/v1alpha4
kind: TrafficTarget
metadata: {name: shoppers, namespace: town}
spec:
  destination: {kind: ServiceAccount, name: cart}
  rules: [{kind: HTTPRouteGroup, name: api, matches: [read]}]
  sources: [{kind: ServiceAccount, name: front, namespace: town}]`

// conditionOf waits until an object has a condition of which something holds.
func (c cluster) conditionOf(manifest, kind, what string, holds func(status, reason, message string) bool) {
	c.t.Helper()
	c.until(what, func() error {
		status, _ := c.objectOf(manifest)["status"].(object)
		list, _ := status["conditions"].([]any)
		for _, e := range list {
			x := e.(object)
			if x["type"] == kind && holds(x["status"].(string), x["reason"].(string), x["message"].(string)) {
				return nil
			}
		}
		return fmt.Errorf("its status is %v", status)
	})
}

// report has a Live write status, as if two proxies of cart and one of each other account
// had taken what is there.
func (c cluster) report(l *live.Live, self string) {
	ctx, stop := context.WithCancel(c.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Report(ctx, live.ReportOptions{Namespace: "meshc-system", Self: self, Proxies: func() live.Proxies {
			b, _, err := l.Fetch(ctx)
			if err != nil || b == nil {
				return live.Proxies{}
			}
			one := live.Count{Connected: 1, Acknowledged: 1}
			return live.Proxies{Digest: b.Manifest.PolicyDigest, Of: map[string]live.Count{
				"spiffe://cluster.local/ns/town/sa/cart": {Connected: 2, Acknowledged: 2}, "spiffe://cluster.local/ns/town/sa/front": one,
				"spiffe://cluster.local/ns/town/sa/other": {Connected: 1}, // concerned by nothing: nobody waits for it
			}}
		}})
	}()
	c.t.Cleanup(func() { stop(); <-ended })
}
