package live_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// Who serves a bundle sees in the Mesh and in events where the cluster is not what the
// bundle was compiled with, and that it is again.
func TestDriftFromABundleIsTold(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	var built atomic.Pointer[bundle.Bundle]
	l := c.watch(live.Options{Namespace: "meshc-system", Open: func(context.Context, live.Reference) (*bundle.Bundle, diag.List, error) {
		return built.Load(), nil, nil
	}})
	built.Store(until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 }))
	var gone atomic.Bool
	gone.Store(true)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.Report(ctx, live.ReportOptions{Namespace: "meshc-system", Self: "one", Always: true, Proxies: func() live.Proxies { return live.Proxies{} }, Drift: func() diag.List {
			if !gone.Load() {
				return nil
			}
			return diag.List{
				diag.New("MSH4612", diag.Span{File: "catalog"}, "the policy names account %q, and there is none", "town/front").
					WithRelated(diag.Span{File: "meshc.lock", Line: 4, Col: 1}, "what the bundle was compiled with"),
				diag.New("MSH4607", diag.Span{File: "catalog"}, "a target port moved"), // which changes nothing
			}
		}})
	}()
	t.Cleanup(func() { stop(); <-ended })
	mesh := town[:strings.Index(town, "\n---")]
	c.conditionOf(mesh, "Ready", "the cluster's objects are served", func(status, _, _ string) bool { return status == "True" })
	if out := string(c.Do(http.MethodGet, "/apis/meshc.dev/v1alpha1/meshes/town", nil)); strings.Contains(out, "Drifted") {
		t.Errorf("what is compiled of the cluster's objects cannot drift from them: %s", out)
	}
	c.apply(strings.Replace(mesh, "strict}", "strict, bundle: {path: /bundle}}", 1))
	c.conditionOf(mesh, "Drifted", "the account is gone", func(status, _, message string) bool {
		return status == "True" && strings.Contains(message, "MSH4612") && strings.Contains(message, "meshc.lock:4") && !strings.Contains(message, "MSH4607")
	})
	events := func(reason string) func() error {
		return func() error {
			out, err := c.Try(http.MethodGet, "/api/v1/namespaces/default/events?fieldSelector=reason="+reason, nil)
			if err == nil && !strings.Contains(string(out), `"name":"town"`) {
				err = errNone
			}
			return err
		}
	}
	c.until("an event tells it", events("Drift"))
	gone.Store(false)
	c.conditionOf(mesh, "Drifted", "the account is back", func(status, _, _ string) bool { return status == "False" })
	c.until("an event tells that it is over", events("DriftOver"))
	if out := string(c.Do(http.MethodGet, "/apis/meshc.dev/v1alpha1/meshes/town", nil)); !strings.Contains(out, `"drift":0`) {
		t.Errorf("the count is not 0: %s", out)
	}
}
