package live_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/meshc/meshc/gitops/live"
)

// What is applied together comes one by one: of an object that is new, that something is
// missing is told by an Event only when it has not come after a while. Its status says it
// at once.
func TestWhatMayStillComeIsNoEventYet(t *testing.T) {
	c := newCluster(t)
	c.apply(controlPlane + town)
	var ahead atomic.Int64
	began := time.Now()
	l := c.watch(live.Options{Namespace: "meshc-system", Clock: func() time.Time { return began.Add(time.Duration(ahead.Load())) }})
	c.report(l, "one")
	missing := func(name string) string {
		return strings.NewReplacer("name: shoppers", "name: "+name, "name: front,", "name: thief,").Replace(target)
	}
	for _, name := range []string{"late", "mended"} {
		c.apply(missing(name))
		c.conditionOf(missing(name), "Accepted", "its status says what is missing", func(status, _, message string) bool {
			return status == "True" && strings.Contains(message, "MSH3001")
		})
	}
	c.apply(strings.Replace(missing("mended"), "name: thief,", "name: front,", 1))
	c.conditionOf(missing("mended"), "Accepted", "it came", func(_, reason, _ string) bool { return reason == "Accepted" })
	c.apply(strings.Replace(missing("at-once"), "name: cart}", "name: cart, namespace: elsewhere}", 1)) // it is refused: nobody waits
	c.untilEvent("town", "at-once", "MSH1007")
	events := func(name string) string {
		out, err := c.Try(http.MethodGet, "/api/v1/namespaces/town/events?fieldSelector=involvedObject.name="+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, name := range []string{"late", "mended"} {
		if got := events(name); strings.Contains(got, "MSH3001") {
			t.Errorf("%s is told of what may still come: %s", name, got)
		}
	}
	ahead.Store(int64(time.Minute + time.Since(began)))
	c.untilEvent("town", "late", "MSH3001")
	if got := events("mended"); strings.Contains(got, fmt.Sprintf("%q", "mended")) && strings.Contains(got, "MSH") {
		t.Errorf("what was mended in time is told: %s", got)
	}
}
