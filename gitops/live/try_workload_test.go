package live_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// cartRuns is the Deployment whose pods of two templates run during a rollout, as an API
// server fills it.
const cartRuns = `apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: town}
spec:
  replicas: 2
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      serviceAccountName: cart
      containers: [{name: c, image: c, ports: [{name: web, containerPort: 8080}]}]`

// withoutCart is the town without the pod that nobody runs.
func withoutCart() string {
	before, rest, _ := strings.Cut(town, "apiVersion: v1\nkind: Pod\nmetadata: {name: cart")
	_, after, _ := strings.Cut(rest, "\n---\n")
	return before + after
}

var errNotYet = errors.New("not yet")

// cartPod is one that a ReplicaSet of the Deployment runs, or another's of its labels.
func cartPod(name, set, hash, port string) string {
	return strings.NewReplacer("NAME", name, "SET", set, "HASH", hash, "PORT", port).Replace(`apiVersion: v1
kind: Pod
metadata:
  name: NAME
  namespace: town
  labels: {app: cart, pod-template-hash: HASH, meshc.dev/injected: "true"}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: SET, uid: 0e2f, controller: true}]
spec: {serviceAccountName: cart, containers: [{name: c, image: c, ports: [{name: web, containerPort: PORT}]}]}`)
}

// review is what admission answers to a change of what the cluster has.
func (c cluster) review(l *live.Live, operation, before, after string) (denied, warned []string) {
	c.t.Helper()
	was := c.objectOf(before)
	old, err := json.Marshal(was)
	if err != nil {
		c.t.Fatal(err)
	}
	r := &validate.Request{UID: "1", Operation: operation, Kind: validate.GroupKind{Group: "apps", Version: "v1", Kind: "Deployment"},
		Name: "cart", Namespace: "town", OldObject: old}
	if operation != "DELETE" {
		var o object
		if err := yaml.Unmarshal([]byte(after), &o); err != nil {
			c.t.Fatal(err)
		}
		path := path(o, true) + "?dryRun=All"
		o["metadata"].(object)["resourceVersion"] = was["metadata"].(object)["resourceVersion"]
		r.Object = c.Do(http.MethodPut, path, o)
	}
	answer := validate.Decide(l, r, l.Enforces("town"))
	if answer.Status != nil {
		for _, cause := range answer.Status.Details.Causes {
			denied = append(denied, cause.Reason)
		}
	}
	for _, w := range answer.Warnings {
		code, _, _ := strings.Cut(w, ":")
		warned = append(warned, code)
	}
	return denied, warned
}

// A workload is judged as if what runs of it were what it says, while others run on; a
// namespace that wants it has what breaks policy denied.
func TestWorkloadsAreHeldAgainstWhatRuns(t *testing.T) {
	c := newCluster(t)
	c.apply(withoutCart() + "\n---\n" + cartRuns + "\n---\n" + cartPod("cart-7d9f-1", "cart-7d9f", "7d9f", "8080") + "\n---\n" + cartPod("cart-66ab-1", "cart-66ab", "66ab", "8081"))
	l := c.watch(live.Options{})
	until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	expect := func(what, operation, from, to, denied, warned string) {
		t.Helper()
		gotDenied, gotWarned := c.review(l, operation, cartRuns, strings.Replace(cartRuns, from, to, 1))
		has := func(codes []string, want string) bool {
			return want == "" && len(codes) == 0 || slices.Contains(codes, want)
		}
		if !has(gotDenied, denied) || !has(gotWarned, warned) {
			t.Errorf("%s: denied %q, warned %q; want %q, %q", what, gotDenied, gotWarned, denied, warned)
		}
	}
	const account, front = "serviceAccountName: cart", "serviceAccountName: front"
	expect("another account", "UPDATE", account, front, "", "MSH1022")
	expect("pods outside the mesh", "UPDATE", "labels: {app: cart}}\n    spec", "labels: {app: cart, meshc.dev/inject: disabled}}\n    spec", "", "MSH1022")
	expect("the port that the service leads to by name is gone", "UPDATE", "name: web, ", "", "", "MSH4008")
	expect("it goes", "DELETE", "", "", "", "MSH1022")
	expect("more replicas", "UPDATE", "replicas: 2", "replicas: 5", "", "")
	expect("another image", "UPDATE", "image: c", "image: d", "", "")
	expect("a label that nothing selects by", "UPDATE", "labels: {app: cart}}\n    spec", "labels: {app: cart, v: x}}\n    spec", "", "")

	c.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: town, labels: {meshc.dev/mesh: town, meshc.dev/enforce: \"true\"}}")
	c.until("the namespace wants it denied", func() error {
		if !l.Enforces("town") {
			return errNotYet
		}
		return nil
	})
	expect("another account, denied", "UPDATE", account, front, "MSH1022", "")
	expect("it goes, denied", "DELETE", "", "", "MSH1022", "MSH4004")
	expect("more replicas, where what breaks is denied", "UPDATE", "replicas: 2", "replicas: 0", "", "")

	// Another workload of the same labels backs the service: nothing breaks.
	c.apply(cartPod("cart-blue-1f-1", "cart-blue-1f", "1f", "8080"))
	c.until("the other workload is known", func() error {
		if denied, _ := c.review(l, "DELETE", cartRuns, ""); len(denied) > 0 {
			return errNotYet
		}
		return nil
	})
	expect("it goes, and another stays", "DELETE", "", "", "", "")
}

