//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/deploy/control"
)

// shop deploys the workloads that TestTraffic asks, and waits until policy holds.
func shop(t *testing.T) {
	t.Helper()
	namespaces(t, "shop")
	manifests, err := os.ReadFile("testdata/shop.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(manifests), "apply", "-f", "-")
	t.Cleanup(func() { complaints(t) })
	pods(t, "shop")
	settled(t)
}

// complaints shows, of a test that failed, what the client's proxy noted of calls that
// got nowhere.
func complaints(t *testing.T) {
	if !t.Failed() {
		return
	}
	log, _ := world.Kubectl(context.Background(), "", "-n", "shop", "logs", "deploy/client", "-c", "meshc-proxy")
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"upstream_error":"`) {
			t.Logf("the client's proxy: %s", line)
		}
	}
}

// replica is one of the control plane, as this machine reaches it: also while the API
// server is away.
type replica struct{ pod, ip, container string }

// replicas are those that run.
func replicas(t *testing.T) (out []replica) {
	t.Helper()
	const form = `jsonpath={range .items[*]}{.metadata.name} {.status.podIP} {.status.containerStatuses[0].containerID}{"\n"}{end}`
	for line := range strings.Lines(kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "--field-selector=status.phase=Running", "-o", form)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			t.Fatalf("a replica of the control plane is not there as a whole: %q", line)
		}
		_, id, _ := strings.Cut(words[2], "://")
		out = append(out, replica{words[0], words[1], id})
	}
	return out
}

// asksAgain bounds one question to a replica.
var asksAgain = &http.Client{Timeout: 5 * time.Second}

// read asks a path of its admin address.
func (r replica) read(path string) (*http.Response, error) {
	resp, err := asksAgain.Get("http://" + r.ip + ":15129" + path)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = fmt.Errorf("%s of %s: %s", path, r.pod, resp.Status)
	}
	return resp, err
}

// status is what a replica says of itself.
func (r replica) status() (s control.Status, err error) {
	resp, err := r.read("/status")
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	return s, json.NewDecoder(resp.Body).Decode(&s)
}

// metric is the value of a sample, empty where there is none.
func (r replica) metric(t *testing.T, sample string) string {
	t.Helper()
	resp, err := r.read("/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, sample+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// connected are the proxies of a namespace by their workloads, as replicas have them. A
// replica that does not answer has none.
func connected(planes []replica, ns string) map[string]control.Proxy {
	out := map[string]control.Proxy{}
	for _, r := range planes {
		s, err := r.status()
		if err != nil {
			continue
		}
		for _, p := range s.Proxies {
			if strings.HasPrefix(p.Workload, ns+"/") && p.InSync {
				out[p.Workload] = p
			}
		}
	}
	return out
}

// certified are the proxies that have a certificate: a client that was granted nothing
// never asks for one.
func certified(proxies map[string]control.Proxy) map[string]control.Proxy {
	maps.DeleteFunc(proxies, func(_ string, p control.Proxy) bool { return p.Certificate == "" })
	return proxies
}

// names are the pods of a namespace.
func names(t *testing.T, ns string) []string {
	t.Helper()
	return strings.Fields(kubectl(t, "", "-n", ns, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}"))
}

// allConnected waits until every proxy of the shop is connected and has what it is to
// have. Pods that end are there for a while, too.
func allConnected(t *testing.T) {
	t.Helper()
	planes := replicas(t)
	until(t, "every proxy is connected", func() bool { return len(connected(planes, "shop")) == len(names(t, "shop")) })
}

// rollout restarts workloads and waits until they are as before.
func rollout(t *testing.T, ns string, targets ...string) {
	t.Helper()
	kubectl(t, "", append([]string{"-n", ns, "rollout", "restart"}, targets...)...)
	for _, target := range targets {
		kubectl(t, "", "-n", ns, "rollout", "status", target, "--timeout=3m")
	}
}

// configure sets fields of the Mesh's spec, as JSON.
func configure(t *testing.T, spec string) {
	t.Helper()
	kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": `+spec+`}`)
}
