package envoy_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/meshc/meshc/compiler/ir"
)

// answer is what a client of a proxy got.
type answer struct {
	status int
	header http.Header
	body   string
	seen   seen // when the application answered
}

// vip is where a client's proxy takes calls to a service port.
func (p *proxy) vip(svc string, port uint16) netip.AddrPort {
	p.w.t.Helper()
	at, ok := p.vips[portID(svc, port)]
	if !ok {
		p.w.t.Fatalf("%s is not given %s:%d", p.id.Short(), svc, port)
	}
	return at
}

// call sends a request to port 80 of a service exactly as it is written.
func (p *proxy) call(svc, method, path string, headers ...string) answer {
	p.w.t.Helper()
	return p.w.request(p.vip(svc, 80), method, path, headers...)
}

func (w *world) request(at netip.AddrPort, method, path string, headers ...string) answer {
	w.t.Helper()
	c := w.dial(at)
	defer func() { _ = c.Close() }()
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: shop.example", "Connection: close"}, headers...)
	_, err := io.WriteString(c, strings.Join(lines, "\r\n")+"\r\n\r\n")
	must(w.t, err)
	return w.answered(c.r, method)
}

func (w *world) answered(r *bufio.Reader, method string) answer {
	w.t.Helper()
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("%s: no answer: %v", method, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.seen)
	return a
}

func httpPort() ir.Port {
	return ir.Port{Number: 80, Name: "http", Protocol: ir.HTTP, TargetPort: 8080}
}

func match(path string, methods []string, headers ...ir.HeaderMatch) ir.Match {
	return ir.Match{Name: "HTTPRouteGroup/shop/r#m", Path: path, Methods: methods, Headers: headers}
}

// shop is one service that a buyer may read, and a thief may not.
func shop() *ir.Mesh {
	m := strictMesh()
	addService(m, "shop/books", httpPort())
	addClients(m, "shop/buyer", "shop/thief")
	grant(m, "TrafficTarget/shop/books#rule0", "shop/books", []ir.Match{match("^(?:/books).*$", []string{"GET", "HEAD"})}, "shop/buyer")
	return m
}

func TestHTTPDenialsExplainThemselves(t *testing.T) {
	w := newWorld(t, shop())
	books := w.serve("shop/books", httpApp(t, "books"))
	buyer, thief := w.client("shop/buyer"), w.client("shop/thief")

	if got := buyer.call("shop/books", "GET", "/books?page=1"); got.status != 200 || got.seen.App != "books" || got.seen.URI != "/books?page=1" {
		t.Errorf("a granted call was answered %d %q", got.status, got.body)
	}
	line := books.logged("the grant", func(m map[string]any) bool { return m["policy"] == "TrafficTarget/shop/books#rule0" })
	if line["peer"] != string(account("shop/buyer")) || line["port"] != "shop/books:80" || line["status"] != 200.0 || line["chain"] != "inbound/shop/books:80" {
		t.Errorf("the access log names another request: %v", line)
	}

	got := buyer.call("shop/books", "POST", "/books?secret=1")
	buyerID := string(account("shop/buyer"))
	want := "no grant lets " + buyerID + " call POST /books on shop/books:80; to see why: meshc can " + buyerID + " shop/books:80 POST /books"
	if got.status != 403 || got.body != want || got.header.Get("x-meshc-denied-by") != want {
		t.Errorf("a method without a grant was answered %d %q %v, want 403 %q", got.status, got.body, got.header, want)
	}
	books.logged("the refusal", func(m map[string]any) bool {
		return m["status"] == 403.0 && m["policy"] == nil && m["method"] == "POST"
	})

	if _, given := thief.vips[portID("shop/books", 80)]; given {
		t.Error("an identity without a grant is given the service's listener")
	}
	got = w.request(thief.unknown, "GET", "/books")
	want = fmt.Sprintf("no grant from shop/thief to %s", thief.unknown)
	if got.status != 403 || got.body != want || got.header.Get("x-meshc-denied-by") != want {
		t.Errorf("an address that is not granted was answered %d %q %v, want 403 %q", got.status, got.body, got.header, want)
	}
}

