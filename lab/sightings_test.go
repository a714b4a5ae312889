package lab

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// The call that flushes a proxy's log may leave from a port that a measured
// connection had used: the connection must keep its own entry, or a share of a
// split goes to nobody now and then.
func TestConnectionKeepsItsEntryWhenTheBarrierReusesItsPort(t *testing.T) {
	client := &Pod{Namespace: "apps", Name: "orders-0", Meshed: true}
	server := &Pod{Namespace: "data", Name: "cache-0", Meshed: true}
	entries := []Entry{
		{Kind: "tcp", Side: "outbound", Pod: client.ID(), From: "10.0.0.2:40000", Cluster: "data/cache-v6:6379", BytesOut: 4},
		{Kind: "tcp", Side: "inbound", Pod: server.ID(), Upstream: "10.0.0.3:6379", BytesOut: 4},
		{Kind: "http", Side: "outbound", Pod: client.ID(), From: "10.0.0.2:40000"},
	}
	got := connections([]caller.Result{{Local: "10.0.0.2:40000", Body: "pong"}}, entries, client, []*Pod{server})
	if want := (ir.ServiceID{Namespace: "data", Name: "cache-v6"}); got[0].Leaf != want || !got[0].Reached {
		t.Errorf("the connection went to %v, reached %v", got[0].Leaf, got[0].Reached)
	}
}

// The kernel may give a redirected connection another port than the client's own:
// its share must not go to nobody.
func TestConnectionIsFoundUnderAnotherPort(t *testing.T) {
	client := &Pod{Namespace: "apps", Name: "orders-0", Meshed: true}
	server := &Pod{Namespace: "data", Name: "cache-0", Meshed: true}
	entries := []Entry{
		{Kind: "tcp", Side: "outbound", Pod: client.ID(), From: "10.0.0.2:1025", Cluster: "data/v1:6379", BytesOut: 4},
		{Kind: "tcp", Side: "inbound", Pod: server.ID(), Upstream: "10.0.0.3:6379", BytesOut: 4},
	}
	got := connections([]caller.Result{{Local: "10.0.0.2:40000", Body: "pong"}}, entries, client, []*Pod{server})
	if got[0].Leaf.Name != "v1" || !got[0].Reached {
		t.Errorf("got %+v", got)
	}
}

// Of two connections from one port, one refused, each keeps its own leaf.
func TestConnectionsOfOnePortAreToldApart(t *testing.T) {
	client := &Pod{Namespace: "apps", Name: "orders-0", Meshed: true}
	server := &Pod{Namespace: "data", Name: "cache-0", Meshed: true}
	out := Entry{Kind: "tcp", Side: "outbound", Pod: client.ID(), From: "10.0.0.2:40000"}
	passed, refused := out, out
	passed.Cluster, passed.BytesOut, refused.Cluster = "data/v1:6379", 4, "data/v2:6379"
	entries := []Entry{passed, {Kind: "tcp", Side: "inbound", Pod: server.ID(), Upstream: "10.0.0.3:6379", BytesOut: 4}, refused}
	got := connections([]caller.Result{{Local: out.From, Body: "pong"}, {Local: out.From, Error: "reset"}}, entries, client, []*Pod{server})
	if got[0].Leaf.Name != "v1" || !got[0].Reached || got[1].Leaf.Name != "v2" || got[1].Reached {
		t.Errorf("got %+v", got)
	}
}
