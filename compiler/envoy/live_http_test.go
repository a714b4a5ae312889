package envoy_test

import (
	"encoding/json"
	"io"
	"net/http"
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

func (p *proxy) url(svc string, port uint16, path string) string {
	p.w.t.Helper()
	at, ok := p.vips[portID(svc, port)]
	if !ok {
		p.w.t.Fatalf("%s is not given %s:%d", p.id.Short(), svc, port)
	}
	return "http://" + at.String() + path
}

func (w *world) do(req *http.Request) answer {
	w.t.Helper()
	return w.doWith(&http.Transport{DisableKeepAlives: true}, req)
}

func (w *world) doWith(tr http.RoundTripper, req *http.Request) answer {
	w.t.Helper()
	resp, err := tr.RoundTrip(req)
	if err != nil {
		w.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.seen)
	return a
}

// call sends a request without touching its path.
func (p *proxy) call(svc string, method, path string, headers ...[2]string) answer {
	p.w.t.Helper()
	req, err := http.NewRequest(method, p.url(svc, 80, "/"), nil)
	must(p.w.t, err)
	req.URL.Opaque = path
	for _, h := range headers {
		req.Header.Add(h[0], h[1])
	}
	return p.w.do(req)
}

func httpPort() ir.Port {
	return ir.Port{Number: 80, Name: "http", Protocol: ir.HTTP, TargetPort: 8080}
}

func shop() *ir.Mesh {
	m := strictMesh()
	addService(m, "shop/books", httpPort())
	addClients(m, "shop/buyer", "shop/thief")
	grant(m, "TrafficTarget/shop/books#rule0", "shop/books", []ir.Match{
		{Name: "HTTPRouteGroup/shop/r#list", Path: "^(?:/books).*$", Methods: []string{"GET", "HEAD"}},
	}, "shop/buyer")
	return m
}

func TestHTTPIsJudgedByTheServersProxy(t *testing.T) {
	w := newWorld(t, shop())
	books := w.serve("shop/books", httpApp(t, "books"))
	buyer := w.client("shop/buyer")

	got := buyer.call("shop/books", "GET", "/books?page=1")
	if got.status != 200 || got.seen.App != "books" {
		t.Fatalf("a granted call was answered %d %q", got.status, got.body)
	}
	t.Logf("%+v", got)
	got = buyer.call("shop/books", "POST", "/books")
	t.Logf("%+v", got)
	for _, l := range []*proxy{books, buyer} {
		l.logged("x", func(m map[string]any) bool { return m["method"] == "POST" })
		t.Log(l.log.String())
	}
}
