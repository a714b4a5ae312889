package validate_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
)

// shop is a mesh in which the front calls the cart.
const shop = `
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: front, namespace: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: cart, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, appProtocol: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: shop}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec: {serviceAccountName: cart, containers: [{name: c, image: c}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: shop}
spec: {matches: [{name: read, pathRegex: /api/.*, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: front, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: api}]
  sources: [{kind: ServiceAccount, name: front, namespace: shop}]
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: cart, namespace: shop}
spec: {service: cart, backends: [{service: cart-2, weight: 0}, {service: cart-1, weight: 100}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-1, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, appProtocol: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: cart-2, namespace: shop}
spec: {selector: {app: cart}, ports: [{name: http, port: 80, appProtocol: http}]}
`

func live(t testing.TB, files map[string][]byte) *compiler.Session {
	t.Helper()
	s := compiler.NewSession(ir.Known{}, compiler.Options{Stage: policies.Admission, NoPlan: true, NoRules: true})
	s.Load(source.FromMap(files), ir.Known{})
	return s
}

// ask makes the request that an API server would make of a manifest.
func ask(t testing.TB, operation, manifest string) *validate.Request {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	var head struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		t.Fatal(err)
	}
	group, version, ok := strings.Cut(head.APIVersion, "/")
	if !ok {
		group, version = "", group
	}
	r := &validate.Request{UID: "1", Operation: operation, Name: head.Metadata.Name, Namespace: head.Metadata.Namespace,
		Kind: validate.GroupKind{Group: group, Version: version, Kind: head.Kind}, Object: raw}
	if operation == "DELETE" {
		r.Object, r.OldObject = nil, raw
	}
	return r
}

func codesOf(r *validate.Response) (denied, warned []string) {
	if r.Status != nil {
		for _, c := range r.Status.Details.Causes {
			denied = append(denied, c.Reason)
		}
	}
	for _, w := range r.Warnings {
		code, _, _ := strings.Cut(w, ":")
		warned = append(warned, code)
	}
	return denied, warned
}

const target = `
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata:
  name: more
  namespace: shop
  uid: 5b7c
  resourceVersion: "7"
  generation: 1
  creationTimestamp: "2026-01-01T00:00:00Z"
  managedFields: [{manager: kubectl, operation: Update}]
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: GROUP}]
  sources: [{kind: ServiceAccount, name: front, namespace: SOURCE}]
status: {}
`

func TestDecisions(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	fill := func(group, source string) string {
		return strings.NewReplacer("GROUP", group, "SOURCE", source).Replace(target)
	}
	for _, c := range []struct {
		name, operation, manifest string
		enforce                   bool
		denied, warned            string // a code that is among those
		silent                    bool
	}{
		{name: "a good target", operation: "CREATE", manifest: fill("api", "shop")},
		{name: "a group that may come later, with what is applied together", operation: "CREATE", manifest: fill("apl", "shop"), silent: true},
		{name: "a group that is not there, of what was there before", operation: "UPDATE", manifest: fill("apl", "shop"), warned: "MSH1004"},
		{name: "a source without a namespace", operation: "CREATE", manifest: fill("api", `""`), denied: "MSH1"},
		{name: "an unknown field", operation: "UPDATE", manifest: strings.Replace(fill("api", "shop"), "  rules:", "  rulez: []\n  rules:", 1), denied: "MSH0101"},
		{name: "a weight below zero", operation: "CREATE", denied: "MSH0114", manifest: `
apiVersion: split.smi-spec.io/v1alpha2
kind: TrafficSplit
metadata: {name: other, namespace: shop}
spec: {service: cart-1, backends: [{service: cart-2, weight: -1}]}`},
		{name: "a group that a target names is deleted", operation: "DELETE", warned: "MSH1", manifest: `
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: shop}`},
		{name: "a Service that a split sends to is deleted", operation: "DELETE", warned: "MSH2", manifest: `
apiVersion: v1
kind: Service
metadata: {name: cart-1, namespace: shop}`},
		{name: "the same where the namespace wants it denied", operation: "DELETE", enforce: true, denied: "MSH2", manifest: `
apiVersion: v1
kind: Service
metadata: {name: cart-1, namespace: shop}`},
		{name: "a kind that no mesh reads", operation: "CREATE", manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: shop}"},
		{name: "a namespace", operation: "CREATE", manifest: "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\nspec: {finalizers: [kubernetes]}"},
	} {
		r := validate.Decide(s, ask(t, c.operation, c.manifest), c.enforce)
		denied, warned := codesOf(r)
		has := func(codes []string, want string) bool {
			if want == "" {
				return len(codes) == 0
			}
			return slices.ContainsFunc(codes, func(code string) bool { return strings.HasPrefix(code, want) })
		}
		if r.Allowed != (c.denied == "") || !has(denied, c.denied) || c.warned != "" && !has(warned, c.warned) || c.silent && len(warned) > 0 {
			t.Errorf("%s: allowed %v, denied %q, warned %q", c.name, r.Allowed, denied, warned)
		}
		if !r.Allowed && (!strings.Contains(r.Status.Message, "meshc explain "+denied[0]) || r.AuditAnnotations["findings"] == "") {
			t.Errorf("%s: %+v", c.name, r)
		}
		again := ask(t, c.operation, c.manifest)
		again.DryRun = true
		if dry := validate.Decide(s, again, c.enforce); dry.Allowed != r.Allowed {
			t.Errorf("%s: a dry run is answered otherwise: something was remembered", c.name)
		}
	}
}

