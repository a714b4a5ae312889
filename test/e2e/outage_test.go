//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/meshc/meshc/deploy/control"
	"github.com/meshc/meshc/test/cluster"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// What a mesh meets in two hours without an API server, in minutes: a token lives ten
// instead of sixty (no API server makes shorter ones), a certificate one instead of a
// day, and tokens count ten past their end instead of half a day. So each proxy renews
// its certificate several times, its token lapses and no kubelet can bring a new one,
// and replicas of the control plane begin anew with nothing but their state folder.
const (
	shortToken = 10 * time.Minute
	shortLives = `{"certificates": {"leaf": "1m", "intermediate": "5m"}, "authGrace": "10m"}`
	// Kubelets bring a new token at four fifths of its life, and somewhat earlier.
	renewedAt = shortToken/5 + 15*time.Second
)

// TestOutage takes the API server away while requests run.
func TestOutage(t *testing.T) {
	ours(t)
	install(t)
	configure(t, shortLives)
	namespaces(t, "shop")
	t.Cleanup(func() { complaints(t) })
	kubectl(t, shortTokens(t), "apply", "-f", "-")
	pods(t, "shop")
	settled(t)
	allConnected(t)
	planes, all := replicas(t), names(t, "shop")
	before := connected(planes, "shop")
	first, last := lapses(before)
	if life := time.Until(last); life > shortToken {
		t.Fatalf("a token ends in %s, so it is not one of %s", life, shortToken)
	}
	// A moment before kubelets would bring new ones.
	time.Sleep(max(0, time.Until(first.Add(-renewedAt-20*time.Second))))
	if left := time.Until(first); left < renewedAt {
		t.Fatalf("a token lives %s more: kubelets have brought another one", left)
	}
	hold := directly(t)
	begun := time.Now()
	// Where leaders are elected it ends without an API server, and begins anew with it: one
	// that stayed would take all nodes for lost, and their pods for not ready, at once.
	manages, err := world.Away("controller-manager")
	if err != nil {
		t.Fatal(err)
	}
	back, err := world.Away("apiserver")
	if err != nil {
		t.Fatal(err)
	}
	given := false
	giveBack := func() {
		if !given {
			given = true
			if err := back(); err != nil {
				t.Error(err)
			}
			until(t, "the API server is back", func() bool { return answers(t) == nil })
			if err := manages(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(giveBack)
	until(t, "the API server is away", func() bool { return !dials() })
	t.Logf("the API server is away; tokens live %s more", time.Until(first).Round(time.Second))

	renewed(t, planes, "while the API server is away")
	restarted(t, planes[0])
	renewed(t, planes, "after a replica began anew")
	time.Sleep(max(0, time.Until(last.Add(10*time.Second))))
	lapsed(t, planes, before, all)
	restarted(t, planes[1])
	lapsed(t, planes, before, all)
	renewed(t, planes, "after both replicas began anew, with tokens that have lapsed")
	t.Logf("the API server was away for %s, of these %s after all tokens had lapsed", time.Since(begun).Round(time.Second), time.Since(last).Round(time.Second))

	giveBack()
	until(t, "no replica lacks anything", func() bool {
		return !slices.ContainsFunc(planes, func(r replica) bool {
			s, err := r.status()
			return err != nil || len(s.Degraded) > 0
		})
	})
	kubectl(t, "", "wait", "--for=condition=Ready", "node", "--all", "--timeout=3m")
	renewed(t, planes, "with the API server")
	hold()
	steady(t, false, func(t *testing.T) { rollout(t, "shop", "deployment/web") })
	modes(t)
}

// shortTokens is the shop as `meshc inject` writes it, with tokens of another life.
func shortTokens(t *testing.T) string {
	t.Helper()
	root := t.TempDir() + "/root.pem"
	if err := os.WriteFile(root, []byte(meshc(t, "ca", "export", "--state", "cluster")), 0o600); err != nil {
		t.Fatal(err)
	}
	text := meshc(t, "inject", "-f", "test/e2e/testdata/shop.yaml", "--control-plane", "meshc-controller.meshc-system.svc:15128", "--ca", root,
		"--envoy-image", cluster.EnvoyImage, "--meshc-image", cluster.MeshcImage)
	var out []string
	for doc := range strings.SplitSeq(text, "\n---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			t.Fatal(err)
		}
		if o["kind"] == "ConfigMap" { // the controller's
			continue
		}
		if o["kind"] == "Deployment" || o["kind"] == "StatefulSet" {
			template := o["spec"].(map[string]any)["template"].(map[string]any)
			// The webhook would give it the usual one.
			template["metadata"].(map[string]any)["labels"].(map[string]any)["meshc.dev/inject"] = "disabled"
		}
		edited, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.ReplaceAll(string(edited), "expirationSeconds: 3600", fmt.Sprintf("expirationSeconds: %.0f", shortToken.Seconds())))
	}
	return strings.Join(out, "\n---\n")
}

// lapses is when the first and the last token of proxies end.
func lapses(proxies map[string]control.Proxy) (first, last time.Time) {
	for _, p := range proxies {
		if first.IsZero() || p.Expires.Before(first) {
			first = p.Expires
		}
		if p.Expires.After(last) {
			last = p.Expires
		}
	}
	return first, last
}

// directly asks everybody's questions without the API server, until the function that it
// gives, which holds the answers.
func directly(t *testing.T) (hold func()) {
	t.Helper()
	var going []*running
	for _, a := range everybody() {
		going = append(going, from(t, strings.TrimPrefix(a.pod, "deploy/"), slices.Concat(a.reached, a.refused)))
	}
	return func() {
		for i, a := range everybody() {
			answers := going[i].end()
			for _, f := range a.reached {
				only(t, answers[f.Name], "reached")
			}
			for _, f := range a.refused {
				only(t, answers[f.Name], "refused")
			}
		}
	}
}

// from asks flows in a container of the shop, by its process.
func from(t *testing.T, app string, flows []load.Flow) *running {
	t.Helper()
	_, id, _ := strings.Cut(kubectl(t, "", "-n", "shop", "get", "pods", "-l", "app="+app, "-o", `jsonpath={.items[0].status.containerStatuses[?(@.name=="app")].containerID}`), "://")
	for line := range strings.Lines(onNode(t, "ctr", "-n", "k8s.io", "tasks", "ls")) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != id {
			continue
		}
		cmd, err := world.OnNode(t.Context(), "nsenter", "-t", words[1], "-m", "-n", "/usr/local/bin/app", "load")
		if err != nil {
			t.Fatal(err)
		}
		return feed(t, app, cmd, flows)
	}
	t.Fatalf("no process is in container %q of %s", id, app)
	return nil
}