func TestDenialsAreSilentWhenTurnedOff(t *testing.T) {
	m := shop()
	m.Settings.DenialBody, m.Settings.DenialHeader = false, false
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	for _, got := range []answer{buyer.call("shop/books", "POST", "/books"), w.request(buyer.unknown, "GET", "/")} {
		if got.status != 403 || got.body != "" || got.header.Get("x-meshc-denied-by") != "" {
			t.Errorf("a silent denial said %d %q %v", got.status, got.body, got.header)
		}
	}
}

func TestPathsAreNormalisedBeforeTheyAreJudged(t *testing.T) {
	m := shop()
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	for path, status := range map[string]int{
		"/books/../admin":       403,
		"/books/%2e%2e/admin":   403,
		"/%62ooks":              200,
		"//books":               200,
		"/admin/..//books":      200,
		"/books%2f..%2fadmin":   400,
		"/books%5C..%5Cadmin":   400,
		"/admin?x=/books":       403,
		"/books;x=1":            200,
		"/Books":                403,
		"/books#/../admin":      400,
		"/admin#/../../books":   400,
		"http://x/books":        200,
		"http://x/admin?/books": 403,
	} {
		if got := buyer.call("shop/books", "GET", path); got.status != status {
			t.Errorf("GET %s was answered %d %q, want %d", path, got.status, got.body, status)
		}
	}
	// The client's proxy normalises by itself and would hide a fault of the
	// server's: dial the server as the buyer's proxy does, without it.
	for path, status := range map[string]int{"/books/../admin": 403, "//books": 200, "/books%2f..%2fadmin": 400} {
		if got := w.requestAs("shop/buyer", portID("shop/books", 80), "GET", path); got.status != status {
			t.Errorf("past the client's proxy GET %s was answered %d, want %d", path, got.status, status)
		}
	}
}

func TestGrantsOfOneDestinationAreAUnion(t *testing.T) {
	m := strictMesh()
	addService(m, "shop/books", httpPort())
	addClients(m, "shop/a", "shop/b")
	grant(m, "TrafficTarget/shop/a#rule0", "shop/books", []ir.Match{match("^(?:/api).*$", []string{"GET"})}, "shop/a")
	grant(m, "TrafficTarget/shop/b#rule0", "shop/books", []ir.Match{match("^(?:/api/v1).*$", []string{"GET"}), match("^(?:/api).*$", []string{"PUT"})}, "shop/b")
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	a, b := w.client("shop/a"), w.client("shop/b")
	for _, c := range []struct {
		who          *proxy
		method, path string
		status       int
	}{
		{a, "GET", "/api/v1/x", 200}, {a, "GET", "/api", 200}, {a, "PUT", "/api", 403},
		{b, "GET", "/api/v1/x", 200}, {b, "GET", "/api", 403}, {b, "PUT", "/api/v1", 200},
	} {
		if got := c.who.call("shop/books", c.method, c.path); got.status != c.status {
			t.Errorf("%s %s %s was answered %d, want %d: sources of one grant and rules of another must not mix, overlapping paths must not hide each other",
				c.who.id.Short(), c.method, c.path, got.status, c.status)
		}
	}
}

func TestHeadersAreSearchedLineByLine(t *testing.T) {
	m := strictMesh()
	addService(m, "shop/books", httpPort())
	addClients(m, "shop/buyer")
	for path, h := range map[string]ir.HeaderMatch{
		"/part":   {Name: "x-role", Regex: "adm"},
		"/whole":  {Name: "x-role", Regex: "^admin$"},
		"/choice": {Name: "x-role", Regex: "^a|z$"},
		"/full":   {Name: "x-role", Regex: "adm", Full: true},
		"/host":   {Name: ":authority", Regex: "^shop\\."},
		"/empty":  {Name: "x-role", Regex: ""},
	} {
		grant(m, "TrafficTarget/shop"+path+"#rule0", "shop/books", []ir.Match{match("^(?:"+path+").*$", nil, h)}, "shop/buyer")
	}
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	for _, c := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/part", []string{"X-Role: an admin"}, 200}, {"/part", []string{"X-Role: user"}, 403}, {"/part", nil, 403},
		{"/whole", []string{"X-Role: admin"}, 200}, {"/whole", []string{"X-Role: an admin"}, 403},
		{"/whole", []string{"X-Role: user", "X-Role: admin"}, 200}, {"/whole", []string{"X-Role: user,admin"}, 403},
		{"/choice", []string{"X-Role: abc"}, 200}, {"/choice", []string{"X-Role: xyz"}, 200}, {"/choice", []string{"X-Role: bay"}, 403},
		{"/full", []string{"X-Role: adm"}, 200}, {"/full", []string{"X-Role: admin"}, 403},
		{"/host", nil, 200},
		{"/empty", []string{"X-Role: anything"}, 200}, {"/empty", nil, 403},
	} {
		if got := buyer.call("shop/books", "GET", c.path, c.headers...); got.status != c.status {
			t.Errorf("GET %s with %v was answered %d, want %d", c.path, c.headers, got.status, c.status)
		}
	}
}

