package envoy_test

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// mixed is a service with an HTTP and a server-first port, in a mode.
func mixed(mode ir.Mode) *ir.Mesh {
	m := strictMesh()
	m.Settings.Mode = mode
	addService(m, "shop/books", httpPort(), tcpPort(ir.TCPServerFirst))
	addClients(m, "shop/buyer", "shop/thief")
	grant(m, "TrafficTarget/shop/books#rule0", "shop/books", []ir.Match{match("^(?:/books).*$", nil)}, "shop/buyer")
	grant(m, "TrafficTarget/shop/db#rule0", "shop/books", nil, "shop/buyer")
	for i := range m.Grants {
		g := &m.Grants[i]
		if len(g.HTTP) > 0 {
			g.Ports = []ir.PortID{portID("shop/books", 80)}
		} else {
			g.Ports = []ir.PortID{portID("shop/books", 3306)}
		}
	}
	return m
}

// serveMixed serves both ports: the application of the second is chosen by the
// chain, for the inbound cluster of these tests leads to one place.
func (w *world) serveMixed(app string) *proxy {
	if app == "http" {
		return w.serve("shop/books", httpApp(w.t, "books"))
	}
	return w.serve("shop/books", tcpApp(w.t, "db", "hello\n"))
}

func TestAuditLetsThroughAndNamesWhatIsMissing(t *testing.T) {
	w := newWorld(t, mixed(ir.Audit))
	books := w.serveMixed("http")
	buyer, thief := w.client("shop/buyer"), w.client("shop/thief")
	for _, p := range []*proxy{buyer, thief} {
		if got := p.call("shop/books", "GET", "/books/of/"+p.id.Short()); got.status != 200 {
			t.Errorf("%s was answered %d %q", p.id.Short(), got.status, got.body)
		}
	}
	line := books.logged("the granted call", func(m map[string]any) bool { return m["path"] == "/books/of/shop/buyer" })
	if line["policy"] != ir.ByAudit || line["shadow_result"] != "allowed" || line["shadow_policy"] != "TrafficTarget/shop/books#rule0" {
		t.Errorf("of a granted call audit says %v", line)
	}
	line = books.logged("the call without a grant", func(m map[string]any) bool { return m["path"] == "/books/of/shop/thief" })
	if line["policy"] != ir.ByAudit || line["shadow_result"] != "denied" || line["peer"] != string(account("shop/thief")) {
		t.Errorf("of a call without a grant audit says %v", line)
	}
	if stats := books.get("/stats?filter=shadow_denied"); !strings.Contains(stats, "shadow_denied: 1") {
		t.Errorf("calls without a grant are not counted: %s", stats)
	}
}

func TestAuditOfConnections(t *testing.T) {
	w := newWorld(t, mixed(ir.Audit))
	books := w.serveMixed("tcp")
	for _, c := range []struct{ who, chain, result string }{
		{"shop/buyer", "inbound/shop/books:3306/shop/buyer", "allowed"}, {"shop/thief", "inbound/shop/books:3306/any", "denied"},
	} {
		p := w.client(c.who)
		l := w.dial(p.vip("shop/books", 3306))
		if l.hear() != "hello" || l.say("x") != "db x" {
			t.Errorf("%s did not get through", c.who)
		}
		_ = l.Close()
		line := books.logged(c.chain, func(m map[string]any) bool { return m["chain"] == c.chain })
		if line["shadow_result"] != c.result {
			t.Errorf("%s: %v", c.who, line)
		}
	}
	line := books.logged("the lack of a grant", func(m map[string]any) bool { return m["shadow_result"] == "denied" })
	if line["policy"] != ir.ByAudit {
		t.Errorf("what lets it through is %v", line["policy"])
	}
}

