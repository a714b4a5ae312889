//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/meshc/meshc/test/cluster/app/load"
)

// modes makes the mesh permissive and strict again: what was granted is allowed all the
// while, and who was granted nothing is refused whenever the mesh is strict.
func modes(t *testing.T) {
	client := start(t, "shop", "deploy/client", asked.granted...)
	for range 2 {
		phase(t, "permissive", "reached")
		phase(t, "strict", "refused")
	}
	for _, tally := range client.end() {
		only(t, tally, "reached")
	}
}

// phase sets the mesh's mode and holds what a stranger then meets.
func phase(t *testing.T, mode, kind string) {
	t.Helper()
	kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"mode": "`+mode+`"}}`)
	arrived(t, "shop", "deploy/stranger", asked.stranger[0], kind)
	going := start(t, "shop", "deploy/stranger", asked.stranger...)
	time.Sleep(5 * time.Second) // so long requests go on
	for _, tally := range going.end() {
		only(t, tally, kind)
	}
}

// arrived waits until a question is answered as it should be.
func arrived(t *testing.T, ns, target string, f load.Flow, kind string) {
	t.Helper()
	until(t, f.Name+" is "+kind, func() bool {
		going := start(t, ns, target, f)
		time.Sleep(200 * time.Millisecond) // a few requests
		tally := going.end()[f.Name]
		return tally.Sent > 0 && map[string]int{"reached": tally.Reached, "refused": tally.Refused}[kind] == tally.Sent
	})
}

// egress opens the mesh to the outside and closes it: a server on this machine, by name
// and by address.
func egress(t *testing.T) {
	ours(t)
	outside(t)
	flows := []load.Flow{get("outside, by name", "outside.example:8000", "/"), get("outside, by address", "10.250.0.1:8000", "/")}
	for range 2 {
		for _, phase := range []struct {
			word string
			open bool
		}{{"deny", false}, {"allow", true}, {"deny", false}} {
			kubectl(t, "", "patch", "mesh", "mesh", "--type=merge", "-p", `{"spec": {"egress": "`+phase.word+`"}}`)
			until(t, "egress is "+phase.word, func() bool { return outsideIs(t, flows, phase.open, false) })
			if !outsideIs(t, flows, phase.open, true) {
				t.Errorf("egress %s does not hold", phase.word)
			}
		}
	}
}

// outside is a server on this machine, outside of the mesh, until the test ends.
func outside(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "10.250.0.1:8000")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "outside") })}
	go func() { _ = server.Serve(l) }() // until it is closed
	t.Cleanup(func() { server.Close() })
}

// outsideIs asks outside for a while, and tells whether all answers were so.
func outsideIs(t *testing.T, flows []load.Flow, open, figures bool) bool {
	t.Helper()
	going := start(t, "shop", "deploy/client", flows...)
	wait := 300 * time.Millisecond
	if figures {
		wait = 3 * time.Second
	}
	time.Sleep(wait) // so long requests go on
	ok := true
	for name, tally := range going.end() {
		if figures {
			t.Logf("%-28s %5d requests: %5d reached, %5d refused or cut", name, tally.Sent, tally.Reached, tally.Refused+tally.Broken)
		}
		ok = ok && tally.Sent > 0 && (open && tally.Reached == tally.Sent || !open && tally.Reached == 0)
	}
	return ok
}
