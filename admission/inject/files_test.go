package inject_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/inject"
)

const input = `# the shop
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {meshc.dev/mesh: meshc}}
---
# nobody's business
apiVersion: v1
kind: Service   # stays as it is
metadata: {name: shop, namespace: shop}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: c}]}}}}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: one, namespace: shop}, spec: {containers: [{name: c, image: c}]}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: two, namespace: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: out, namespace: other}
spec: {template: {spec: {containers: [{name: c, image: c}]}}}
`

func TestFilesKeepWhatTheyNeedNotChange(t *testing.T) {
	files := inject.Files{Settings: settings()}
	files.Learn("shop.yaml", []byte(input))
	out, done, found := files.Inject("shop.yaml", []byte(input))
	if len(found) > 0 {
		t.Fatal(found)
	}
	for _, part := range []string{"# the shop\n", "# nobody's business\n", "kind: Service   # stays as it is\n"} {
		if !strings.Contains(string(out), part) {
			t.Errorf("%q is gone", part)
		}
	}
	var got []string
	for _, d := range done {
		word := " out"
		if d.Injected {
			word = " in"
		}
		got = append(got, d.Object.String()+word)
	}
	want := "CronJob/shop/nightly in, Pod/shop/one in, Deployment/other/out out"
	if strings.Join(got, ", ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, ", "), want)
	}
	again, _, _ := files.Inject("shop.yaml", out)
	if string(again) != string(out) {
		t.Error("injecting twice changes the file again")
	}
	files.Members = true
	if out, _, _ := files.Inject("shop.yaml", []byte(input)); strings.Count(string(out), "name: meshc-init") != 3 {
		t.Error("a namespace without a manifest is not taken for a member")
	}
}

// A finding in a file stands where its cause is.
func TestFindingsHaveTheirPlace(t *testing.T) {
	text := "kind: List\nitems:\n- kind: Deployment\n  metadata: {name: d}\n  spec:\n    template:\n      spec:\n        containers:\n        - name: c\n          securityContext:\n            runAsUser: 1500\n"
	files := inject.Files{Settings: settings(), Members: true}
	_, _, found := files.Inject("d.yaml", []byte("---\n"+text))
	if len(found) != 1 || found[0].At().String() != "d.yaml:12:24" || found[0].Path != "spec.template.spec.containers[0].securityContext.runAsUser" {
		t.Errorf("got %v", found)
	}
	_, _, found = files.Inject("d.yaml", []byte("a: 1\n---\na: [\n"))
	if len(found) != 1 || found[0].Code != "MSH0040" || found[0].At().Line != 2 {
		t.Errorf("malformed YAML: %v", found)
	}
}

func TestTrustManifest(t *testing.T) {
	text, err := inject.TrustManifest("shop", inject.TrustBundle, []byte("PEM"))
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Metadata struct{ Name, Namespace string }
		Data     map[string]string
	}
	if err := yaml.Unmarshal(text, &o); err != nil || o.Metadata.Namespace != "shop" || o.Data["ca.crt"] != "PEM" {
		t.Fatalf("%v %+v", err, o)
	}
	for key, path := range map[string]string{"secrets.json": "/var/run/meshc/token", "roots.json": "/var/run/meshc/ca.crt"} {
		if !strings.Contains(o.Data[key], path) {
			t.Errorf("%s does not lead Envoy to %s: %s", key, path, o.Data[key])
		}
	}
}
