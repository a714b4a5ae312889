package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/meshc-system/leases/meshc-controller"

// Whoever loses the lease writes no more, and whoever has it then neither writes anew
// what stands there nor tells again what was told. What others say in a status stays.
func TestWhoLosesTheLeaseWritesNoMore(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	c.apply(faulty) // never accepted: it is told from the beginning
	one, two := c.watch(live.Options{Namespace: "meshc-system"}), c.watch(live.Options{Namespace: "meshc-system"})
	c.report(one, "one")
	c.until("one leads", func() error { return leading(one, two) })
	c.report(two, "two")
	c.conditionOf(target, "Accepted", "the error is told", func(status, _, _ string) bool { return status == "False" })
	c.until("in an event too", func() error { return c.events("MSH1007", "one") })
	others := strings.Replace(target, "shoppers", "others", 1)
	c.apply(others)
	c.conditionOf(others, "Programmed", "a neighbour is in force", func(status, _, _ string) bool { return status == "True" })
	c.until("the other replica says how many proxies it has", func() error {
		_, err := c.Try(http.MethodGet, "/api/v1/namespaces/meshc-system/configmaps/meshc-replica-two", nil)
		return err
	})
	c.until("somebody else writes into the status, too", func() error {
		o := c.objectOf(target)
		status := o["status"].(object)
		status["conditions"] = append(status["conditions"].([]any), object{"type": "Ready", "status": "True", "reason": "Mine", "message": "of another controller",
			"lastTransitionTime": "2026-01-01T00:00:00Z"})
		_, err := c.Try(http.MethodPut, path(o, true)+"/status", o)
		return err
	})
	version := func(manifest string) any { return c.objectOf(manifest)["metadata"].(object)["resourceVersion"] }
	before, neighbour := version(target), version(others)

	c.until("the lease is another's", func() error { // as when the leader was away for long enough
		var lease object
		if err := json.Unmarshal(c.Do(http.MethodGet, leasePath, nil), &lease); err != nil {
			t.Fatal(err)
		}
		lease["spec"].(object)["holderIdentity"] = "two"
		_, err := c.Try(http.MethodPut, leasePath, lease)
		return err
	})
	c.until("two leads, and one does not", func() error { return leading(two, one) })
	third := strings.Replace(wider, "shoppers", "third", 1)
	c.apply(third)
	c.conditionOf(third, "Programmed", "two writes, and counts the proxies of both", func(status, _, message string) bool {
		return status == "True" && strings.HasPrefix(message, "6 of 6")
	})
	if now, then := version(target), version(others); now != before || then != neighbour {
		t.Errorf("what nobody changed was written again: %v and %v, and it was %v and %v", now, then, before, neighbour)
	}
	if err := c.events("MSH1007", "one"); err != nil {
		t.Error(err)
	}
	c.apply(wider)
	c.conditionOf(target, "Accepted", "it is mended", func(status, _, _ string) bool { return status == "True" })
	c.conditionOf(target, "Ready", "what others say stays", func(_, reason, _ string) bool { return reason == "Mine" })
	c.until("its end is told once, by who leads", func() error { return c.events("mended", "two") })
	until(t, one, "who does not lead serves on", func(m *ir.Mesh) bool {
		return slices.ContainsFunc(m.Grants, func(g ir.Grant) bool {
			return strings.HasPrefix(g.Name, "TrafficTarget/town/shoppers") && len(g.HTTP) == 2
		})
	})
}

// leading waits until one leads and the other does not.
func leading(one, other *live.Live) error {
	if !one.Leading() || other.Leading() {
		return errors.New("it is not so yet")
	}
	return nil
}

// events wants exactly one event with a text, of a replica.
func (c cluster) events(text, by string) error {
	var list struct {
		Items []struct{ Message, ReportingComponent, ReportingInstance string }
	}
	if err := json.Unmarshal(c.Do(http.MethodGet, "/api/v1/namespaces/town/events", nil), &list); err != nil {
		return err
	}
	var from []string
	for _, e := range list.Items {
		if strings.Contains(e.Message, text) {
			from = append(from, e.ReportingInstance)
		}
	}
	if len(from) != 1 || from[0] != by {
		return fmt.Errorf("events with %q are of %v", text, from)
	}
	return nil
}
