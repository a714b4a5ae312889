//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/catalog/kube"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/lab/echo"
	"github.com/meshc/meshc/test/cluster"
)

// nodes are those of the cluster, each in a zone of its own.
var nodes = []struct{ name, zone string }{{"meshc", "east"}, {"meshc-2", "west"}}

// A second node joins: pods reach each other across nodes in both families, whoever
// intercepts them; near ones are asked first; and the control plane is on both.
func TestNodes(t *testing.T) {
	ours(t)
	if err := world.Join(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Leave(context.Background(), 2); err != nil {
			t.Error(err)
		}
		for _, n := range nodes {
			_, _ = world.Kubectl(context.Background(), "", "label", "node", n.name, "topology.kubernetes.io/zone-") // the second is gone
		}
	})
	for _, n := range nodes {
		kubectl(t, "", "label", "node", n.name, "topology.kubernetes.io/zone="+n.zone, "--overwrite")
	}
	t.Run("pods intercept themselves", func(t *testing.T) { across(t, "init", "privileged") })
	t.Run("nodes intercept restricted pods", func(t *testing.T) { across(t, "cni", "restricted") })
}

// across installs a mesh and asks between two nodes.
func across(t *testing.T, interception, security string) {
	t.Cleanup(func() { unplugged(t) }) // a plugin outlives its DaemonSet, and pods end by it
	meshc(t, "install", "--wait", "--set", "image="+cluster.MeshcImage+",envoyImage="+cluster.EnvoyImage+",imagePullPolicy=Never,interception="+interception)
	t.Cleanup(func() { meshc(t, uninstall...) })
	spread(t)
	namespaces(t, "across")
	kubectl(t, "", "label", "namespace", "across", "pod-security.kubernetes.io/enforce="+security)
	manifests, err := os.ReadFile("testdata/nodes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(manifests), "apply", "-f", "-")
	if interception == "cni" {
		kubectl(t, "", "-n", "kube-system", "rollout", "status", "daemonset", "meshc-cni", "--timeout=3m")
	}
	for _, n := range nodes {
		kubectl(t, placed("web", n.name, "serve", "8080/http"), "apply", "-f", "-")
		kubectl(t, placed("client", n.name, "wait"), "apply", "-f", "-")
	}
	kubectl(t, "", "-n", "across", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=3m")
	for _, n := range nodes {
		for _, family := range []string{"4", "6"} {
			reaches(t, n.name, family, "first", "web-meshc")
			reaches(t, n.name, family, "second", "web-meshc-2")
			reaches(t, n.name, family, "both", "web-"+n.name) // the near one
		}
	}
	localities(t)
	kubectl(t, "", "-n", "across", "delete", "pod", "web-meshc-2")
	reaches(t, "meshc-2", "4", "both", "web-meshc") // the far one, for want of another
}

// unplugged takes the plugin off the first node.
func unplugged(t *testing.T) {
	t.Helper()
	args := []string{"cni", "--remove"}
	for flag, path := range map[string]string{"--bin-dir": "/opt/cni/bin", "--conf-dir": "/etc/cni/net.d"} {
		here, err := world.NodePath(path)
		if err != nil {
			t.Error(err)
			return
		}
		args = append(args, flag, here)
	}
	meshc(t, args...)
}

// placed is a pod of an account on a node, without privileges.
func placed(account, node string, args ...string) string {
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": map[string]any{"name": account + "-" + node, "namespace": "across", "labels": map[string]any{"app": account, "place": node}},
		"spec": map[string]any{
			"nodeName": node, "serviceAccountName": account, "terminationGracePeriodSeconds": 1,
			"securityContext": map[string]any{"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": map[string]any{"type": "RuntimeDefault"}},
			"containers": []any{map[string]any{
				"name": "app", "image": cluster.AppImage, "args": args,
				"securityContext": map[string]any{"allowPrivilegeEscalation": false, "capabilities": map[string]any{"drop": []any{"ALL"}}},
			}},
		},
	})
	if err != nil {
		panic(err) // it is of plain values
	}
	return string(text)
}

// spread holds that each node has a replica of the control plane.
func spread(t *testing.T) {
	t.Helper()
	on := strings.Fields(kubectl(t, "", "-n", "meshc-system", "get", "pods", "-l", "app.kubernetes.io/name=meshc-controller", "-o", "jsonpath={.items[*].spec.nodeName}"))
	slices.Sort(on)
	if !slices.Equal(on, []string{"meshc", "meshc-2"}) {
		t.Errorf("replicas of the control plane are on nodes %q, want one on each", on)
	}
}

// reaches asks a service from the client of a node: what was granted is answered by one
// pod, and what was not is refused.
func reaches(t *testing.T, node, family, service, pod string) {
	t.Helper()
	address := service + ".across:80"
	ask := func(path string) caller.Request {
		return caller.Request{Address: address, Family: family, Method: "GET", Path: path, Headers: []ir.Header{{Name: "host", Value: address}, {Name: "connection", Value: "close"}}}
	}
	const times = 20
	batch, err := json.Marshal(caller.Batch{Requests: append(slices.Repeat([]caller.Request{ask("/ok")}, times), ask("/no")), Parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	var wrong string
	until(t, fmt.Sprintf("%s is reached from %s by IPv%s", service, node, family), func() bool {
		var results []caller.Result
		if err := json.Unmarshal([]byte(inside(t, string(batch), "across", "pod/client-"+node, "app", "send")), &results); err != nil {
			t.Fatal(err)
		}
		by := map[string]int{}
		for _, r := range results[:times] {
			var a echo.Answer
			if r.Status == 200 && json.Unmarshal([]byte(r.Body), &a) == nil {
				by[a.Pod]++
			}
		}
		wrong = fmt.Sprintf("answered by %v, and what was not granted with %d %s", by, results[times].Status, results[times].Error)
		return by[pod] == times && results[times].Status == 403
	})
	t.Logf("from %-8s to %-7s by IPv%s: %s", node, service, family, wrong)
}

// localities holds that the catalog knows the zone of each pod.
func localities(t *testing.T) {
	t.Helper()
	config, err := kube.Config(world.Kubeconfig, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := kube.Watch(kube.Options{Config: config, Rules: kube.Rules{Mesh: "mesh", TrustDomain: "cluster.local"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	wait, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Wait(wait); err != nil {
		t.Fatal(err)
	}
	zones := map[string]string{}
	for _, w := range p.Snapshot().Workloads {
		zones[w.Name] = w.Locality.Zone
	}
	for _, n := range nodes {
		if got := zones["across/web-"+n.name]; got != n.zone {
			t.Errorf("the catalog has web-%s in zone %q, want %q: %v", n.name, got, n.zone, zones)
		}
	}
}
