//go:build e2e

package e2e

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Requests of every protocol go on while the mesh's operator does what operators do,
// and while things break: none is wrongly allowed, none wrongly refused.
func TestTraffic(t *testing.T) {
	install(t)
	namespaces(t, "shop")
	manifests, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(manifests), "apply", "-f", "-")
	pods(t, "shop")
	settled(t)
	step := func(name string, meanwhile func(*testing.T)) {
		t.Run(name, func(t *testing.T) { steady(t, false, meanwhile) })
	}
	step("nothing happens", func(*testing.T) { time.Sleep(10 * time.Second) }) // requests need time, nothing is waited for
	step("a replica of the controller is killed", func(t *testing.T) {
		pod := strings.Fields(kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "-o", "name"))[0]
		kubectl(t, "", "-n", "meshc-system", "delete", pod, "--grace-period=0", "--force")
		kubectl(t, "", "-n", "meshc-system", "rollout", "status", "deployment", "meshc-controller", "--timeout=3m")
	})
	step("all replicas are restarted", func(t *testing.T) {
		kubectl(t, "", "-n", "meshc-system", "rollout", "restart", "deployment", "meshc-controller")
		kubectl(t, "", "-n", "meshc-system", "rollout", "status", "deployment", "meshc-controller", "--timeout=3m")
	})
	step("scaled up and down", func(t *testing.T) {
		for _, n := range []string{"4", "1", "3", "1"} {
			kubectl(t, "", "-n", "shop", "scale", "deployment", "web", "--replicas="+n)
			kubectl(t, "", "-n", "shop", "rollout", "status", "deployment", "web", "--timeout=3m")
		}
	})
	t.Run("permissive and back, twice", modes)
	t.Run("egress open and closed", egress)
	t.Run("an Envoy crashes", func(t *testing.T) {
		steady(t, true, func(t *testing.T) {
			was := restarts(t)
			crash(t)
			until(t, "the proxy is started again", func() bool { return restarts(t) > was })
			pods(t, "shop")
		})
	})
}
