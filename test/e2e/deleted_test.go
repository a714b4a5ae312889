//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/hold"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// rival is another account's grant for a port that the client was granted, too; rest is
// a grant that the client keeps, for a route that it does not use here.
const rival = `
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: rival, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: TCPRoute, name: web}]
  sources: [{kind: ServiceAccount, name: db, namespace: shop}]
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: rest, namespace: shop}
spec: {matches: [{name: rest, pathRegex: /rest$, methods: [GET]}]}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: rest, namespace: shop}
spec:
  destination: {kind: ServiceAccount, name: web, namespace: shop}
  rules: [{kind: HTTPRouteGroup, name: rest}]
  sources: [{kind: ServiceAccount, name: client, namespace: shop}]
`

// Targets are deleted while their connections are open: every new request and connection
// is refused; a kept connection of HTTP is one on which requests are refused; an open one
// of TCP is closed within tcpDrain; an open WebSocket is a request that was allowed, and
// lives on until its account has no grant for the port any more; another account's
// connections are left alone.
func deleted(t *testing.T) {
	kubectl(t, rival, "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, rival, "delete", "--ignore-not-found", "-f", "-") })
	raw := tcp("TCP", "web.shop:7000")
	arrive(t, []asking{{"pod/db-0", []load.Flow{raw}, nil}, {"deploy/client", []load.Flow{get("the rest", "web.shop:80", "/rest")}, nil}})

	open := begin(t, "shop", "deploy/client", "hold", []hold.Connection{{Name: "TCP", Kind: caller.TCP, Address: "web.shop:7000"}})
	stream := begin(t, "shop", "deploy/client", "hold", []hold.Connection{{Name: "WebSocket", Kind: caller.WebSocket, Address: "web.shop:80", Path: "/ok"}})
	kept := begin(t, "shop", "deploy/client", "hold", []hold.Connection{{Name: "HTTP", Kind: caller.HTTP1, Address: "web.shop:80", Path: "/ok"}})
	other := begin(t, "shop", "pod/db-0", "hold", []hold.Connection{{Name: "another account's TCP", Kind: caller.TCP, Address: "web.shop:7000"}})
	fresh := start(t, "shop", "deploy/client", asked.granted...)
	time.Sleep(3 * time.Second) // so long they are used
	kubectl(t, "", "-n", "shop", "delete", "traffictarget", "web-http", "web-tcp")
	at := time.Now()
	restored := func() { kubectl(t, "", "apply", "-f", filepath.Join("testdata", "shop.yaml")) }
	t.Cleanup(restored)

	turned(t, last(open, false), at, "reached closed")
	asks(t, false, []asking{{"deploy/client", nil, withdrawn()}, {"pod/db-0", []load.Flow{raw}, nil}}, func(*testing.T) {
		time.Sleep(5 * time.Second) // so long nothing gets through
	})
	answers := fresh.end()
	for _, f := range withdrawn() {
		tally := answers[f.Name]
		turned(t, hold.Report{Name: "new: " + f.Name, Uses: tally.Sent, Turns: tally.Turns}, at, "reached refused")
	}
	turned(t, last(kept, true), at, "reached refused")
	kubectl(t, "", "-n", "shop", "delete", "traffictarget", "rest")
	gone := time.Now()
	t.Logf("the last grant goes %.2f s after the deletion", gone.Sub(at).Seconds())
	socket := last(stream, false)
	turned(t, socket, at, "reached closed")
	if end := socket.Turns[len(socket.Turns)-1].At; end.Before(gone) {
		t.Errorf("the WebSocket ended %s before its account's last grant for the port", gone.Sub(end))
	}
	turned(t, last(other, true), at, "reached")
	restored()
	settled(t)
}

// last is what a connection saw, once it has ended by itself or is ended.
func last(r *running, end bool) hold.Report {
	var reports []hold.Report
	if end {
		r.stopped(&reports)
	} else {
		r.done(&reports)
	}
	return reports[0]
}

// withdrawn are the questions that the deleted targets had granted.
func withdrawn() (flows []load.Flow) {
	for _, f := range asked.granted {
		if !strings.HasPrefix(f.Request.Address, "db") {
			flows = append(flows, f)
		}
	}
	return flows
}

// turned holds how a connection was answered in turn, and prints when it was answered
// otherwise than before.
func turned(t *testing.T, r hold.Report, at time.Time, want string) {
	t.Helper()
	var kinds []string
	var when time.Duration
	for _, turn := range r.Turns {
		kinds = append(kinds, turn.Kind)
		when = turn.At.Sub(at)
	}
	got := strings.Join(kinds, " ")
	t.Logf("%-36s used %4d times: %s, the last from %.2f s after the deletion on", r.Name, r.Uses, got, when.Seconds())
	if got != want {
		t.Errorf("%s: answered %s in turn, want %s: %s", r.Name, got, want, r.Error)
	}
}
