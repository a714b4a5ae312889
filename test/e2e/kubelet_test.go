//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/test/cluster"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// The node's kubelet ends and starts again, twice: pods and containers live on, and so
// do their requests. Those run in pods of their own, because whatever goes on by kubectl
// ends with the kubelet.
func kubelet(t *testing.T) {
	ours(t)
	everybody := everybody()
	for i, name := range []string{"asker-client", "asker-stranger"} {
		lone(t, name, strings.TrimPrefix(name, "asker-"), slices.Concat(everybody[i].reached, everybody[i].refused))
	}
	before := containers(t)
	for range 2 {
		beat := lastBeat(t)
		restartPart(t, "kubelet")
		until(t, "the kubelet tells of its node again", func() bool { return lastBeat(t) > beat })
		kubectl(t, "", "wait", "--for=condition=Ready", "node", "--all", "--timeout=2m")
		pods(t, "shop")
	}
	if after := containers(t); after != before {
		t.Errorf("a restart of the kubelet replaced pods or containers:\n%s\nwere\n%s", after, before)
	}
	for i, name := range []string{"asker-client", "asker-stranger"} {
		answers := told(t, name)
		for _, f := range everybody[i].reached {
			only(t, answers[f.Name], "reached")
		}
		for _, f := range everybody[i].refused {
			only(t, answers[f.Name], "refused")
		}
	}
}

// restartPart ends a part of the node, and lets the node start it again.
func restartPart(t *testing.T, part string) {
	t.Helper()
	inNode := func(path string) string {
		t.Helper()
		path, err := world.NodePath(path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	number := func() string {
		text, err := os.ReadFile(inNode("/run/" + part + ".pid"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	was := number()
	back, err := world.Away(part)
	if err != nil {
		t.Fatal(err)
	}
	until(t, part+" is away", func() bool {
		_, err := os.Stat(inNode("/proc/" + was))
		return errors.Is(err, fs.ErrNotExist)
	})
	if err := back(); err != nil {
		t.Fatal(err)
	}
	until(t, part+" is started again", func() bool { return number() != was })
}

// lone runs a pod that asks by itself.
func lone(t *testing.T, name, account string, flows []load.Flow) {
	t.Helper()
	text, err := json.Marshal(flows)
	if err != nil {
		t.Fatal(err)
	}
	pod, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "namespace": "shop"},
		"spec": map[string]any{
			"serviceAccountName": account, "restartPolicy": "Never",
			"containers": []any{map[string]any{"name": "app", "image": cluster.AppImage, "args": []string{"load", string(text)}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, string(pod), "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, "", "-n", "shop", "delete", "pod", name) })
	kubectl(t, "", "-n", "shop", "wait", "--for=condition=Ready", "pod/"+name, "--timeout=3m")
}

// told ends a pod that asks by itself, and gives its counts.
func told(t *testing.T, name string) map[string]load.Tally {
	t.Helper()
	inside(t, "", "shop", "pod/"+name, "app", "end")
	kubectl(t, "", "-n", "shop", "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/"+name, "--timeout=3m")
	var tallies []load.Tally
	if err := json.Unmarshal([]byte(kubectl(t, "", "-n", "shop", "logs", name, "-c", "app")), &tallies); err != nil {
		t.Fatal(err)
	}
	return named(tallies)
}

// containers are the pods of shop and what runs in them.
func containers(t *testing.T) string {
	return kubectl(t, "", "-n", "shop", "get", "pods", "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].containerID} {.status.initContainerStatuses[*].containerID}{"\n"}{end}`)
}

// lastBeat is when the kubelet renewed its node's Lease.
func lastBeat(t *testing.T) string {
	return kubectl(t, "", "-n", "kube-node-lease", "get", "lease", "-o", "jsonpath={.items[0].spec.renewTime}")
}
