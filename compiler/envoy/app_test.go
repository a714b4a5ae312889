package envoy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/coder/websocket"
)

// seen is what the application received, told back to the caller.
type seen struct {
	App     string      `json:"app"`
	Proto   string      `json:"proto"`
	Method  string      `json:"method"`
	URI     string      `json:"uri"`
	Host    string      `json:"host"`
	Headers http.Header `json:"headers"`
}

// httpApp answers HTTP/1.1, HTTP/2 without TLS and WebSocket, and says what it saw.
func httpApp(t *testing.T, name string) netip.AddrPort { return httpAppAt(t, name, "127.0.0.1:0") }

func httpAppAt(t *testing.T, name, address string) netip.AddrPort {
	t.Helper()
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "websocket" {
			echoWebSocket(w, r)
			return
		}
		w.Header().Set("Server", "the-app")
		_ = json.NewEncoder(w).Encode(seen{name, r.Proto, r.Method, r.RequestURI, r.Host, r.Header})
	})
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: protocols}
	l, err := net.Listen("tcp", address)
	must(t, err)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return netip.MustParseAddrPort(l.Addr().String())
}

func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = c.CloseNow() }()
	kind, data, err := c.Read(r.Context())
	if err == nil {
		_ = c.Write(r.Context(), kind, append([]byte("echo "), data...))
	}
}

// tcpApp shows a banner if it has one, then echoes lines with its name.
func tcpApp(t *testing.T, name, banner string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = io.WriteString(c, banner)
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					_, _ = fmt.Fprintf(c, "%s %s\n", name, lines.Text())
				}
			}()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}
