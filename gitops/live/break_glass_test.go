package live_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/gitops/live"
)

// clock is one that a test sets forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// glass is a BreakGlass that ends in an hour.
func glass(name string) string {
	return fmt.Sprintf(`apiVersion: meshc.dev/v1alpha1
kind: BreakGlass
metadata: {name: %s, namespace: town}
spec: {from: town/default, to: "town/cart:80", reason: INC-1, by: admin, until: %q}`, name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
}

func lends(name string) func(*ir.Mesh) bool {
	return func(m *ir.Mesh) bool {
		return slices.ContainsFunc(m.Grants, func(g ir.Grant) bool { return g.Name == "BreakGlass/town/"+name })
	}
}

func not(holds func(*ir.Mesh) bool) func(*ir.Mesh) bool {
	return func(m *ir.Mesh) bool { return !holds(m) }
}

func (c cluster) stateOf(name, want string) {
	c.t.Helper()
	c.until(name+" is "+want, func() error {
		text, err := c.Try(http.MethodGet, "/apis/meshc.dev/v1alpha1/namespaces/town/breakglasses/"+name, nil)
		if err != nil {
			return err
		}
		var o struct {
			Status struct{ State, BeganAt, EndedAt string }
		}
		if err := json.Unmarshal(text, &o); err != nil || o.Status.State != want || o.Status.BeganAt == "" || (o.Status.EndedAt != "") != (want == "Ended") {
			return fmt.Errorf("its status is %+v %w", o.Status, err)
		}
		return nil
	})
}

// What is opened in an emergency is open at once, and closes by itself when its time is
// over: while the API server is away, in a replica whose clock lags once the leader has
// said so, and it stays closed in one that starts anew with a clock that lags.
func TestWhatIsOpenedForAWhileEndsByItself(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	var ahead, late clock
	l := c.watch(live.Options{Namespace: "meshc-system", Clock: ahead.now})
	slow := c.watch(live.Options{Namespace: "meshc-system", Clock: late.now})
	c.report(l, "one")
	until(t, l, "the grant is there", func(m *ir.Mesh) bool { return matches(m) == 1 })

	c.apply(glass("now"))
	until(t, l, "it is open", lends("now"))
	until(t, slow, "in every replica", lends("now"))
	c.stateOf("now", "Active")
	c.until("an event tells it", func() error { return c.hasEvent("BreakGlassBegan") })

	long := strings.Repeat("long-", 50) // its event has a name too
	c.apply(glass(long + "now"))
	c.stateOf(long+"now", "Active")

	c.Stop()
	ahead.forward(time.Hour)
	until(t, l, "it ends without an API server", not(lends("now")))
	if b, _, err := slow.Fetch(t.Context()); err != nil || !lends("now")(b.Mesh) {
		t.Fatalf("the other replica's clock lags, and nobody told it: %v", err)
	}
	c.Start()
	c.stateOf("now", "Ended")
	c.stateOf(long+"now", "Ended")
	c.until("an event tells it", func() error { return c.hasEvent("BreakGlassEnded") })
	until(t, slow, "it ends where the clock lags", not(lends("now")))
	again := c.watch(live.Options{Namespace: "meshc-system", Clock: late.now})
	until(t, again, "it stays over", not(lends("now")))
	if out := string(c.Do(http.MethodGet, "/api/v1/namespaces/town/events", nil)); strings.Count(out, "BreakGlassEnded") != 2 || strings.Count(out, "BreakGlassBegan") != 2 {
		t.Errorf("begin and end are told otherwise than once: %s", out)
	}
}

// A mesh that is suspended stays as it is, and what was lent for a while is not of it: it
// ends, by itself, early, or as it is deleted, and nothing else comes in force.
func TestASuspendedMeshGivesBackWhatWasLent(t *testing.T) {
	c := newCluster(t)
	c.apply(town)
	var at clock
	l := c.watch(live.Options{Clock: at.now})
	names := []string{"over", "early", "deleted", "again"}
	for _, name := range names {
		c.apply(glass(name))
		until(t, l, name+" is open", lends(name))
	}
	mesh := town[:strings.Index(town, "\n---")]
	c.apply(strings.Replace(mesh, "strict}", "strict, suspend: true}", 1))
	c.until("it is suspended", func() error {
		if !l.Suspended() {
			return errors.New("it is not")
		}
		return nil
	})
	c.apply(wider)
	c.apply(glass("new"))
	c.apply(strings.Replace(glass("early"), "by: admin", "by: admin, endedBy: admin", 1))
	until(t, l, "what was ended early is over", not(lends("early")))
	c.Do(http.MethodDelete, "/apis/meshc.dev/v1alpha1/namespaces/town/breakglasses/deleted", nil)
	until(t, l, "what was deleted is over", not(lends("deleted")))
	c.Do(http.MethodDelete, "/apis/meshc.dev/v1alpha1/namespaces/town/breakglasses/again", nil)
	c.apply(glass("again"))
	until(t, l, "what was deleted is over though another has its name", not(lends("again")))
	at.forward(time.Hour)
	b := until(t, l, "what ended by itself is over", not(lends("over")))
	if matches(b.Mesh) != 1 || lends("new")(b.Mesh) {
		t.Errorf("something came in force while the mesh was suspended: %v", b.Mesh.Grants)
	}
}

// The last accepted form of a policy stays when it gets an error. Of what was lent for
// a while that would be a way to keep it: what says that it is over, or too long, is over.
func TestAFaultKeepsNothingOpen(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	l := c.watch(live.Options{Namespace: "meshc-system"})
	c.report(l, "one")
	c.apply(glass("now"))
	until(t, l, "it is open", lends("now"))
	c.apply(strings.Replace(glass("now"), `town/cart:80`, `town/cart:none`, 1))
	until(t, l, "what it says now is a fault, and opens nothing", not(lends("now")))
	c.apply(glass("now"))
	until(t, l, "it is mended", lends("now"))
	mesh := town[:strings.Index(town, "\n---")]
	c.apply(strings.Replace(mesh, "strict}", "strict, breakGlass: {longest: 30m}}", 1))
	until(t, l, "the mesh lets nobody open so much", not(lends("now")))
	c.conditionOf(glass("now"), "Accepted", "it says why", func(status, _, message string) bool {
		return status == "False" && strings.Contains(message, "MSH1103")
	})
}
