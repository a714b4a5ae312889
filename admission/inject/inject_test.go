package inject_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/compiler/diag"
)

var member = inject.Namespace{Name: "shop", Labels: map[string]string{"meshc.dev/mesh": "meshc"}}

func anywhere(path string) diag.Span { return diag.Span{File: path} }

// Who writes a container of the proxy's name, or forges the record of an
// injection, gets the real proxy and no more.
func TestForgedSidecar(t *testing.T) {
	pod := decode(t, []byte(`{"metadata": {"labels": {"meshc.dev/injected": "true"}, "annotations": {"meshc.dev/injection": "{\"probes\": 7"}},
		"spec": {"initContainers": [{"name": "meshc-proxy", "image": "evil"}, {"name": "meshc-init", "image": "evil"}],
			"containers": [{"name": "meshc-proxy", "image": "evil"}, {"name": "app", "image": "a"}],
			"volumes": [{"name": "meshc-identity", "hostPath": {"path": "/"}}]}}`))
	r, found := inject.Pod(pod, member, settings(), anywhere)
	if !r.Injected || len(found) > 0 {
		t.Fatal("not injected", r.Why, found)
	}
	text := string(encode(t, r.Pod))
	if strings.Contains(text, "evil") || strings.Contains(text, "hostPath") {
		t.Errorf("a forged part stays: %s", text)
	}
	if n := strings.Count(text, `"name":"meshc-proxy"`); n != 1 {
		t.Errorf("the pod has %d proxies", n)
	}
}