func TestClientsCannotForgeWhatProxiesSay(t *testing.T) {
	w := newWorld(t, shop())
	books := w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	got := buyer.call("shop/books", "GET", "/books",
		"X-Forwarded-Client-Cert: URI=spiffe://cluster.local/ns/shop/sa/admin", "X-Forwarded-For: 10.9.9.9",
		"X-Envoy-Retry-On: 5xx", "X-Envoy-Original-Path: /innocent", "X-Request-Id: mine", "X-Forwarded-Proto: https")
	h := got.seen.Headers
	if xfcc := h.Get("X-Forwarded-Client-Cert"); strings.Contains(xfcc, "admin") || !strings.Contains(xfcc, string(account("shop/buyer"))) {
		t.Errorf("the application is told of the caller %q", xfcc)
	}
	for name := range h {
		if strings.HasPrefix(name, "X-Envoy-") {
			t.Errorf("the application got %s: %q", name, h.Get(name))
		}
	}
	if h.Get("X-Forwarded-For") != "10.9.9.9" || h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Request-Id") != "mine" {
		t.Errorf("what an ingress passes on was lost: %v", h)
	}
	if h.Get("Via") != "" || got.header.Get("Via") != "" || got.header.Get("Server") != "the-app" {
		t.Errorf("proxies show themselves: %v", got.header)
	}
	for name := range got.header {
		if strings.HasPrefix(name, "X-Envoy-") {
			t.Errorf("the client got %s", name)
		}
	}
	line := books.logged("the request", func(m map[string]any) bool { return m["request_id"] == "mine" })
	if line["path"] != "/books" || strings.HasPrefix(line["downstream"].(string), "10.9.9.9") {
		t.Errorf("the access log believes the client: %v", line)
	}
}

func TestOldAndOddRequestsAreAnswered(t *testing.T) {
	m := shop()
	grant(m, "TrafficTarget/shop/any#rule0", "shop/books", []ir.Match{match("", []string{"CONNECT", "OPTIONS", "TRACE"})}, "shop/buyer")
	w := newWorld(t, m)
	w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")
	if got := buyer.call("shop/books", "GET", "/books", "Connection: Upgrade", "Upgrade: TLS/1.2"); got.status != 200 {
		t.Errorf("a client that offers TLS was answered %d %q", got.status, got.body)
	}
	if got := buyer.call("shop/books", "GET", "/books", "Connection: Upgrade", "Upgrade: quux"); got.status != 403 || !strings.Contains(got.body, "carries no such upgrade") {
		t.Errorf("an unknown upgrade was answered %d %q", got.status, got.body)
	}
	if got := buyer.call("shop/books", "CONNECT", "books:80"); got.status != 403 || !strings.Contains(got.body, "carries no such upgrade") {
		t.Errorf("CONNECT was answered %d %q", got.status, got.body)
	}
	if got := buyer.call("shop/books", "OPTIONS", "*"); got.status != 400 || got.body == "" {
		t.Errorf("OPTIONS * was answered %d %q: the mesh itself never answers 404", got.status, got.body)
	}
	c := w.dial(buyer.vip("shop/books", 80))
	_, _ = io.WriteString(c, "GET /books HTTP/1.0\r\n\r\n")
	if got := w.answered(c.r, "GET"); got.status != 200 || got.seen.Host != "books.shop" {
		t.Errorf("an HTTP/1.0 client was answered %d %q", got.status, got.body)
	}
}
