//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// probed is what is looked at of pods that are asked by probes.
type probed struct {
	Items []struct {
		Metadata struct{ Name string }
		Status   struct {
			Conditions                               []struct{ Type, Status, LastTransitionTime string }
			ContainerStatuses, InitContainerStatuses []struct {
				Name         string
				RestartCount int
			}
		}
	}
}

// Kubelets ask in every way whether containers are well, while policy changes and the
// control plane is restarted: no container is restarted, no pod ever not ready.
func probes(t *testing.T) {
	namespaces(t, "probes")
	text, err := os.ReadFile(filepath.Join(world.Root, "test", "cluster", "testdata", "probes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "client"} {
		kubectl(t, "", "-n", "probes", "create", "serviceaccount", name)
	}
	kubectl(t, strings.ReplaceAll(string(text), "namespace: shop", "namespace: probes"), "apply", "-f", "-")
	kubectl(t, "", "-n", "probes", "wait", "--for=condition=Ready", "pod/web", "--timeout=3m")
	restarts, since := health(t, "web")
	steady(t, false, func(t *testing.T) {
		churn(t, "web")
		restartController(t)
		churn(t, "web")
	})
	after, still := health(t, "web")
	t.Logf("24 probes of 4 kinds in 8 containers: %d restarts; ready since %s", after, since)
	if restarts != 0 || after != 0 {
		t.Errorf("containers were restarted %d times before and %d times in all: their probes do not reach them", restarts, after)
	}
	if still != since {
		t.Errorf("the pod was ready since %s, and is since %s: a probe did not reach it meanwhile", since, still)
	}
	until(t, "an application that is ill is restarted", func() bool { n, _ := health(t, "ill"); return n > 0 })
}

// health is how often containers of a pod were restarted, and since when it is ready.
func health(t *testing.T, pod string) (restarts int, since string) {
	t.Helper()
	var list probed
	if err := json.Unmarshal([]byte(kubectl(t, "", "-n", "probes", "get", "pods", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		if p.Metadata.Name != pod {
			continue
		}
		for _, s := range append(p.Status.ContainerStatuses, p.Status.InitContainerStatuses...) {
			restarts += s.RestartCount
		}
		for _, c := range p.Status.Conditions {
			if c.Type == "Ready" && c.Status == "True" {
				since = c.LastTransitionTime
			}
		}
	}
	return restarts, since
}

// Jobs whose programs call out as the first thing that they do reach whom they may, and
// end although a proxy is beside them.
func jobs(t *testing.T) {
	path := filepath.Join("testdata", "jobs.yaml")
	kubectl(t, "", "apply", "-f", path)
	t.Cleanup(func() { kubectl(t, "", "delete", "-f", path, "--timeout=3m") })
	succeeded := func(query ...string) bool {
		return strings.Contains(kubectl(t, "", append([]string{"-n", "shop", "get", "jobs", "-o", `jsonpath={range .items[*]}{.metadata.ownerReferences[0].kind}{.metadata.name} {.status.conditions[?(@.type=="Complete")].status}{"\n"}{end}`}, query...)...), "True")
	}
	until(t, "the Job ends", func() bool { return succeeded("--field-selector=metadata.name=once") })
	until(t, "a Job of the CronJob ends", func() bool {
		return strings.Contains(kubectl(t, "", "-n", "shop", "get", "cronjob", "often", "-o", "jsonpath={.status.lastSuccessfulTime}"), "T")
	})
	for _, name := range []string{"once", "often"} {
		statuses := map[string]int{}
		n := 0
		for line := range strings.Lines(kubectl(t, "", "-n", "shop", "logs", "-l", "app="+name, "-c", "app", "--tail=-1", "--max-log-requests=50")) {
			word, _, _ := strings.Cut(line, " ")
			statuses[word]++
			n++
		}
		t.Logf("pods of %s: %d first calls answered 200, %d second ones 403, of %d", name, statuses["200"], statuses["403"], n)
		if want := map[string]int{"once": 30, "often": 1}[name]; statuses["200"] < want || statuses["200"] != statuses["403"] || 2*statuses["200"] != n {
			t.Errorf("calls of %s in their first millisecond were answered %v, want 200 as often as 403, %d times at least", name, statuses, want)
		}
	}
}
