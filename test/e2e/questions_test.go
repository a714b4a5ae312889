//go:build e2e

package e2e

import (
	"slices"
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
		tcp("TCP", "web.shop:7000"),
		first("TCP, server first", "web.shop:3306"),
		tcp("StatefulSet, by its pod's name", "db-0.db.shop:5432"),
	},
	beyond: []load.Flow{
		get("HTTP beyond the grant", "web.shop:80", "/no"),
		{Name: "gRPC beyond the grant", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/Burn", Body: "x"}},
		tcp("TCP beyond the grant", "web.shop:7001"),
	},
	stranger: []load.Flow{
		get("HTTP by a stranger", "web.shop:80", "/ok"),
		{Name: "gRPC by a stranger", Request: caller.Request{Kind: caller.GRPC, Address: "web.shop:9000", Path: "/shop.Books/List", Body: "x"}},
		tcp("TCP by a stranger", "web.shop:7000"),
		first("server first by a stranger", "web.shop:3306"),
		tcp("StatefulSet by a stranger", "db-0.db.shop:5432"),
	},
}

func get(name, address, path string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Address: address, Method: "GET", Path: path, Headers: []ir.Header{{Name: "host", Value: address}}}}
}

func tcp(name, address string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Kind: caller.TCP, Address: address, Brief: true}}
}

func first(name, address string) load.Flow {
	return load.Flow{Name: name, Request: caller.Request{Kind: caller.ServerFirst, Address: address, Brief: true}}
}

func burst(f load.Flow) load.Flow {
	f.Burst = 20
	return f
}

// asking is what a pod of shop asks, and what must become of it.
type asking struct {
	pod              string // as kubectl exec names it
	reached, refused []load.Flow
}

// everybody asks all questions of a scenario.
func everybody() []asking {
	return []asking{{"deploy/client", asked.granted, asked.beyond}, {"deploy/stranger", nil, asked.stranger}}
}

// settled waits until everybody is answered as it must be.
func settled(t *testing.T) {
	t.Helper()
	arrive(t, everybody())
}

// steady asks everybody's questions meanwhile.
func steady(t *testing.T, breaks bool, meanwhile func(*testing.T)) {
	t.Helper()
	asks(t, breaks, everybody(), meanwhile)
}

// arrive waits until all questions are answered as they must be: pods may be ready
// before the policy that was applied with them is everywhere.
func arrive(t *testing.T, askers []asking) {
	t.Helper()
	until(t, "all is answered as it must be", func() bool {
		var going []*running
		for _, a := range askers {
			going = append(going, start(t, "shop", a.pod, slices.Concat(a.reached, a.refused)...))
		}
		time.Sleep(500 * time.Millisecond) // so many requests
		right := true
		for i, a := range askers {
			answers := going[i].end()
			for _, f := range a.reached {
				right = right && answers[f.Name].Sent > 0 && answers[f.Name].Reached == answers[f.Name].Sent
			}
			for _, f := range a.refused {
				right = right && answers[f.Name].Sent > 0 && answers[f.Name].Refused == answers[f.Name].Sent
			}
		}
		return right
	})
}

// asks asks all questions meanwhile. A break is what an application sees of a proxy
// that is gone: where one is expected, only decisions are judged.
func asks(t *testing.T, breaks bool, askers []asking, meanwhile func(*testing.T)) {
	t.Helper()
	var going []*running
	for _, a := range askers {
		going = append(going, start(t, "shop", a.pod, slices.Concat(a.reached, a.refused)...))
	}
	meanwhile(t)
	for i, a := range askers {
		answers := going[i].end()
		t.Logf("%s asked:", a.pod)
		for _, f := range a.reached {
			tolerate(t, f, answers[f.Name], "reached", breaks)
		}
		for _, f := range a.refused {
			tolerate(t, f, answers[f.Name], "refused", breaks)
		}
	}
}

func tolerate(t *testing.T, f load.Flow, tally load.Tally, kind string, breaks bool) {
	t.Helper()
	if !breaks {
		only(t, tally, kind)
		return
	}
	wrong := map[string]int{"reached": tally.Refused, "refused": tally.Reached}[kind]
	tcp := f.Request.Kind == caller.TCP || f.Request.Kind == caller.ServerFirst
	t.Logf("%-32s %5d requests: %5d reached, %5d refused, %d broken", tally.Name, tally.Sent, tally.Reached, tally.Refused, tally.Broken)
	// A TCP connection that a crash ends looks to its client like one that is refused.
	if tally.Sent == 0 || wrong > 0 && !(tcp && kind == "reached") {
		t.Errorf("%s: of %d requests %d were not %s: %v", tally.Name, tally.Sent, wrong, kind, tally.Examples)
	}
}
