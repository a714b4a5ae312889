package envoy_test

import (
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// change gives a running server's proxy the plan of a changed mesh.
func (w *world) change(p *proxy, m *ir.Mesh, service string) {
	w.t.Helper()
	w.plan = lower(w.t, m)
	for _, role := range w.plan.Roles {
		if role.Identity == account(service) {
			w.set(p, bindInbound(w, p, role, p.app))
		}
	}
}

// stat is one counter of the proxy.
func (p *proxy) stat(name string) string { return p.get("/stats?filter=" + name + "$") }

func database(clients ...string) *ir.Mesh {
	m := strictMesh()
	addService(m, "db/mysql", tcpPort(ir.TCP))
	addClients(m, "shop/a", "shop/b", "shop/c")
	for _, c := range clients {
		grant(m, "TrafficTarget/db/"+c[len("shop/"):]+"#rule0", "db/mysql", nil, c)
	}
	return m
}

// Row 31 for TCP: a new grant touches nothing, a removed one closes the connections
// of its client and nobody else's.
func TestRow31TCPGrantsChangeWithoutCuttingOthers(t *testing.T) {
	w := newWorld(t, database("shop/a", "shop/b"))
	db := w.serve("db/mysql", tcpApp(t, "mysql", ""))
	a, b := w.client("shop/a"), w.client("shop/b")
	la, lb := w.dial(a.vip("db/mysql", 3306)), w.dial(b.vip("db/mysql", 3306))
	if la.say("1") != "mysql 1" || lb.say("1") != "mysql 1" {
		t.Fatal("granted clients do not get through")
	}

	more := database("shop/a", "shop/b", "shop/c")
	grant(more, "TrafficTarget/db/again#rule0", "db/mysql", nil, "shop/a") // a second grant of the same
	w.change(db, more, "db/mysql")
	c := w.client("shop/c")
	eventually(t, "the new grant to hold", func() bool { return w.dial(c.vip("db/mysql", 3306)).say("1") == "mysql 1" })
	if la.say("2") != "mysql 2" || lb.say("2") != "mysql 2" {
		t.Error("a new grant cut open connections")
	}

	w.change(db, database("shop/a"), "db/mysql")
	if got := lb.hear(); got != "closed" { // within the drain time, which is 1 s here
		t.Errorf("a removed grant left the connection open: %q", got)
	}
	if got := la.say("3"); got != "mysql 3" {
		t.Errorf("another client's connection was cut: %q", got)
	}
	if got := w.dial(b.vip("db/mysql", 3306)).say("1"); got != "closed" {
		t.Errorf("a client without a grant was told %q", got)
	}
	if inPlace, all := db.stat("listener_in_place_updated"), db.stat("listener_modified"); inPlace != "listener_manager.listener_in_place_updated: 2\n" || all != "listener_manager.listener_modified: 2\n" {
		t.Errorf("a change of grants drained the listener: %s%s", inPlace, all)
	}
}

// Row 31 for HTTP: a change holds from the next request, and no listener drains.
func TestRow31HTTPGrantsChangeFromTheNextRequest(t *testing.T) {
	w := newWorld(t, shop())
	books := w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	if got := buyer.call("shop/books", "GET", "/books"); got.status != 200 {
		t.Fatalf("answered %d", got.status)
	}
	before := books.stat("listener_manager.listener_in_place_updated")
	less := shop()
	less.Grants[0].HTTP = []ir.Match{match("^(?:/other).*$", nil)}
	w.change(books, less, "shop/books")
	eventually(t, "the grant to be gone", func() bool { return buyer.call("shop/books", "GET", "/books").status == 403 })
	if got := buyer.call("shop/books", "GET", "/other"); got.status != 200 {
		t.Errorf("the new grant was answered %d", got.status)
	}
	if after := books.stat("listener_manager.listener_in_place_updated"); after != before {
		t.Errorf("an HTTP grant changed the listener: %s", after)
	}
}
