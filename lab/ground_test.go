package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// shop is a service `web` of two pods, a headless `db` that speaks first, and a client.
func shop() *ir.Inventory {
	web, db := ir.ServiceID{Namespace: "shop", Name: "web"}, ir.ServiceID{Namespace: "shop", Name: "db"}
	return &ir.Inventory{
		Services: []ir.InventoryService{
			{ID: db, Headless: true, Ports: []ir.Port{{Number: 3306, Protocol: ir.TCPServerFirst, TargetPort: 3306}}},
			{ID: web, Ports: []ir.Port{{Number: 80, Protocol: ir.HTTP, TargetPort: 8080}}},
		},
		Workloads: []ir.InventoryWorkload{
			{Kind: "Deployment", Namespace: "shop", Name: "client", Replicas: 1, Identity: ir.NewIdentity("cluster.local", "shop", "client")},
			{Kind: "StatefulSet", Namespace: "shop", Name: "db", Replicas: 1, Services: []ir.ServiceID{db}, Governing: db,
				Identity: ir.NewIdentity("cluster.local", "shop", "db"), TargetPorts: map[ir.PortID]uint16{{Service: db, Port: 3306}: 3306}},
			{Kind: "Deployment", Namespace: "shop", Name: "web", Replicas: 2, Services: []ir.ServiceID{web},
				Identity: ir.NewIdentity("cluster.local", "shop", "web"), TargetPorts: map[ir.PortID]uint16{{Service: web, Port: 80}: 8080}},
		},
	}
}

// runtimeDir is short enough for the paths of unix sockets.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lab")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestPlainClusterNetwork: without any mesh, pods reach services as they do in a
// cluster, by every form of their names and in both families.
func TestPlainClusterNetwork(t *testing.T) {
	if testing.Short() {
		t.Skip("makes network namespaces")
	}
	g, err := newGround(runtimeDir(t), "cluster.local", os.Getuid() != 0, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer g.close()
	top, err := topology(shop(), nil, newPools(g.box.IPv6))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range top.Pods {
		if err := g.add(p); err != nil {
			t.Fatal(err)
		}
		if err := g.serve(p); err != nil {
			t.Fatal(err)
		}
	}
	g.names.Set(top.names("cluster.local"))
	if err := g.balance(context.Background(), top.nat()); err != nil {
		t.Fatal(err)
	}
	requests := map[string]caller.Request{
		"short name":        {Address: "web:80"},
		"name.namespace":    {Address: "web.shop:80"},
		"full name":         {Address: "web.shop.svc.cluster.local:80"},
		"IPv4":              {Address: "web:80", Family: "4"},
		"IPv6":              {Address: "web:80", Family: "6"},
		"HTTP/2":            {Address: "web:80", Kind: caller.HTTP2},
		"gRPC":              {Address: "web:80", Kind: caller.GRPC, Path: "/echo.Echo/Say", Body: "hello"},
		"WebSocket":         {Address: "web:80", Kind: caller.WebSocket, Path: "/chat", Body: "hello"},
		"headless":          {Address: "db:3306", Kind: caller.ServerFirst},
		"pod name":          {Address: "db-0.db:3306", Kind: caller.ServerFirst},
		"pod name, IPv6":    {Address: "db-0.db.shop:3306", Kind: caller.ServerFirst, Family: "6"},
		"client speaks tcp": {Address: "db:3306", Kind: caller.TCP, Body: "hello\n"},
	}
	for name, r := range requests {
		r.Timeout = 5 * time.Second
		results, err := g.send("shop/client-0", caller.Batch{Requests: []caller.Request{r}})
		if err != nil {
			t.Fatal(err)
		}
		got := results[0]
		want := "web-"
		switch {
		case strings.HasPrefix(r.Address, "db"):
			want = "db-0 of shop/db (shop/db)"
		case r.Kind == caller.GRPC || r.Kind == caller.WebSocket:
			want = "hello"
		}
		if got.Error != "" || !strings.Contains(got.Body, want) {
			t.Errorf("%s: the client cannot use the service: %+v", name, got)
		}
	}
	results, err := g.send("shop/client-0", caller.Batch{Parallel: 4, Requests: make([]caller.Request, 200)[:0]})
	if err != nil || len(results) != 0 {
		t.Errorf("an empty batch: %v, %v", results, err)
	}
	byPod := map[string]int{}
	for range 60 {
		results, err := g.send("shop/client-0", caller.Batch{Requests: []caller.Request{{Address: "web:80"}}})
		if err != nil {
			t.Fatal(err)
		}
		byPod[results[0].Headers["X-Echo-Pod"][0]]++
	}
	if byPod["web-0"] == 0 || byPod["web-1"] == 0 {
		t.Errorf("the virtual address does not share connections out: %v", byPod)
	}
}
