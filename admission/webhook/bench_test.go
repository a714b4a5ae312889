package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/meshc/meshc/admission/inject"
	"github.com/meshc/meshc/admission/webhook"
	"github.com/meshc/meshc/compiler"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/test/bench"
)

// podOf is a pod as an API server sends it: defaulted, with what real ones have.
func podOf(b *testing.B, n int) []byte {
	b.Helper()
	var env, mounts []any
	for i := range 20 {
		env = append(env, inject.Object{"name": fmt.Sprintf("SETTING_%d", i), "value": fmt.Sprintf("value-%d", n)})
	}
	for i := range 4 {
		mounts = append(mounts, inject.Object{"name": fmt.Sprintf("volume-%d", i), "mountPath": fmt.Sprintf("/data/%d", i)})
	}
	probe := func(path string) inject.Object {
		return inject.Object{"httpGet": inject.Object{"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
	}
	text, err := json.Marshal(inject.Object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": inject.Object{"generateName": fmt.Sprintf("app-%d-5c689d88bb-", n), "labels": inject.Object{"app": fmt.Sprintf("app-%d", n), "pod-template-hash": "5c689d88bb"},
			"ownerReferences": []any{inject.Object{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": fmt.Sprintf("app-%d-5c689d88bb", n), "uid": "b1b1"}}},
		"spec": inject.Object{
			"serviceAccountName": fmt.Sprintf("app-%d", n), "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
			"volumes": []any{inject.Object{"name": "volume-0", "emptyDir": inject.Object{}}, inject.Object{"name": "volume-1", "emptyDir": inject.Object{}}},
			"containers": []any{inject.Object{"name": "app", "image": "registry.example/app:1", "env": env, "volumeMounts": mounts,
				"ports": []any{inject.Object{"name": "http", "containerPort": 8080, "protocol": "TCP"}}, "livenessProbe": probe("/live"), "readinessProbe": probe("/ready")}},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return text
}

// BenchmarkMutate is an injection from the bytes of the request to those of the answer,
// with metrics; the pods are those of 1,000 Deployments in turn. A mesh of 1,000 services is
// in memory meanwhile, as in a controller: in a process that holds nothing garbage would be
// collected every thirty pods.
func BenchmarkMutate(b *testing.B) {
	mesh := compiler.NewSession(ir.Known{}, compiler.Options{NoRules: true})
	mesh.Load(source.FromMap(bench.RefMesh(1000, 64)), ir.Known{})
	defer runtime.KeepAlive(mesh)
	s, err := webhook.New(webhook.Options{Inject: injector(shop, settings()), Registry: prometheus.NewRegistry(), Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	var bodies [][]byte
	for n := range 1000 {
		bodies = append(bodies, review(b, "shop", podOf(b, n)))
	}
	ask := func(i int) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, webhook.MutatePath, bytes.NewReader(bodies[i%len(bodies)])))
		return w
	}
	for i := range bodies { // the first pod of a Deployment has its bootstrap written
		ask(i)
	}
	bench.Latency(b, func(i int) {
		w := ask(i)
		if w.Code != http.StatusOK || !bytes.Contains(w.Body.Bytes(), []byte(`"patch"`)) {
			b.Fatal(w.Code, w.Body)
		}
	})
}
