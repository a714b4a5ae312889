//go:build e2e

package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Requests of every protocol go on while the mesh's operator does what operators do,
// and while things break: none is wrongly allowed, none wrongly refused.
func TestTraffic(t *testing.T) {
	install(t)
	namespaces(t, "shop")
	kubectl(t, "", "apply", "-f", filepath.Join("testdata", "shop.yaml"))
	pods(t, "shop")
	settled(t)
	step := func(name string, meanwhile func(*testing.T)) {
		t.Run(name, func(t *testing.T) { steady(t, false, meanwhile) })
	}
	step("nothing happens", func(*testing.T) { time.Sleep(10 * time.Second) }) // requests need time, nothing is waited for
	step("a replica of the controller is killed", func(t *testing.T) {
		pod := strings.Fields(kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "-o", "name"))[0]
		kubectl(t, "", "-n", "meshc-system", "delete", pod, "--grace-period=0", "--force")
		rolled(t, "meshc-system", "meshc-controller")
	})
	step("all replicas are restarted", restartController)
	step("scaled up and down", func(t *testing.T) {
		for _, n := range []string{"4", "1", "3", "1"} {
			kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas="+n)
			rolled(t, "shop", "web")
		}
	})
	step("pods end while they are asked", rollingRestart)
	t.Run("the kubelet is restarted", kubelet)
	t.Run("permissive and back, twice", modes)
	t.Run("egress open and closed", egress)
	t.Run("ports and services", ports)
	t.Run("a database that speaks first", database)
	t.Run("exclusions", exclusions)
	t.Run("probes", probes)
	t.Run("Jobs", jobs)
	t.Run("a target is deleted", deleted)
	t.Run("an Envoy crashes", func(t *testing.T) {
		ours(t)
		steady(t, true, func(t *testing.T) {
			was := restarts(t)
			crash(t)
			until(t, "the proxy is started again", func() bool { return restarts(t) > was })
			pods(t, "shop")
		})
	})
}

// rolled waits until a deployment is as it is meant to be.
func rolled(t *testing.T, ns, name string) {
	t.Helper()
	kubectl(t, "", "-n", ns, "rollout", "status", "deployment", name, "--timeout=3m")
}

// restartController replaces all replicas: whoever applies something meanwhile is
// answered.
func restartController(t *testing.T) {
	t.Helper()
	judged(t, func() {
		kubectl(t, "", "-n", "meshc-system", "rollout", "restart", "deployment", "meshc-controller")
		rolled(t, "meshc-system", "meshc-controller")
		churn(t, "web")
	})
}

// judged applies a policy object over and over meanwhile, as a dry run, and holds that
// admission always answers.
func judged(t *testing.T, meanwhile func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var failures []error
	n := 0
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ; ctx.Err() == nil; n++ {
			if _, err := world.Kubectl(t.Context(), grantTo("web", "judged"), "create", "--dry-run=server", "-f", "-"); err != nil {
				failures = append(failures, err)
			}
		}
	}()
	meanwhile()
	stop()
	<-ended
	t.Logf("%d objects were put before admission, %d without an answer", n, len(failures))
	for _, err := range failures {
		t.Errorf("admission did not answer: %v", err)
	}
}

// grantTo is a grant for an account's pods, of which no question of these tests speaks.
func grantTo(account, name string) string {
	return `
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: ` + name + `, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: ` + account + `, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: web}]
  sources: [{kind: ServiceAccount, name: db, namespace: shop}]
`
}

// rollingRestart replaces all pods of web, three times.
func rollingRestart(t *testing.T) {
	kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas=2")
	rolled(t, "shop", "web")
	for range 3 {
		kubectl(t, "", "-n", "shop", "rollout", "restart", "deployment", "web")
		rolled(t, "shop", "web")
	}
	kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas=1")
	rolled(t, "shop", "web")
}

// churn makes and deletes a grant for an account's pods again and again, so that their
// proxies are told of it while requests are judged by other grants.
func churn(t *testing.T, account string) {
	t.Helper()
	for range 5 {
		kubectl(t, grantTo(account, "churn"), "apply", "-f", "-")
		kubectl(t, "", "-n", "shop", "delete", "traffictarget", "churn")
	}
}
