package live_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

const controlPlane = `apiVersion: v1
kind: Namespace
metadata: {name: meshc-system}
---
`

var (
	wider  = strings.Replace(target, "[read]", "[read, write]", 1)
	faulty = strings.Replace(wider, "name: cart}", "name: cart, namespace: elsewhere}", 1)
)

func matches(m *ir.Mesh) int {
	for _, g := range m.Grants {
		if strings.HasPrefix(g.Name, "TrafficTarget/") {
			return len(g.HTTP)
		}
	}
	return 0
}

// What somebody applies is in force at once, and its status says so; what has an error
// is said with its code, and its last accepted form stays, also in a replica that
// starts when nobody is there to ask.
func TestAnObjectOfTheClusterIsInForceAndSaysSo(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	l := c.watch(live.Options{Namespace: "meshc-system"})
	c.report(l, "one")
	until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	c.conditionOf(target, "Programmed", "the proxies have it", func(status, _, message string) bool {
		return status == "True" && message == "3 of 3 proxies acknowledged it"
	})
	for _, manifest := range []string{routes, "apiVersion: specs.smi-spec.io/v1alpha4\nkind: TCPRoute\nmetadata: {name: unused, namespace: town}\nspec: {matches: {ports: [80]}}"} {
		c.apply(manifest)
		want := "3 of 3 proxies acknowledged it"
		if manifest != routes {
			want = "no connected proxy is concerned"
		}
		c.conditionOf(manifest, "Programmed", "a route is told of by who refers to it: "+want, func(status, _, message string) bool {
			return status == "True" && message == want
		})
	}
	c.conditionOf(town[:strings.Index(town, "\n---")], "Ready", "the mesh is ready", func(status, _, _ string) bool { return status == "True" })

	c.apply(faulty)
	c.conditionOf(target, "Accepted", "the error is told", func(status, reason, message string) bool {
		return status == "False" && reason == "Invalid" && strings.Contains(message, "[MSH1007]") && strings.Contains(message, "spec.destination.namespace")
	})
	until(t, l, "the last accepted form stays", func(m *ir.Mesh) bool { return matches(m) == 1 })
	c.until("an event tells it too", func() error { return c.hasEvent("MSH1007") })

	again := c.watch(live.Options{Namespace: "meshc-system"})
	c.report(again, "two")
	until(t, again, "a replica that starts anew agrees", func(m *ir.Mesh) bool { return matches(m) == 1 })

	c.until("the other replica says how many proxies it has", func() error {
		_, err := c.Try(http.MethodGet, "/api/v1/namespaces/meshc-system/configmaps/meshc-replica-two", nil)
		return err
	})
	c.apply(wider)
	c.conditionOf(target, "Accepted", "it is mended", func(status, _, _ string) bool { return status == "True" })
	until(t, l, "what it says now is in force", func(m *ir.Mesh) bool { return matches(m) == 2 })
	until(t, again, "in every replica", func(m *ir.Mesh) bool { return matches(m) == 2 })
	c.conditionOf(target, "Programmed", "the proxies of both replicas have it", func(status, _, message string) bool {
		return status == "True" && message == "6 of 6 proxies acknowledged it"
	})
}

func (c cluster) hasEvent(text string) error {
	out, err := c.Try(http.MethodGet, "/api/v1/namespaces/town/events", nil)
	if err == nil && !strings.Contains(string(out), text) {
		err = errNone
	}
	return err
}

type none struct{}

func (none) Error() string { return "there is none" }

var errNone = none{}

// A status that nothing changed is not written again: every write wakes everybody who
// watches the object.
func TestNothingIsWrittenWhenNothingChanged(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	l := c.watch(live.Options{Namespace: "meshc-system"})
	c.report(l, "one")
	var o object
	if err := json.Unmarshal([]byte(`{"apiVersion": "access.smi-spec.io/v1alpha4", "kind": "TrafficTarget", "metadata": {"name": "shoppers", "namespace": "town"}}`), &o); err != nil {
		t.Fatal(err)
	}
	c.conditionOf(target, "Programmed", "the proxies have it", func(status, _, _ string) bool { return status == "True" })
	before := c.get(o)["metadata"].(object)["resourceVersion"]
	c.apply(strings.Replace(target, "shoppers", "others", 1))
	c.conditionOf(strings.Replace(target, "shoppers", "others", 1), "Programmed", "a neighbour is there", func(status, _, _ string) bool { return status == "True" })
	if now := c.get(o)["metadata"].(object)["resourceVersion"]; now != before {
		t.Errorf("it was written, from %v to %v", before, now)
	}
}

// Pods come and go by the hundred; nothing is compiled for one that is as others are.
func TestPodsThatAreAlikeCompileNothing(t *testing.T) {
	c := newCluster(t)
	c.apply(town)
	l := c.watch(live.Options{})
	b := until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	more := `apiVersion: v1
kind: Pod
metadata: {name: cart-7d9f-2, namespace: town, labels: {app: cart, pod-template-hash: aaaa, meshc.dev/injected: "true"}}
spec: {serviceAccountName: cart, containers: [{name: c, image: c, ports: [{name: web, containerPort: 8080}]}]}`
	c.apply(more)
	for late := time.After(time.Minute); len(l.Catalog().Objects("town")[0].Pods) < 3; {
		select {
		case <-l.Catalog().Changed():
		case <-late:
			t.Fatal("the pod never came")
		}
	}
	c.apply(wider) // and what comes after it is compiled
	until(t, l, "the wider grant", func(m *ir.Mesh) bool { return matches(m) == 2 })
	c.apply(target)
	if is := until(t, l, "as it was", func(m *ir.Mesh) bool { return matches(m) == 1 }); is.Manifest.PolicyDigest != b.Manifest.PolicyDigest {
		t.Error("a pod like another one made another policy")
	}
}

// Who suspends a mesh wants what is served to stay; what was changed meanwhile comes
// when he is done.
func TestASuspendedMeshStaysAsItIs(t *testing.T) {
	c := newCluster(t)
	c.apply(town)
	l := c.watch(live.Options{})
	b := until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })
	mesh := town[:strings.Index(town, "\n---")]
	c.apply(strings.Replace(mesh, "strict}", "strict, suspend: true}", 1))
	c.until("it is suspended", func() error {
		if !l.Suspended() {
			return errNone
		}
		return nil
	})
	c.apply(wider)
	c.apply(mesh)
	until(t, l, "what was changed comes", func(m *ir.Mesh) bool { return matches(m) == 2 })
	_ = b
}
