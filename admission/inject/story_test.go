package inject_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/compiler/diag"
)

var update = flag.Bool("update", false, "rewrite the stories' last sections")

// settings are those of every story; a story's settings.yaml adds to them.
func settings() inject.Settings {
	return inject.Settings{ControlPlane: "meshc-controller.meshc-system.svc:15128", EnvoyImage: "envoy@sha256:0", InitImage: "meshc@sha256:0"}
}

// A story is a namespace and a pod; what becomes of it stands below.
type story struct {
	ns       inject.Namespace
	settings inject.Settings
	pod      inject.Object
}

func read(t *testing.T, a *txtar.Archive) story {
	t.Helper()
	s := story{settings: settings()}
	for _, f := range a.Files {
		var to any
		switch f.Name {
		case "namespace.yaml":
			to = &s.ns
		case "settings.yaml":
			to = &s.settings
		case "pod.yaml":
			to = &s.pod
		default:
			continue
		}
		if err := yaml.UnmarshalStrict(f.Data, to); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	return s
}

func (s story) run() (inject.Result, diag.List) {
	return inject.Pod(s.pod, s.ns, s.settings, func(path string) diag.Span { return diag.Span{File: "pod.yaml:" + path} })
}

// TestStories runs every story, and each a second time on its own outcome.
func TestStories(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no stories", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := read(t, a)
			before := encode(t, s.pod)
			r, found := s.run()
			if !bytes.Equal(before, encode(t, s.pod)) {
				t.Error("the pod that was given is changed")
			}
			got := map[string]string{"why": r.Why + "\n", "want.yaml": "", "findings": listed(found)}
			if r.Injected {
				got["want.yaml"] = readable(t, r.Pod)
			} else if !bytes.Equal(before, encode(t, r.Pod)) {
				t.Errorf("a pod without a sidecar is changed:\n%s", encode(t, r.Pod))
			}
			compare(t, name, a, got)
			again := s
			again.pod = decode(t, encode(t, r.Pod))
			if r2, _ := again.run(); !bytes.Equal(encode(t, r.Pod), encode(t, r2.Pod)) {
				t.Errorf("injected twice is not injected once:\n%s", encode(t, r2.Pod))
			}
			again.ns.Labels = nil
			if r3, _ := again.run(); !bytes.Equal(before, encode(t, r3.Pod)) {
				t.Errorf("when the namespace leaves the mesh something of the sidecar stays:\n%s", encode(t, r3.Pod))
			}
		})
	}
}

func compare(t *testing.T, name string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	changed := false
	for n, f := range a.Files {
		want, ok := got[f.Name]
		if !ok || want == string(f.Data) {
			continue
		}
		if *update {
			a.Files[n].Data, changed = []byte(want), true
			continue
		}
		t.Errorf("%s is now\n%swant\n%s", f.Name, want, f.Data)
	}
	if changed {
		if err := os.WriteFile(name, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func listed(found diag.List) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s: %s\n", f.Severity, f.Code, strings.TrimPrefix(f.At().File, "pod.yaml:"), f.Message)
	}
	return b.String()
}

func encode(t *testing.T, o inject.Object) []byte {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decode(t *testing.T, raw []byte) (o inject.Object) {
	t.Helper()
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// readable is the pod with its bootstrap cut short: names of listeners and clusters.
func readable(t *testing.T, pod inject.Object) string {
	t.Helper()
	o := decode(t, encode(t, pod))
	for _, list := range []string{"initContainers", "containers"} {
		all, _ := o["spec"].(inject.Object)[list].([]any)
		for _, c := range all {
			args, _ := c.(inject.Object)["args"].([]any)
			for n, a := range args {
				if n > 0 && args[n-1] == "--config-yaml" {
					args[n] = summary(t, a.(string))
				}
			}
		}
	}
	text, err := yaml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func summary(t *testing.T, config string) string {
	t.Helper()
	var b struct {
		Node struct {
			ID, Cluster string
		}
		Static struct {
			Listeners, Clusters []struct{ Name string }
		} `json:"static_resources"`
	}
	if err := json.Unmarshal([]byte(config), &b); err != nil {
		t.Fatalf("the bootstrap is not JSON: %v\n%s", err, config)
	}
	var names []string
	for _, l := range b.Static.Listeners {
		names = append(names, "listener "+l.Name)
	}
	for _, c := range b.Static.Clusters {
		names = append(names, "cluster "+c.Name)
	}
	return fmt.Sprintf("<%s of %s: %s>", b.Node.ID, b.Node.Cluster, strings.Join(names, ", "))
}
