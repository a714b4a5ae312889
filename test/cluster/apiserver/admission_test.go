package apiserver_test

import (
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/admission/validate"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/policies"
	"github.com/meshc/meshc/test/cluster/apiserver"
)

const town = `
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
spec: {selector: {app: cart}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: town, labels: {app: cart}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: town}
spec: {matches: [{name: read, pathRegex: /api/.*, methods: [GET]}]}
`

const townTarget = `
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: NAME, namespace: town}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: DESTINATION}
  rules: [{kind: HTTPRouteGroup, name: api, matches: [MATCH]}]
  sources: [{kind: ServiceAccount, name: front, namespace: town}]
`

// What a cluster is told with a real API server between: the refusal has the code,
// and a dry run is refused alike.
func TestAdmissionDeniesWithTheCode(t *testing.T) {
	s := server{apiserver.New(t)}
	define(t, s)
	session := compiler.NewSession(ir.Known{}, compiler.Options{Stage: policies.Admission, NoPlan: true, NoRules: true})
	session.Load(source.FromMap(map[string][]byte{"town.yaml": []byte(town)}), ir.Known{})
	var mu sync.Mutex
	warned := map[string]string{} // by object
	webhook := httptest.NewTLSServer(&validate.Handler{Compiler: session, Decided: func(r *validate.Request, a *validate.Response) {
		mu.Lock()
		defer mu.Unlock()
		warned[r.Name] = strings.Join(a.Warnings, "\n")
	}})
	t.Cleanup(webhook.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: webhook.Certificate().Raw})
	err := s.Do("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", object{
		"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": object{"name": "meshc"},
		"webhooks": []any{object{
			"name": "policy.meshc.dev", "sideEffects": "None", "admissionReviewVersions": []string{"v1"}, "failurePolicy": "Fail", "matchPolicy": "Equivalent",
			"clientConfig": object{"url": webhook.URL + "/validate", "caBundle": authority},
			"rules": []any{object{
				"apiGroups": []string{"access.smi-spec.io", "specs.smi-spec.io", "split.smi-spec.io"}, "apiVersions": []string{"*"},
				"operations": []string{"CREATE", "UPDATE", "DELETE"}, "resources": []string{"*"},
			}},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Do("POST", "/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "town"}}, nil); err != nil {
		t.Fatal(err)
	}
	apply := func(query, name, destination, match string) error {
		var o object
		text := strings.NewReplacer("NAME", name, "DESTINATION", destination, "MATCH", match).Replace(townTarget)
		if err := yaml.Unmarshal([]byte(text), &o); err != nil {
			t.Fatal(err)
		}
		return s.Do("POST", "/apis/access.smi-spec.io/v1alpha3/namespaces/town/traffictargets"+query, o, nil)
	}
	s.until(t, "the API server asks the webhook", func() error {
		if err := apply("?dryRun=All", "asked", "elsewhere", "read"); err == nil {
			return errors.New("it took a faulty grant")
		}
		return nil
	})
	for _, query := range []string{"", "?dryRun=All"} {
		if err := apply(query, "bad", "elsewhere", "read"); err == nil || !strings.Contains(err.Error(), "MSH1007") || !strings.Contains(err.Error(), "meshc explain") {
			t.Errorf("a grant for another's namespace%s: %v", query, err)
		}
	}
	if err := apply("", "good", "town", "read"); err != nil {
		t.Errorf("a good grant: %v", err)
	}
	if err := apply("", "early", "town", "later"); err != nil {
		t.Errorf("a match that may come later: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if warned["good"] != "" || !strings.Contains(warned["early"], "MSH1005") {
		t.Errorf("warnings: %q", warned)
	}
}
