//go:build e2e

package e2e

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/app/load"
)

// crowd is how many pods come and go. The node takes 250 and its pods' network 253.
var crowd = flag.Int("crowd", 200, "how many `PODS` come and go")

// wave is how many come at once, and half of how many go: a machine of two processors
// starts so many without starving what runs on it.
const wave = 10

// crowded is what a machine of the test's size holds so many of: an application and its
// proxy on one thread, without a request of memory that would be reserved for nobody.
const crowded = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: crowd, namespace: shop}
---
apiVersion: v1
kind: Service
metadata: {name: crowd, namespace: shop}
spec: {selector: {app: crowd}, ports: [{name: http, appProtocol: http, port: 80, targetPort: 8080}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: crowd, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: crowd, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: web}]
  sources: [{kind: ServiceAccount, name: client, namespace: shop}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crowd, namespace: shop}
spec:
  replicas: 1
  progressDeadlineSeconds: 3600
  selector: {matchLabels: {app: crowd}}
  template:
    metadata:
      labels: {app: crowd}
      annotations: {meshc.dev/proxy-cpu-request: 1m, meshc.dev/proxy-memory-request: 16Mi, meshc.dev/proxy-concurrency: "1"}
    spec:
      serviceAccountName: crowd
      containers:
      - name: app
        image: meshc.test/app:1
        args: [serve, 8080/http]
        resources: {requests: {cpu: 1m}}
        readinessProbe: {httpGet: {path: /healthz, port: 8080}}
        lifecycle: {preStop: {sleep: {seconds: 3}}}
`

// Pods come and go by the hundred while requests of every protocol run, to them and to others.
func TestCrowd(t *testing.T) {
	ours(t)
	install(t)
	shop(t)
	comeAndGo(t)
}

func comeAndGo(t *testing.T) {
	kubectl(t, crowded, "apply", "-f", "-")
	pods(t, "shop")
	to := get("HTTP to the crowd", "crowd.shop:80", "/ok")
	arrived(t, "shop", "deploy/client", to, "reached")
	refused := get("HTTP to the crowd by a stranger", "crowd.shop:80", "/ok")
	to.Every, refused.Every = unhurried, unhurried
	asks(t, false, seldom(everybody()), func(t *testing.T) {
		client, stranger := start(t, "shop", "deploy/client", to), start(t, "shop", "deploy/stranger", refused)
		t.Logf("before: %s", burden(t))
		begun := time.Now()
		for _, n := range sizes() {
			kubectl(t, "", "-n", "shop", "scale", "deployment", "crowd", "--replicas="+strconv.Itoa(n))
			kubectl(t, "", "-n", "shop", "rollout", "status", "deployment", "crowd", "--timeout=30m")
			gone(t, n)
			if n%50 == 0 || n == *crowd || n == 1 {
				t.Logf("%d pods after %s; %s", n, time.Since(begun).Round(time.Second), burden(t))
			}
		}
		only(t, client.end()[to.Name], "reached")
		only(t, stranger.end()[refused.Name], "refused")
	})
}

// unhurried is the time between two requests of a flow: the processors are for the crowd.
const unhurried = 500 * time.Millisecond

// seldom lets everybody ask at that pace.
func seldom(askers []asking) []asking {
	for i := range askers {
		askers[i].reached, askers[i].refused = slices.Clone(askers[i].reached), slices.Clone(askers[i].refused)
		for _, flows := range [][]load.Flow{askers[i].reached, askers[i].refused} {
			for k := range flows {
				flows[k].Every = unhurried
			}
		}
	}
	return askers
}

// sizes are how many pods there are, wave by wave, up to the whole crowd and down to one.
func sizes() (out []int) {
	for n := wave; n < *crowd; n += wave {
		out = append(out, n)
	}
	out = append(out, *crowd)
	for n := *crowd - 2*wave; n > 1; n -= 2 * wave {
		out = append(out, n)
	}
	return append(out, 1)
}

// gone waits until nothing is left of pods that end.
func gone(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Minute); time.Now().Before(deadline); time.Sleep(time.Second) {
		if len(strings.Fields(kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app=crowd", "-o", "name"))) == n {
			return
		}
	}
	t.Fatalf("there are not %d pods of the crowd", n)
}

// burden is what the control plane has to carry, and what is left of the machine.
func burden(t *testing.T) string {
	t.Helper()
	var out []string
	for _, r := range replicas(t) {
		bytes, err := strconv.ParseFloat(r.metric(t, "process_resident_memory_bytes"), 64)
		if err != nil {
			t.Fatal(err)
		}
		s, err := r.status()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%s has %d proxies and %.0f MiB", r.pod, len(s.Proxies), bytes/(1<<20)))
	}
	memory, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(memory)) {
		if strings.HasPrefix(line, "MemAvailable:") {
			out = append(out, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(out, "; ")
}
