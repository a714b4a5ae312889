//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
	"github.com/meshc/meshc/test/cluster/app/load"
)

// asked are the questions of a scenario: by an account that was granted them, by the
// same account beyond its grants, and by one that was granted nothing.
var asked = struct{ granted, beyond, stranger []load.Flow }{
	granted: []load.Flow{
		get("HTTP", "web.shop:80", "/ok"),
		burst(get("HTTP, kept connection", "web.shop:80", "/ok")),
		get("second service of the pods", "front.shop:8080", "/ok"),
		{Name: "gRPC", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/List", Body: "x"}},
		{Name: "WebSocket", Request: caller.Request{Kind: caller.WebSocket, Address: "web.shop:80", Path: "/ok", Body: "x"}},
		{Name: "TCP", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7000", Brief: true}},
		{Name: "TCP, server first", Request: caller.Request{Kind: caller.ServerFirst, Address: "web.shop:3306", Brief: true}},
		{Name: "StatefulSet, by its pod's name", Request: caller.Request{Kind: caller.TCP, Address: "db-0.db.shop:5432", Brief: true}},
	},
	beyond: []load.Flow{
		get("HTTP beyond the grant", "web.shop:80", "/no"),
		{Name: "gRPC beyond the grant", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/Burn", Body: "x"}},
		{Name: "TCP beyond the grant", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7001", Brief: true}},
	},
	stranger: []load.Flow{
		get("HTTP by a stranger", "web.shop:80", "/ok"),
		{Name: "gRPC by a stranger", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/List", Body: "x"}},
		{Name: "TCP by a stranger", Request: caller.Request{Kind: caller.TCP, Address: "web.shop:7000", Brief: true}},
		{Name: "server first by a stranger", Request: caller.Request{Kind: caller.ServerFirst, Address: "web.shop:3306", Brief: true}},
		{Name: "StatefulSet by a stranger", Request: caller.Request{Kind: caller.TCP, Address: "db-0.db.shop:5432", Brief: true}},
	},
}

func get(name, address, path string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Address: address, Method: "GET", Path: path, Headers: []ir.Header{{Name: "host", Value: address}}}}
}

func burst(f load.Flow) load.Flow {
	f.Burst = 20
	return f
}

// settled waits until the first granted question of each kind is answered: pods may be
// ready before the policy that was applied with them is everywhere.
func settled(t *testing.T) {
	t.Helper()
	until(t, "what was granted is allowed", func() bool {
		going := start(t, "shop", "deploy/client", asked.granted...)
		time.Sleep(500 * time.Millisecond) // so many requests
		for _, tally := range going.end() {
			if tally.Sent == 0 || tally.Reached != tally.Sent {
				return false
			}
		}
		return true
	})
}

// steady asks all questions meanwhile. A break is what an application sees of a proxy
// that is gone: where one is expected, only decisions are judged.
func steady(t *testing.T, breaks bool, meanwhile func(*testing.T)) {
	client := start(t, "shop", "deploy/client", append(asked.granted[:len(asked.granted):len(asked.granted)], asked.beyond...)...)
	stranger := start(t, "shop", "deploy/stranger", asked.stranger...)
	meanwhile(t)
	answers, others := client.end(), stranger.end()
	for _, f := range asked.granted {
		tolerate(t, answers[f.Name], "reached", breaks)
	}
	for _, f := range asked.beyond {
		tolerate(t, answers[f.Name], "refused", breaks)
	}
	for _, f := range asked.stranger {
		tolerate(t, others[f.Name], "refused", breaks)
	}
}

func tolerate(t *testing.T, tally load.Tally, kind string, breaks bool) {
	t.Helper()
	if !breaks {
		only(t, tally, kind)
		return
	}
	wrong := map[string]int{"reached": tally.Refused, "refused": tally.Reached}[kind]
	tcp := strings.Contains(tally.Name, "TCP") || strings.Contains(tally.Name, "server first") || strings.Contains(tally.Name, "StatefulSet")
	t.Logf("%-32s %5d requests: %5d reached, %5d refused, %d broken", tally.Name, tally.Sent, tally.Reached, tally.Refused, tally.Broken)
	// A TCP connection that a crash ends looks to its client like one that is refused.
	if tally.Sent == 0 || wrong > 0 && !(tcp && kind == "reached") {
		t.Errorf("%s: of %d requests %d were not %s: %v", tally.Name, tally.Sent, wrong, kind, tally.Examples)
	}
}