// What a controller puts on its pods a Service may select by: no change of a template takes
// that away. Each kind runs the cart in turn.
func TestWhatControllersPutOnPodsStays(t *testing.T) {
	c := newCluster(t)
	c.apply(withoutCart())
	l := c.watch(live.Options{})
	containers := []any{object{"name": "c", "image": "c", "ports": []any{object{"name": "web", "containerPort": 8080}}}}
	for _, run := range []struct{ group, version, kind, by, set, label, value string }{
		{"argoproj.io", "v1alpha1", "Rollout", "ReplicaSet", "cart-7d9f", "rollouts-pod-template-hash", "7d9f"},
		{"apps", "v1", "StatefulSet", "StatefulSet", "cart", "statefulset.kubernetes.io/pod-name", "cart-0"},
		{"batch", "v1", "CronJob", "Job", "cart-29123456", "app", "cart"},
	} {
		selects := object{"app": "cart", run.label: run.value}
		pod := object{"apiVersion": "v1", "kind": "Pod",
			"metadata": object{"name": "cart-" + strings.ToLower(run.kind), "namespace": "town", "labels": object{"app": "cart", run.label: run.value, "meshc.dev/injected": "true"},
				"ownerReferences": []any{object{"apiVersion": run.group + "/" + run.version, "kind": run.by, "name": run.set, "uid": "0e2f", "controller": true}}},
			"spec": object{"serviceAccountName": "cart", "containers": containers}}
		service := object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "cart", "namespace": "town"},
			"spec": object{"selector": selects, "ports": []any{object{"name": "http", "port": 80, "targetPort": "web"}}}}
		for _, o := range []object{service, pod} {
			text, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			c.apply(string(text))
		}
		judge := func(operation, account string, labels object) string {
			runs := func(account string, labels object) json.RawMessage {
				spec := object{"template": object{"metadata": object{"labels": labels}, "spec": object{"serviceAccountName": account, "containers": containers}}}
				if run.kind == "CronJob" {
					spec = object{"jobTemplate": object{"spec": spec}}
				}
				raw, err := json.Marshal(object{"apiVersion": run.group + "/" + run.version, "kind": run.kind, "metadata": object{"name": "cart", "namespace": "town"}, "spec": spec})
				if err != nil {
					t.Fatal(err)
				}
				return raw
			}
			r := &validate.Request{UID: "1", Operation: operation, Kind: validate.GroupKind{Group: run.group, Version: run.version, Kind: run.kind},
				Name: "cart", Namespace: "town", OldObject: runs("cart", object{"app": "cart"})}
			if operation == "UPDATE" {
				r.Object = runs(account, labels)
			}
			a := validate.Decide(l, r, true)
			if a.Status == nil {
				return strings.Join(a.Warnings, "\n")
			}
			return a.Status.Message
		}
		c.until("the pod of the "+run.kind+" is the only one behind the service", func() error {
			if !strings.Contains(judge("DELETE", "", nil), "MSH1022") {
				return errNotYet
			}
			return nil
		})
		if said := judge("UPDATE", "cart", object{"app": "cart", "version": "2"}); said != "" {
			t.Errorf("a %s with a label that nothing selects by: %s", run.kind, said)
		}
		if said := judge("UPDATE", "front", object{"app": "cart"}); !strings.Contains(said, "MSH1022") {
			t.Errorf("a %s under another account: %s", run.kind, said)
		}
		c.Do(http.MethodDelete, path(pod, true)+"?gracePeriodSeconds=0", nil)
	}
}