// dials tells whether anything listens for the API server.
func dials() bool {
	conn, err := net.DialTimeout("tcp", "10.250.0.2:6443", time.Second)
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// answers asks the API server whether it is ready.
func answers(t *testing.T) error {
	_, err := world.Kubectl(t.Context(), "", "get", "--raw", "/readyz")
	return err
}

// restarted ends a replica's process; the kubelet starts it again in its pod.
func restarted(t *testing.T, r replica) {
	t.Helper()
	onNode(t, "ctr", "-n", "k8s.io", "tasks", "kill", "-s", "SIGKILL", r.container)
	until(t, r.pod+" has ended", func() bool { _, err := r.status(); return err != nil })
	took := until(t, r.pod+" serves again", func() bool {
		s, err := r.status()
		return err == nil && s.Ready
	})
	t.Logf("%s serves again after %s, of what it had kept", r.pod, took.Round(time.Second))
}

// renewed waits until every proxy is connected and has another certificate than now.
func renewed(t *testing.T, planes []replica, when string) {
	t.Helper()
	had, done := certified(connected(planes, "shop")), map[string]bool{}
	took := until(t, "each proxy has another certificate "+when, func() bool {
		for workload, p := range connected(planes, "shop") {
			if was, ok := had[workload]; ok && p.Certificate != was.Certificate {
				done[workload] = true
			}
		}
		return len(done) == len(had)
	})
	t.Logf("%s: %d proxies renewed their certificates within %s", when, len(done), took.Round(time.Second))
}

// lapsed waits until every proxy is connected by a token that has ended, and is who it was.
func lapsed(t *testing.T, planes []replica, before map[string]control.Proxy, pods []string) {
	t.Helper()
	until(t, "every proxy is connected, by a token that counts past its end", func() bool {
		now := connected(planes, "shop")
		for _, workload := range slices.Sorted(maps.Keys(now)) {
			if p := now[workload]; !p.Expires.After(before[workload].Expires.Add(time.Minute)) {
				return false
			} else if p.Identity != before[workload].Identity {
				t.Fatalf("%s is %s, and was %s", workload, p.Identity, before[workload].Identity)
			}
		}
		return len(now) == len(pods)
	})
}

// onNode runs a program in the first node.
func onNode(t *testing.T, args ...string) string {
	t.Helper()
	cmd, err := world.OnNode(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