func TestPermissiveTakesEveryIdentityAndNoStranger(t *testing.T) {
	w := newWorld(t, mixed(ir.Permissive))
	books := w.serveMixed("http")
	if got := w.client("shop/thief").call("shop/books", "GET", "/anything"); got.status != 200 {
		t.Errorf("an identity of the mesh was answered %d %q", got.status, got.body)
	}
	books.logged("what lets it through", func(m map[string]any) bool { return m["policy"] == ir.ByPermissive })
	c := w.dial(books.inbound[0])
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if got := c.everything(); got != "" {
		t.Errorf("a client without a certificate was told %q", got)
	}
	// A certificate of the same roots whose id is of no member of the mesh.
	conn, err := tls.Dial("tcp", books.inbound[0].String(), w.ca.dialConfig(t, "spiffe://elsewhere/ns/shop/sa/thief", "", "http/1.1"))
	must(t, err)
	l := w.line(conn)
	_, _ = io.WriteString(l, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got := l.everything(); got != "" {
		t.Errorf("an id of another trust domain was told %q", got)
	}
}

func TestPlaintextIsOpenBesideTheMesh(t *testing.T) {
	m := mixed(ir.Strict)
	m.Namespaces = []ir.Namespace{{Name: "shop", Mode: ir.Strict, PlaintextAllowed: true}}
	w := newWorld(t, m)
	books := w.serveMixed("http")
	got := w.request(books.inbound[0], "GET", "/x", "X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/shop/sa/buyer")
	if got.status != 200 || got.seen.Headers.Get("X-Forwarded-Client-Cert") != "" {
		t.Errorf("a plain client was answered %d, and taken for %q", got.status, got.seen.Headers.Get("X-Forwarded-Client-Cert"))
	}
	books.logged("what lets it in", func(m map[string]any) bool {
		return m["policy"] == ir.ByPlaintext && m["chain"] == "inbound/shop/books:80/plaintext"
	})
	if got := w.client("shop/buyer").call("shop/books", "GET", "/admin"); got.status != 403 {
		t.Errorf("with plaintext open a mesh client's grants stopped counting: %d", got.status)
	}
}

// A plain client of a server-first port waits for the TLS inspector to give up;
// its own TLS, inside which the application may speak first, passes too.
func TestPlaintextOfServerFirstPorts(t *testing.T) {
	for _, mode := range []ir.Mode{ir.Strict, ir.Permissive} {
		t.Run(string(mode), func(t *testing.T) {
			m := mixed(mode)
			m.Namespaces = []ir.Namespace{{Name: "shop", Mode: mode, PlaintextAllowed: true}}
			w := newWorld(t, m)
			books := w.serveMixed("tcp")
			plain := w.dial(books.inbound[1])
			if got := plain.hear(); got != "hello" {
				t.Errorf("a plain client read %q", got)
			}
			_ = plain.Close()
			hello := clientHello(t, "db.example")
			conn, err := net.Dial("tcp", books.inbound[1].String())
			must(t, err)
			l := w.line(conn)
			_, err = l.Write(append(hello, '\n'))
			must(t, err)
			if got := l.hear(); got != "hello" {
				t.Errorf("a client with TLS of its own read %q", got)
			}
			mesh := w.dial(w.client("shop/buyer").vip("shop/books", 3306))
			if got := mesh.hear(); got != "hello" {
				t.Errorf("a mesh client read %q", got)
			}
			_ = mesh.Close()
			books.logged("the mesh client", func(m map[string]any) bool { return m["peer"] == string(account("shop/buyer")) })
			books.logged("the plain ones", func(m map[string]any) bool { return m["policy"] == ir.ByPlaintext })
		})
	}
}

// clientHello is the first record of somebody's own TLS.
func clientHello(t *testing.T, name string) []byte {
	t.Helper()
	here, there := net.Pipe()
	go func() {
		_ = tls.Client(here, &tls.Config{ServerName: name, NextProtos: []string{"h2"}, InsecureSkipVerify: true}).Handshake()
	}()
	buf := make([]byte, 4096)
	n, err := there.Read(buf)
	must(t, err)
	_, _ = here.Close(), there.Close()
	return buf[:n]
}

func TestEgressFollowsTheSourcesNamespace(t *testing.T) {
	m := shop()
	m.Services = append(m.Services, ir.Service{ID: svcID("out/legacy"), Outside: true, Ports: []ir.Port{httpPort()}})
	m.Namespaces = []ir.Namespace{{Name: "free", Mode: ir.Strict, EgressAllowed: true}}
	addService(m, "shop/root", httpPort())
	addClients(m, "free/worker")
	grant(m, "TrafficTarget/shop/root#rule0", "shop/root", nil, "shop/buyer", "free/worker")
	addSplit(m, "shop/move", "shop/root", 80, nil, map[string]uint32{"out/legacy": 100, "shop/root": 0})
	w := newWorld(t, m)
	w.servers[portID("out/legacy", 80)] = httpApp(t, "legacy")
	worker, buyer := w.client("free/worker"), w.client("shop/buyer")

	got := worker.call("out/legacy", "GET", "/x")
	if got.status != 200 || got.seen.App != "legacy" {
		t.Errorf("a service outside the mesh answered %d %q to a namespace with egress", got.status, got.body)
	}
	if _, given := buyer.vips[portID("out/legacy", 80)]; given {
		t.Error("a namespace without egress is given a service outside the mesh")
	}
	if got := worker.call("shop/root", "GET", "/x"); got.seen.App != "legacy" {
		t.Errorf("a leaf outside the mesh answered %d %q", got.status, got.body)
	}
	if got := buyer.call("shop/root", "GET", "/x"); got.status != 403 || !strings.Contains(got.body, "no egress from the namespace of shop/buyer") {
		t.Errorf("a split led a namespace without egress out of the mesh: %d %q", got.status, got.body)
	}
	// No range is known here, so the chain that guards the mesh takes everything.
	if got := w.request(worker.unknown, "GET", "/x"); got.status != 403 {
		t.Errorf("egress is open although the mesh's own ranges are unknown: %d", got.status)
	}
}