// The bootstrap is an argument, in which the kubelet expands $(NAME): what the pod
// says must come out as it is, and the pod's own address must not.
func TestOnlyOurVariablesAreExpanded(t *testing.T) {
	pod := decode(t, []byte(`{"spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 80, "path": "/$(MESHC_POD_NAME)/$$(MESHC_POD_IP)/$"}}}]}}`))
	r, _ := inject.Pod(pod, member, settings(), anywhere)
	text := string(encode(t, r.Pod["spec"].(inject.Object)))
	for _, want := range []string{`"address\":\"$(MESHC_POD_IP)\"`, `/$$(MESHC_POD_NAME)/$$$$(MESHC_POD_IP)/$$\"`, `"id\":\"shop/$(MESHC_POD_NAME)\"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the bootstrap lacks %s in\n%s", want, text)
		}
	}
}

// Another webhook may add a container after us: the second time it is seen, too.
func TestReinjectionTakesInWhatCameBetween(t *testing.T) {
	pod := decode(t, []byte(`{"spec": {"containers": [{"name": "app", "livenessProbe": {"tcpSocket": {"port": 80}}}]}}`))
	r, _ := inject.Pod(pod, member, settings(), anywhere)
	spec := r.Pod["spec"].(inject.Object)
	late := decode(t, []byte(`{"name": "late", "livenessProbe": {"tcpSocket": {"port": 81}}}`))
	spec["containers"] = append(spec["containers"].([]any), late)
	s := settings()
	s.EnvoyImage = "envoy@sha256:1" // and a setting changed
	r, _ = inject.Pod(r.Pod, member, s, anywhere)
	text := string(encode(t, r.Pod))
	for _, want := range []string{"/app/liveness", "/late/liveness", "envoy@sha256:1"} {
		if !strings.Contains(text, want) {
			t.Errorf("after injecting again the pod lacks %s", want)
		}
	}
	if strings.Contains(text, "envoy@sha256:0") {
		t.Error("the old image stays")
	}
}

// A bootstrap that was written for one pod is another's only where nothing differs.
func TestNoPodGetsAnothersBootstrap(t *testing.T) {
	seen := map[string]string{}
	for name, c := range map[string]struct {
		pod    string
		change func(*inject.Namespace, *inject.Settings)
	}{
		"plain":           {`{"spec": {"containers": [{"name": "app"}]}}`, nil},
		"another account": {`{"spec": {"serviceAccountName": "b", "containers": [{"name": "app"}]}}`, nil},
		"a probe":         {`{"spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 80, "path": "/a"}}}]}}`, nil},
		"another path":    {`{"spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 80, "path": "/b"}}}]}}`, nil},
		"another port":    {`{"spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 81, "path": "/a"}}}]}}`, nil},
		"over TLS":        {`{"spec": {"containers": [{"name": "app", "livenessProbe": {"httpGet": {"port": 80, "path": "/a", "scheme": "HTTPS"}}}]}}`, nil},
		"a namespace":     {`{"spec": {"containers": [{"name": "app"}]}}`, func(n *inject.Namespace, _ *inject.Settings) { n.Name = "bank" }},
		"a control plane": {`{"spec": {"containers": [{"name": "app"}]}}`, func(_ *inject.Namespace, s *inject.Settings) { s.ControlPlane = "other:1" }},
		"a server's name": {`{"spec": {"containers": [{"name": "app"}]}}`, func(_ *inject.Namespace, s *inject.Settings) { s.ServerName = "other" }},
		"a domain":        {`{"spec": {"containers": [{"name": "app"}]}}`, func(_ *inject.Namespace, s *inject.Settings) { s.TrustDomain = "other.test" }},
		"no hold":         {`{"metadata": {"annotations": {"meshc.dev/hold-application": "false"}}, "spec": {"containers": [{"name": "app"}]}}`, nil},
	} {
		ns, s := member, settings()
		if c.change != nil {
			c.change(&ns, &s)
		}
		for range 2 {
			r, found := inject.Pod(decode(t, []byte(c.pod)), ns, s, anywhere)
			if !r.Injected {
				t.Fatal(name, r.Why, found)
			}
			config := r.Pod["spec"].(inject.Object)["initContainers"].([]any)[1].(inject.Object)["args"].([]any)[1].(string)
			if other, ok := seen[config]; ok && other != name {
				t.Errorf("%s has the bootstrap of %s", name, other)
			}
			seen[config] = name
		}
	}
	if len(seen) != 11 {
		t.Errorf("%d bootstraps of 11 pods", len(seen))
	}
}

func TestTooManyGRPCProbes(t *testing.T) {
	var containers []string
	for n := range 10 {
		containers = append(containers, fmt.Sprintf(`{"name": "c%d", "livenessProbe": {"grpc": {"port": %d}}}`, n, 9000+n))
	}
	pod := decode(t, []byte(`{"spec": {"containers": [`+strings.Join(containers, ",")+`]}}`))
	r, found := inject.Pod(pod, member, settings(), anywhere)
	if len(found) != 1 || found[0].Code != "MSH4039" || !r.Injected {
		t.Errorf("ten gRPC probes: injected %t, %v", r.Injected, found)
	}
}

// Kubernetes refuses a pod whose container sleeps longer than the pod may take to end.
func TestClassicProxyEndsInTime(t *testing.T) {
	for grace, want := range map[string]string{"": `"sleep":{"seconds":10}`, `"terminationGracePeriodSeconds": 5,`: `"sleep":{"seconds":4}`, `"terminationGracePeriodSeconds": 1,`: ""} {
		pod := decode(t, []byte(`{"spec": {`+grace+` "containers": [{"name": "app"}]}}`))
		s := settings()
		s.Form = inject.Classic
		r, _ := inject.Pod(pod, member, s, anywhere)
		text := string(encode(t, r.Pod))
		if want != "" && !strings.Contains(text, want) || want == "" && strings.Contains(text, "preStop") {
			t.Errorf("a pod with %q: want %q in %s", grace, want, text)
		}
	}
}

func TestNoProxyWithoutAControlPlane(t *testing.T) {
	pod := decode(t, []byte(`{"spec": {"containers": [{"name": "app"}]}}`))
	for _, s := range []inject.Settings{{}, {ControlPlane: "meshc"}, {ControlPlane: "meshc:15128", TrustDomain: "No Domain"}} {
		r, found := inject.Pod(pod, member, s, anywhere)
		if r.Injected || len(found) != 1 || found[0].Code != "MSH4036" {
			t.Errorf("%+v: injected %t, %v", s, r.Injected, found)
		}
		if !bytes.Equal(encode(t, pod), encode(t, r.Pod)) {
			t.Errorf("half a sidecar stays: %s", encode(t, r.Pod))
		}
	}
}

// Whatever a pod says nothing panics, and injecting twice is injecting once.
func FuzzPod(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"spec": {"containers": [{"name": "a", "livenessProbe": {"grpc": {"port": 1e9}}}]}}`))
	f.Add([]byte(`{"spec": [], "metadata": {"annotations": 7, "labels": {"meshc.dev/inject": {}}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var pod inject.Object
		if json.Unmarshal(text, &pod) != nil || pod == nil {
			files := inject.Files{Settings: settings(), Members: true}
			files.Learn("f", text)
			files.Inject("f", text)
			return
		}
		r, found := inject.Pod(pod, member, settings(), anywhere)
		if worst, any := found.Max(); any && worst == diag.Error && r.Injected {
			t.Fatal("injected in spite of an error", found)
		}
		again, _ := inject.Pod(decode(t, encode(t, r.Pod)), member, settings(), anywhere)
		if r.Injected != again.Injected || !bytes.Equal(encode(t, r.Pod), encode(t, again.Pod)) {
			t.Fatalf("injected twice is not injected once:\n%s\n%s", encode(t, r.Pod), encode(t, again.Pod))
		}
	})
}

// BenchmarkPod is the whole of what a webhook does to one pod: budget 1 ms.
func BenchmarkPod(b *testing.B) {
	raw := []byte(`{"metadata": {"generateName": "shop-"}, "spec": {"serviceAccountName": "shop", "containers": [
		{"name": "app", "image": "a", "ports": [{"name": "http", "containerPort": 8080}],
		 "livenessProbe": {"httpGet": {"port": "http", "path": "/live"}}, "readinessProbe": {"grpc": {"port": 9000}}},
		{"name": "cache", "image": "c", "readinessProbe": {"tcpSocket": {"port": 6379}}}]}}`)
	for b.Loop() {
		var pod inject.Object
		if err := json.Unmarshal(raw, &pod); err != nil {
			b.Fatal(err)
		}
		r, _ := inject.Pod(pod, member, settings(), anywhere)
		if _, err := json.Marshal(r.Pod); err != nil || !r.Injected {
			b.Fatal(err, r.Why)
		}
	}
}
