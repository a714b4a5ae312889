package envoy_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/meshc/meshc/compiler/ir"
)

func tcpPort(protocol ir.Protocol) ir.Port {
	return ir.Port{Number: 3306, Name: "db", Protocol: protocol, TargetPort: 3306}
}

// line is a conversation over raw bytes.
type line struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (w *world) dial(at netip.AddrPort) *line {
	w.t.Helper()
	c, err := net.Dial("tcp", at.String())
	must(w.t, err)
	return w.line(c)
}

func (w *world) line(c net.Conn) *line {
	w.t.Cleanup(func() { _ = c.Close() })
	must(w.t, c.SetDeadline(time.Now().Add(time.Minute)))
	return &line{w.t, c, bufio.NewReader(c)}
}

// say sends a line and returns the answer.
func (l *line) say(s string) string {
	l.t.Helper()
	if _, err := fmt.Fprintln(l, s); err != nil {
		return "closed"
	}
	return l.hear()
}

// hear returns the next line, or "closed".
func (l *line) hear() string {
	l.t.Helper()
	s, err := l.r.ReadString('\n')
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Fatal("neither an answer nor a close")
	}
	if err != nil {
		return "closed"
	}
	return s[:len(s)-1]
}

// everything reads until the other side closes.
func (l *line) everything() string {
	l.t.Helper()
	b, err := io.ReadAll(l.r)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		l.t.Fatal("not closed")
	}
	return string(b)
}

func TestTCPIsOpenToTheGrantedIdentityAlone(t *testing.T) {
	m := strictMesh()
	addService(m, "db/mysql", tcpPort(ir.TCPServerFirst))
	addClients(m, "shop/app", "shop/thief")
	grant(m, "TrafficTarget/db/mysql#rule0", "db/mysql", nil, "shop/app")
	w := newWorld(t, m)
	db := w.serve("db/mysql", tcpApp(t, "mysql", "hello\n"))
	app := w.client("shop/app")

	c := w.dial(app.vips[portID("db/mysql", 3306)])
	if got := c.hear(); got != "hello" {
		t.Fatalf("a granted client of a server-first port got %q", got)
	}
	if got := c.say("select"); got != "mysql select" {
		t.Fatalf("got %q", got)
	}
	_ = c.Close()
	entry := db.logged("the port", func(m map[string]any) bool { return m["port"] == "db/mysql:3306" })
	if entry["policy"] != "TrafficTarget/db/mysql#rule0" || entry["peer"] != string(account("shop/app")) || entry["chain"] != "inbound/db/mysql:3306/shop/app" || entry["tls_error"] != nil {
		t.Errorf("the access log names another connection: %v", entry)
	}
	app.logged("the call", func(m map[string]any) bool { return m["side"] == "outbound" && m["cluster"] == "db/mysql:3306" })

	// The thief holds a good certificate of the mesh and dials past its own proxy.
	for name, sni := range map[string]string{"its own SNI": account("shop/thief").SNI(), "the app's SNI": account("shop/app").SNI()} {
		conn, err := net.Dial("tcp", db.inbound[0].String())
		must(t, err)
		thief := w.line(tls.Client(conn, w.ca.dialConfig(t, account("shop/thief"), sni)))
		if got := thief.everything(); got != "" {
			t.Errorf("with %s the thief read %q", name, got)
		}
	}
	plain := w.dial(db.inbound[0])
	if got := plain.say("x"); got != "closed" {
		t.Errorf("a client without a certificate read %q", got)
	}
	db.logged("the thief under its own name", func(m map[string]any) bool {
		return m["chain"] == "inbound/denied" && m["sni"] == account("shop/thief").SNI()
	})
	db.logged("the thief under the app's", func(m map[string]any) bool {
		why, _ := m["tls_error"].(string)
		return strings.Contains(why, string(account("shop/thief")))
	})
}