// A controller that adds a finalizer to an old and faulty object, or takes the last
// one from an object that goes, must not be hindered.
func TestWhatChangesNothingForTheMeshIsLeftAlone(t *testing.T) {
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop)})
	bad := strings.NewReplacer("GROUP", "api", "SOURCE", `""`).Replace(target)
	same := ask(t, "UPDATE", strings.Replace(bad, "  uid:", "  finalizers: [x]\n  uid:", 1))
	same.OldObject = ask(t, "UPDATE", bad).Object
	if r := validate.Decide(s, same, false); !r.Allowed {
		t.Errorf("a finalizer: %+v", r.Status)
	}
	goes := ask(t, "UPDATE", strings.Replace(bad, "  uid:", "  deletionTimestamp: \"2026-01-01T00:00:00Z\"\n  labels: {a: b}\n  uid:", 1))
	goes.OldObject = same.OldObject
	if r := validate.Decide(s, goes, false); !r.Allowed {
		t.Errorf("an object that goes: %+v", r.Status)
	}
	goes.OldObject = ask(t, "UPDATE", strings.NewReplacer("GROUP", "api", "SOURCE", "shop").Replace(target)).Object
	if r := validate.Decide(s, goes, false); r.Allowed {
		t.Error("whoever keeps an object from going by a finalizer writes into it what they like")
	}
	parts := ask(t, "UPDATE", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, deletionTimestamp: \"2026-01-01T00:00:00Z\"}\nspec: {}")
	parts.OldObject = ask(t, "UPDATE", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\nspec: {finalizers: [kubernetes]}").Object
	if r := validate.Decide(s, parts, true); !r.Allowed || len(r.Warnings) > 0 {
		t.Errorf("a namespace that loses its last finalizer: %+v", r)
	}
}

// Objects that are applied together come one by one, and a watch tells of each a moment
// later: what refers to something that is not there yet is warned of, and denied to
// nobody who adds to it, not even where the namespace wants what breaks denied.
func TestWhatIsNotThereYetIsNotDenied(t *testing.T) {
	split := `
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: canary, namespace: shop}
spec: {service: till, backends: [{service: till-v1, weight: 90}, {service: till-v2, weight: 10}]}`
	s := live(t, map[string][]byte{"shop.yaml": []byte(shop), "split.yaml": []byte(split)})
	for _, name := range []string{"till", "till-v1"} {
		manifest := strings.ReplaceAll("apiVersion: v1\nkind: Service\nmetadata: {name: NAME, namespace: shop}\nspec: {selector: {app: till}, ports: [{name: http, port: 80}]}", "NAME", name)
		r := validate.Decide(s, ask(t, "CREATE", manifest), true)
		denied, warned := codesOf(r)
		if !r.Allowed {
			t.Errorf("the service %s is denied as %v, with warnings %v", name, denied, warned)
		}
		if name == "till-v1" && !slices.Contains(warned, "MSH2006") {
			t.Errorf("the service %s comes with warnings %v", name, warned)
		}
	}
}
