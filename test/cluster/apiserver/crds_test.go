package apiserver_test

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/convert"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/deploy/crds"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

type object = map[string]any

// server is an API server that is asked with objects, and may refuse.
type server struct{ *apiserver.Server }

func (s server) Do(method, path string, in, out any) error {
	raw, err := s.Try(method, path, in)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

func (s server) until(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("not so: %s: %v", what, err)
}

// plurals are the kinds that are defined, by group and kind.
var plurals = map[string]string{}

// define applies every definition, with a converter that this test runs, and waits
// until the API server serves them.
func define(t *testing.T, s server) {
	t.Helper()
	converter := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			body, _, err = convert.Review(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body) // the API server says so if it is gone
	}))
	t.Cleanup(converter.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: converter.Certificate().Raw})
	files, err := crds.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		var crd object
		if err := yaml.Unmarshal(f.Text, &crd); err != nil {
			t.Fatal(err)
		}
		spec := crd["spec"].(object)
		if c, ok := spec["conversion"].(object); ok {
			c["webhook"].(object)["clientConfig"] = object{"url": converter.URL + crds.ConversionPath, "caBundle": authority}
		}
		names := spec["names"].(object)
		plurals[spec["group"].(string)+" "+names["kind"].(string)] = names["plural"].(string)
		if err := s.Do("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd, nil); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		path := "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + crd["metadata"].(object)["name"].(string)
		s.until(t, f.Name+" is established", func() error { return established(s, path) })
	}
}

func established(s server, path string) error {
	var got struct {
		Status struct {
			Conditions []struct{ Type, Status, Message string }
		}
	}
	if err := s.Do("GET", path, nil, &got); err != nil {
		return err
	}
	ok := false
	for _, c := range got.Status.Conditions {
		if c.Type == "NonStructuralSchema" && c.Status == "True" {
			return fmt.Errorf("not structural: %s", c.Message)
		}
		ok = ok || c.Type == "Established" && c.Status == "True"
	}
	if !ok {
		return fmt.Errorf("%+v", got.Status.Conditions)
	}
	return nil
}

// resource is the path of an object's list; strict fields, as kubectl asks for.
func resource(o object, version string) string {
	group, own, _ := strings.Cut(o["apiVersion"].(string), "/")
	if version == "" {
		version = own
	}
	plural, ok := plurals[group+" "+o["kind"].(string)]
	if !ok {
		return ""
	}
	ns, _ := o["metadata"].(object)["namespace"].(string)
	if o["kind"] == "Mesh" {
		return fmt.Sprintf("/apis/%s/%s/%s", group, version, plural)
	}
	if ns == "" {
		ns = "default"
	}
	return fmt.Sprintf("/apis/%s/%s/namespaces/%s/%s", group, version, ns, plural)
}

const strict = "?fieldValidation=Strict"

// Every object of the examples that the definitions are for goes in, is the same
// when it is read, and reads in each version or says why not.
func TestExamplesGoIn(t *testing.T) {
	s := server{apiserver.New(t)}
	define(t, s)
	count := 0
	for _, o := range examples(t) {
		path := resource(o, "")
		if path == "" {
			continue
		}
		ns, _ := o["metadata"].(object)["namespace"].(string)
		if ns != "" {
			_ = s.Do("POST", "/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": ns}}, nil) // it may be there
		}
		name := o["metadata"].(object)["name"].(string)
		if err := s.Do("POST", path+strict, o, nil); err != nil {
			t.Errorf("%s %s/%s: %v", o["kind"], ns, name, err)
			continue
		}
		count++
		var got object
		if err := s.Do("GET", path+"/"+name, nil, &got); err != nil {
			t.Errorf("%s %s/%s: %v", o["kind"], ns, name, err)
		} else if !same(o["spec"], got["spec"]) {
			t.Errorf("%s %s/%s was changed:\n%v\n%v", o["kind"], ns, name, o["spec"], got["spec"])
		}
		if err := s.Do("DELETE", path+"/"+name, nil, nil); err != nil {
			t.Error(err)
		}
	}
	if count < 20 {
		t.Errorf("only %d objects of the examples were tried: the walk is broken", count)
	}
	t.Logf("%d objects", count)
	versions(t, s)
	faults(t, s)
}

func same(a, b any) bool {
	x, errX := yaml.Marshal(a)
	y, errY := yaml.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// versions writes in the oldest form and reads in every one.
func versions(t *testing.T, s server) {
	t.Helper()
	for _, text := range []string{
		"{apiVersion: access.smi-spec.io/v1alpha1, kind: TrafficTarget, metadata: {name: old}, destination: {kind: ServiceAccount, name: d}, specs: [{kind: HTTPRouteGroup, name: g}], sources: [{kind: ServiceAccount, name: c, namespace: default}]}",
		"{apiVersion: specs.smi-spec.io/v1alpha1, kind: HTTPRouteGroup, metadata: {name: old}, matches: [{name: m, pathRegex: /a, methods: [GET]}]}",
		"{apiVersion: specs.smi-spec.io/v1alpha1, kind: TCPRoute, metadata: {name: old}}",
		"{apiVersion: split.smi-spec.io/v1alpha1, kind: TrafficSplit, metadata: {name: old}, spec: {service: s, backends: [{service: a, weight: 1}, {service: b, weight: 500m}]}}",
	} {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if err := s.Do("POST", resource(o, "")+strict, o, nil); err != nil {
			t.Errorf("%s in its oldest version: %v", o["kind"], err)
			continue
		}
		for _, v := range []string{"v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"} {
			var got object
			if err := s.Do("GET", resource(o, v)+"/old", nil, &got); err != nil {
				t.Errorf("%s in %s: %v", o["kind"], v, err)
			} else if !strings.HasSuffix(got["apiVersion"].(string), v) {
				t.Errorf("%s in %s is %v", o["kind"], v, got["apiVersion"])
			}
		}
	}
}

// faults are refused when they come, with what is wrong.
func faults(t *testing.T, s server) {
	t.Helper()
	for text, says := range map[string]string{
		"{apiVersion: access.smi-spec.io/v1alpha2, kind: TrafficTarget, metadata: {name: a}, spec: {destination: {kind: ServiceAccount, name: d, port: 80}}}": "every port",
		"{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: b}, spec: {destination: {kind: ServiceAccount, name: d, port: 80}}}": "unknown field",
		"{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: c}}":                                                                 "spec: Required",
		"{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: d}, spec: {service: s, backends: [{service: a, weight: much}]}}":       "must be of type integer",
		"{apiVersion: meshc.dev/v1alpha1, kind: Mesh, metadata: {name: f}, spec: {mode: [strict]}}":                                                           "must be of type string",
		"{apiVersion: meshc.dev/v1alpha1, kind: Mesh, metadata: {name: g}, spec: {modes: strict}}":                                                            "unknown field",
	} {
		var o object
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		if err := s.Do("POST", resource(o, "")+strict, o, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want a refusal that says %q", text, err, says)
		}
	}
}

// examples are all objects of all stories, but for patches.
func examples(t *testing.T) []object {
	t.Helper()
	var out []object
	err := filepath.WalkDir("../../../examples", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && slices.Contains([]string{"broken", "ci", "overlays"}, e.Name()) {
			return filepath.SkipDir
		}
		if filepath.Ext(path) != ".yaml" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		docs, _ := source.Split(path, text, 1<<20)
		for _, d := range docs {
			var o object
			if yaml.Unmarshal(d.Text, &o) != nil || o["kind"] == nil || o["metadata"] == nil {
				continue // values of Helm, patches
			}
			if _, ok := o["apiVersion"].(string); ok {
				out = append(out, o)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
