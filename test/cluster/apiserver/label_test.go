package apiserver_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/test/cluster/apiserver"
)

// The policy that docs/install.md gives lets nobody call a pod injected that injection
// has not seen: neither outside of the mesh, nor by hand later, nor past the webhook.
func TestThePolicyForTheInjectedLabel(t *testing.T) {
	text, err := os.ReadFile("../../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	begin := strings.Index(string(text), "    apiVersion: admissionregistration.k8s.io/v1\n    kind: ValidatingAdmissionPolicy\n")
	if begin < 0 {
		t.Fatal("docs/install.md gives no policy")
	}
	block, _, _ := strings.Cut(string(text[begin:]), "\n\n")
	s := server{apiserver.New(t)}
	for n, doc := range strings.Split(strings.ReplaceAll("\n"+block, "\n    ", "\n"), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		path := []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"}[n]
		if err := s.Do("POST", "/apis/admissionregistration.k8s.io/v1/"+path, o, nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, labels := range map[string]object{"shop": {"meshc.dev/mesh": "mesh"}, "osm": {"openservicemesh.io/monitored-by": "mesh"}, "city": {"meshc.dev/mesh": "other"}, "plain": nil} {
		if err := s.Do("POST", "/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name, "labels": labels}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	put := func(method, ns, name string, labels object) error {
		at := "/api/v1/namespaces/" + ns + "/pods"
		if method == "PUT" {
			at += "/" + name
		}
		return s.Do(method, at, object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "labels": labels},
			"spec": object{"containers": []any{object{"name": "c", "image": "c"}}}}, nil)
	}
	injected := object{"meshc.dev/injected": "true"}
	s.until(t, "the policy is in force", func() error {
		err := s.Do("POST", "/api/v1/namespaces/plain/pods?dryRun=All", object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": "x", "labels": injected},
			"spec": object{"containers": []any{object{"name": "c", "image": "c"}}}}, nil)
		if err == nil {
			return errors.New("it is not yet")
		}
		return nil
	})
	for _, c := range []struct {
		what, method, ns, name string
		labels                 object
		denied                 bool
	}{
		{"a pod of the mesh", "POST", "shop", "a", injected, false},
		{"one as in Open Service Mesh", "POST", "osm", "a", injected, false},
		{"another label later", "PUT", "shop", "a", object{"meshc.dev/injected": "true", "more": "x"}, false},
		{"a pod without labels", "POST", "plain", "b", nil, false},
		{"the label by hand later", "PUT", "plain", "b", injected, true},
		{"a pod outside of the mesh", "POST", "plain", "c", injected, true},
		{"a pod of another mesh", "POST", "city", "c", injected, true},
		{"past the webhook", "POST", "shop", "c", object{"meshc.dev/injected": "true", "meshc.dev/inject": "disabled"}, true},
		{"a pod without the label in the mesh", "POST", "shop", "d", object{"meshc.dev/inject": "disabled"}, false},
		{"the label by hand in the mesh", "PUT", "shop", "d", injected, true},
	} {
		err := put(c.method, c.ns, c.name, c.labels)
		if denied := err != nil && strings.Contains(err.Error(), "meshc-injected"); denied != c.denied || !c.denied && err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
