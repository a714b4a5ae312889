package install_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/install"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

// An uninstall leaves a cluster as it was: all objects of all kinds are compared,
// before the installation and after, by a cluster that deletes as a real one does.
func TestUninstallLeavesNothing(t *testing.T) {
	s := apiserver.New(t)
	s.Controllers()
	c := client(t, s)
	put(t, c, namespace("shop", nil))
	settled(t, c)
	before := everything(t, c)

	apply(t, c, plan(t, "meshc-system"))
	unjudged(t, c)
	put(t, c, namespace("shop", api.Object{"meshc.dev/mesh": "mesh"}),
		trustBundle("shop"), accepted("meshc-system"), secret("meshc-system", install.Authority), secret("meshc-system", install.Serving),
		api.Object{"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit", "metadata": api.Object{"name": "s", "namespace": "shop"},
			"spec": api.Object{"service": "a", "backends": []any{api.Object{"service": "b", "weight": 1}}}})
	remove(t, c, install.Removal{Definitions: true, Labels: true, Authority: true})
	var after map[string]api.Object
	eventually(t, func() error {
		after = everything(t, c)
		return compare(before, after)
	})
}

// Without being asked to, an uninstall deletes no policy, no root key and no label; it
// says what it left, and what is left can be read although nobody converts any more.
func TestUninstallLeavesWhatItSays(t *testing.T) {
	s := apiserver.New(t)
	c := client(t, s)
	apply(t, c, plan(t, "meshc-system"))
	split := api.Object{"apiVersion": "split.smi-spec.io/v1alpha4", "kind": "TrafficSplit", "metadata": api.Object{"name": "s", "namespace": "shop"},
		"spec": api.Object{"service": "a", "backends": []any{api.Object{"service": "b", "weight": 1}}}}
	put(t, c, namespace("shop", api.Object{"meshc.dev/mesh": "mesh"}), configMap("default", install.Trust), secret("meshc-system", install.Authority), accepted("meshc-system"))
	unjudged(t, c)
	put(t, c, split)
	rehearsed := remove(t, c, install.Removal{DryRun: true})
	if _, err := c.Get(t.Context(), api.Ref{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "meshc-system", Name: install.Controller}); err != nil {
		t.Fatalf("a dry run deleted the control plane: %v", err)
	}
	done := remove(t, c, install.Removal{})
	if !reflect.DeepEqual(rehearsed, done) {
		t.Errorf("the dry run told\n%v\nand what was done was\n%v", rehearsed, done)
	}
	var left []string
	for _, change := range done {
		if change.What == install.Left {
			left = append(left, change.Object.String())
			if _, err := c.Get(t.Context(), change.Object); err != nil {
				t.Errorf("%s was said to be left: %v", change.Object, err)
			}
		}
	}
	for _, want := range []string{"Secret/meshc-system/meshc-ca", "Namespace/meshc-system", "Namespace/shop", "Mesh/mesh", "ConfigMap/meshc-system/meshc-accepted-1", "CustomResourceDefinition/trafficsplits.split.smi-spec.io", "ConfigMap/default/meshc-trust"} {
		if !slices.Contains(left, want) {
			t.Errorf("%s is not told to be left: %v", want, left)
		}
	}
	eventually(t, func() error {
		list, err := c.List(t.Context(), api.Ref{APIVersion: "split.smi-spec.io/v1alpha4", Kind: "TrafficSplit"}, "")
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%d splits", len(list))
		}
		if err != nil {
			return err
		}
		_, err = c.JSON(t.Context(), http.MethodGet, "/apis/split.smi-spec.io/v1alpha1/trafficsplits", nil)
		if !api.Gone(err) {
			return fmt.Errorf("a version that nobody converts is served: %v", err)
		}
		return nil
	})
	others := api.Ref{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: install.Trust}
	rest, err := install.Leftovers(t.Context(), c, "meshc-system")
	if err != nil || rest == nil {
		t.Fatalf("what was left is not found again: %v", err)
	}
	if _, err := install.Remove(t.Context(), c, "meshc-system", rest, install.Removal{Definitions: true, Labels: true, Authority: true}, install.Options{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		for _, change := range done {
			if change.What != install.Left || change.Object.Kind == "Namespace" || change.Object == others { // no controller ends namespaces here
				continue
			}
			if _, err := c.Get(t.Context(), change.Object); !api.Gone(err) {
				return fmt.Errorf("%s is still there: %v", change.Object, err)
			}
		}
		return nil
	})
	if _, err := c.Get(t.Context(), others); err != nil {
		t.Errorf("what others made under our name: %v", err)
	}
}

