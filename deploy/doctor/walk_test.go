package doctor_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/deploy/api"
	"github.com/meshc/meshc/deploy/doctor"
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
kind: Service
metadata: {name: idle, namespace: town}
spec: {selector: {app: idle}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: town, labels: {app: cart}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: front, namespace: town}
spec: {serviceAccountName: front, containers: [{name: c, image: c}]}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: api, namespace: town}
spec: {matches: [{name: read, pathRegex: /items, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: fronts, namespace: town}
spec:
  destination: {kind: ServiceAccount, name: cart, namespace: town}
  rules: [{kind: HTTPRouteGroup, name: api}]
  sources: [{kind: ServiceAccount, name: front, namespace: town}]
`

// answers are an API server's, by path.
type answers map[string]string

func works() answers {
	return answers{
		"/api/v1": `{"resources":[{"name":"pods","kind":"Pod","namespaced":true}]}`, "/apis/discovery.k8s.io/v1": `{"resources":[{"name":"endpointslices","kind":"EndpointSlice","namespaced":true}]}`,
		"/api/v1/namespaces/town/pods/front": `{"metadata":{"labels":{"meshc.dev/injected":"true"}},"spec":{"serviceAccountName":"front"},"status":{"phase":"Running"}}`,
		"/api/v1/namespaces/town/pods/cart":  `{"metadata":{"labels":{"meshc.dev/injected":"true"}},"spec":{"serviceAccountName":"cart"},"status":{"phase":"Running"}}`,
		"/api/v1/namespaces/meshc-system/pods": `{"items":[{"metadata":{"name":"a","namespace":"meshc-system"},"status":{"phase":"Running"}},
			{"metadata":{"name":"b","namespace":"meshc-system"},"status":{"phase":"Running"}}]}`,
		"/api/v1/namespaces/meshc-system/pods/a:15129/proxy/status": `{"ready":true,"proxies":[{"identity":"spiffe://cluster.local/ns/town/sa/cart","workload":"town/cart","inSync":true}]}`,
		"/api/v1/namespaces/meshc-system/pods/b:15129/proxy/status": `{"ready":true,"proxies":[{"identity":"spiffe://cluster.local/ns/town/sa/front","workload":"town/front","inSync":true}]}`,
		"/apis/discovery.k8s.io/v1/namespaces/town/endpointslices":  `{"items":[{"endpoints":[{"addresses":["10.0.0.2"],"conditions":{"ready":true},"targetRef":{"kind":"Pod","name":"cart"}}]}]}`,
		"/api/v1/namespaces/town/pods/front:15010/proxy/stats/prometheus": `envoy_cluster_membership_healthy{envoy_cluster_name="town/cart_80"} 1
envoy_cluster_upstream_cx_connect_fail{envoy_cluster_name="town/cart_80"} 0
`,
	}
}

// A call that works passes every step; each thing that can be wrong is told at its own,
// and nothing after it.
func TestAWalkEndsWhereItFails(t *testing.T) {
	result, found := compiler.Compile(source.FromMap(map[string][]byte{"town.yaml": []byte(town)}), ir.Known{}, compiler.Options{NoRules: true})
	if found.HasErrors() {
		t.Fatal(found)
	}
	kept := wellKept(t).start(t)
	for name, c := range map[string]struct {
		change      answers
		to, path    string
		last, finds string
	}{
		"all is well":                {last: "envoy"},
		"no such pod":                {change: answers{"/api/v1/namespaces/town/pods/front": ""}, last: "identity", finds: "MSH4131"},
		"a pod without a proxy":      {change: answers{"/api/v1/namespaces/town/pods/front": `{"status":{"phase":"Running"},"spec":{"serviceAccountName":"front"}}`}, last: "identity", finds: "MSH4131"},
		"a proxy that is away":       {change: answers{"/api/v1/namespaces/meshc-system/pods/b:15129/proxy/status": `{"rejected":[{"workload":"town/front","reason":"its token ended"}]}`}, last: "proxy", finds: "MSH4132"},
		"a proxy of another":         {change: answers{"/api/v1/namespaces/meshc-system/pods/b:15129/proxy/status": `{"proxies":[{"identity":"spiffe://cluster.local/ns/town/sa/cart","workload":"town/front","inSync":true}]}`}, last: "proxy", finds: "MSH4132"},
		"a part that was refused":    {change: answers{"/api/v1/namespaces/meshc-system/pods/b:15129/proxy/status": `{"proxies":[{"identity":"spiffe://cluster.local/ns/town/sa/front","workload":"town/front","types":[{"type":"listeners","refused":[{"name":"x","reason":"y"}]}]}]}`}, last: "proxy", finds: "MSH4132"},
		"a replica that says naught": {change: answers{"/api/v1/namespaces/meshc-system/pods/a:15129/proxy/status": ""}, last: "proxy", finds: "MSH4119"},
		"no such service":            {to: "basket", last: "service", finds: "MSH4133"},
		"no grant":                   {path: "/admin", last: "policy", finds: "MSH4134"},
		"nobody there":               {change: answers{"/apis/discovery.k8s.io/v1/namespaces/town/endpointslices": `{"items":[]}`}, last: "endpoints", finds: "MSH4135"},
		"a service scaled to zero":   {change: answers{"/apis/discovery.k8s.io/v1/namespaces/town/endpointslices": `{"items":[]}`}, to: "idle", last: "endpoints", finds: "MSH4135"},
		"an Envoy without it":        {change: answers{"/api/v1/namespaces/town/pods/front:15010/proxy/stats/prometheus": "other 1\n"}, last: "envoy", finds: "MSH4136"},
		"an Envoy that fails":        {change: answers{"/api/v1/namespaces/town/pods/front:15010/proxy/stats/prometheus": "envoy_cluster_membership_healthy{envoy_cluster_name=\"town/cart_80\"} 1\nenvoy_cluster_ssl_connection_error{envoy_cluster_name=\"town/cart_80\"} 3\n"}, last: "envoy", finds: "MSH4136"},
	} {
		t.Run(name, func(t *testing.T) {
			told := works()
			for path, text := range c.change {
				told[path] = text
			}
			server := httptest.NewServer(told)
			defer server.Close()
			client, err := api.New(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			to, path := "cart", "/items"
			if c.to != "" {
				to = c.to
			}
			if c.path != "" {
				path = c.path
			}
			walk := doctor.Walk{Client: client, Namespace: "meshc-system", Mesh: result.Mesh, Now: time.Now(), From: api.Ref{APIVersion: "v1", Kind: "Pod", Namespace: "town", Name: "front"},
				To: ir.PortID{Service: ir.ServiceID{Namespace: "town", Name: to}}, HTTP: &ir.HTTPRequest{Method: "GET", Path: path}, Inside: kept.inside}
			checks, err := walk.Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, check := range checks {
				for _, f := range check.Found {
					codes = append(codes, string(f.Code))
				}
			}
			if last := checks[len(checks)-1].Name; last != c.last || strings.Join(codes, " ") != c.finds {
				t.Errorf("it ended at %s with %v, want %s with %q: %+v", last, codes, c.last, c.finds, checks)
			}
		})
	}
}

func (a answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, ok := a[r.URL.Path]
	if !ok || text == "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(api.Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": r.URL.Path + " not found"}) // the client says so if it is gone
		return
	}
	_, _ = w.Write([]byte(text)) // the same
}