// Whatever kind of thing somebody put into the control plane's namespace keeps it, also
// one that this meshc has never heard of.
func TestUninstallLeavesANamespaceThatOthersUse(t *testing.T) {
	c := client(t, apiserver.New(t))
	apply(t, c, plan(t, "meshc-system"))
	unjudged(t, c)
	schema := api.Object{"openAPIV3Schema": api.Object{"type": "object"}}
	put(t, c, api.Object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": api.Object{"name": "gadgets.example.org"},
		"spec": api.Object{"group": "example.org", "scope": "Namespaced", "names": api.Object{"kind": "Gadget", "plural": "gadgets"},
			"versions": []any{api.Object{"name": "v1", "served": true, "storage": true, "schema": schema}}}})
	theirs := []api.Object{
		{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": api.Object{"name": "theirs", "namespace": "meshc-system"}, "spec": api.Object{"podSelector": api.Object{}}},
		{"apiVersion": "example.org/v1", "kind": "Gadget", "metadata": api.Object{"name": "theirs", "namespace": "meshc-system"}},
	}
	for _, o := range theirs {
		eventually(t, func() error { // once its kind is served
			_, err := c.Apply(t.Context(), o, false)
			return err
		})
	}
	home := api.Ref{APIVersion: "v1", Kind: "Namespace", Name: "meshc-system"}
	why := ""
	for _, change := range remove(t, c, install.Removal{Definitions: true, Labels: true, Authority: true}) {
		if change.Object == home {
			why = string(change.What) + " " + change.Why
		}
	}
	if want := "left others put into it: Gadget/theirs, NetworkPolicy/theirs"; why != want {
		t.Errorf("of the namespace it is told %q, want %q", why, want)
	}
	if _, err := c.Get(t.Context(), home); err != nil {
		t.Error(err)
	}
}

// unjudged takes the webhook away that judges policy: nobody answers it here.
func unjudged(t *testing.T, c *api.Client) {
	t.Helper()
	if _, err := c.Delete(t.Context(), api.Ref{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration", Name: install.Validating}); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, c *api.Client, what install.Removal) []install.Change {
	t.Helper()
	record, err := install.Installed(t.Context(), c, "meshc-system")
	if err != nil || record == nil {
		t.Fatalf("nothing is installed: %v", err)
	}
	changes, err := install.Remove(t.Context(), c, "meshc-system", record, what, install.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

func configMap(ns, name string) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": api.Object{"name": name, "namespace": ns}, "data": api.Object{"a": "b"}}
}

// trustBundle is what the controller makes in a namespace of the mesh.
func trustBundle(ns string) api.Object {
	o := configMap(ns, install.Trust)
	o["metadata"].(api.Object)["labels"] = api.Object{"app.kubernetes.io/part-of": "meshc"}
	return o
}

// accepted is what replicas remember of an object that became faulty.
func accepted(ns string) api.Object {
	o := configMap(ns, "meshc-accepted-1")
	o["metadata"].(api.Object)["labels"] = api.Object{"meshc.dev/accepted": "true", "app.kubernetes.io/part-of": "meshc"}
	return o
}

func secret(ns, name string) api.Object {
	return api.Object{"apiVersion": "v1", "kind": "Secret", "metadata": api.Object{"name": name, "namespace": ns}, "stringData": api.Object{"a": "b"}}
}

func eventually(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// settled waits until Kubernetes made what it makes by itself in every namespace.
func settled(t *testing.T, c *api.Client) {
	t.Helper()
	eventually(t, func() error {
		for _, ns := range []string{"shop", "default", "kube-system", "kube-public", "kube-node-lease"} {
			for _, ref := range []api.Ref{{APIVersion: "v1", Kind: "ServiceAccount", Name: "default"}, {APIVersion: "v1", Kind: "ConfigMap", Name: "kube-root-ca.crt"}} {
				ref.Namespace = ns
				if _, err := c.Get(t.Context(), ref); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// everything is every object of every kind that the API server lists, but for what
// happens by itself.
func everything(t *testing.T, c *api.Client) map[string]api.Object {
	t.Helper()
	out := map[string]api.Object{}
	versions := []string{"/api/v1"}
	groups, err := c.JSON(t.Context(), http.MethodGet, "/apis", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range api.List(groups, "groups") {
		versions = append(versions, "/apis/"+api.Text(g, "preferredVersion", "groupVersion"))
	}
	for _, v := range versions {
		kinds, err := c.JSON(t.Context(), http.MethodGet, v, nil)
		if api.Gone(err) {
			continue // its definition goes
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range api.List(kinds, "resources") {
			name := api.Text(k, "name")
			verbs, _ := k["verbs"].([]any)
			if strings.Contains(name, "/") || !slices.Contains(verbs, any("list")) || slices.Contains([]string{"events", "leases", "apiservices", "componentstatuses", "flowschemas", "prioritylevelconfigurations"}, name) {
				continue
			}
			list, err := c.JSON(t.Context(), http.MethodGet, v+"/"+name, nil)
			if api.Gone(err) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range api.List(list, "items") {
				meta := o["metadata"].(api.Object)
				delete(meta, "managedFields")
				delete(meta, "resourceVersion")
				delete(meta, "generation")
				out[v+"/"+name+" "+api.Text(o, "metadata", "namespace")+"/"+api.Text(o, "metadata", "name")] = o
			}
		}
	}
	return out
}

func compare(before, after map[string]api.Object) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] == nil {
			faults = append(faults, fmt.Errorf("%s is left", name))
		} else if !reflect.DeepEqual(before[name], after[name]) {
			a, _ := json.Marshal(before[name]) // it was JSON
			b, _ := json.Marshal(after[name])
			faults = append(faults, fmt.Errorf("%s was\n%s\nand is\n%s", name, a, b))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if after[name] == nil {
			faults = append(faults, fmt.Errorf("%s is gone", name))
		}
	}
	return errors.Join(faults...)
}
