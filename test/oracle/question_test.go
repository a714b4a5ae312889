package oracle

import (
	"fmt"
	"strings"
	"time"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// rule says how much the mesh promises of a request.
type rule string

const (
	// exact: it means one request of the IR; outcome, status and names must agree.
	exact rule = "exact"
	// refused: no proxy may pass it on.
	refused rule = "refused"
	// sound: proxies may refuse it or read it in their own way; whatever reaches a
	// workload must be something that the IR allows.
	sound rule = "sound"
)

// question is one request with what it means and how it is sent.
type question struct {
	ID    string
	Trick string         // what is hostile in it
	Ask   ir.Request     // what it means
	Wire  caller.Request // how it is sent; the address comes from the lab
	Rule  rule
	Cert  string      // past the client's proxy: the kind of certificate it presents
	Also  ir.Identity // the second name in it
}

var (
	askedPaths = []string{
		"/", "/a", "/a/b", "/a/b/c", "/a/../admin", "/admin", "//admin", "/a//b", "/./a", "/a.b", "/a-b", "/17", "/17?x=/a", "/x?/a", "/%61", "/%61dmin", "/a%2fb", "/a%2Fb", "/a%5cb",
		"/a/..%2fadmin", "/x/%2e%2e/a", "/x/%2e%2e;/a", "/admin/..;/a", "/a;b=c", "/;/a", "/a;/../admin", "/a/%2e", "/a\\b", "/..", "/../a", "/a/../../admin", "/A", "/ADMIN", "/a%00", "/a%", "/a%zz", "/a%2561",
		"/c/d", "/a/d?", "/a?b?c", "/a~", "/a%7e", "/a'b", "/a\"b", "/a<b", "/a|b", "/a^b", "/a`b", "/{a}", "/a:80", "/a@b", "/a,b", "/a+b", "/a%20b", "/a%0d%0ab", "/a*", "/a/.../b", "/a/..a", "/x/..././a", "/%2e%2e/a", "/.%2e/a",
		"/x/%2E./a", "/a/%252e%252e/b", "/" + strings.Repeat("a", 3000),
	}
	askedMethods = []string{"GET", "GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE"}
	askedHosts   = []string{"s0.a", "s1.b", "s0.a.", "S0.A", "s0.a:80", "s0.a.:80", "example.org", "s1.b:8080", "EXAMPLE.org.", "10.0.0.1", "[::1]:80", "xs0.a", "s0.a.example"}
	askedHeaders = []ir.Header{
		{Name: "x-user", Value: "admin"}, {Name: "X-User", Value: "user"}, {Name: "x-user", Value: "user,admin"}, {Name: "x-user", Value: "admin, user"}, {Name: "X-USER", Value: ""},
		{Name: "x-user", Value: "  admin  "}, {Name: "x-user", Value: "ADMIN"}, {Name: "x_user", Value: "admin"}, {Name: "x-users", Value: "admin"}, {Name: "flag", Value: ""}, {Name: "Flag", Value: "1"},
		{Name: "X-Envoy-Y", Value: "1"}, {Name: "x-envoy-original-path", Value: "/a"}, {Name: "x-envoy-internal", Value: "true"}, {Name: "x-envoy-upstream-rq-timeout-ms", Value: "0"}, {Name: "x-envoy-retry-on", Value: "5xx"},
		{Name: "x-forwarded-for", Value: "10.0.0.1"}, {Name: "x-forwarded-for", Value: "127.0.0.1, 10.1.1.1"}, {Name: "x-forwarded-proto", Value: "https"}, {Name: "x-forwarded-host", Value: "s0.a"},
		{Name: "x-forwarded-client-cert", Value: `By=spiffe://cluster.local/ns/a/sa/acc0;URI=spiffe://cluster.local/ns/a/sa/buyer`}, {Name: "forwarded", Value: "for=10.0.0.1"},
		{Name: "x-original-url", Value: "/a"}, {Name: "x-rewrite-url", Value: "/a"}, {Name: "x-http-method-override", Value: "GET"}, {Name: "cookie", Value: "u=admin"}, {Name: "cookie", Value: "a=b"},
		{Name: "content-type", Value: "application/json"}, {Name: "content-type", Value: "application/grpc"}, {Name: "user-agent", Value: "curl/8"}, {Name: "te", Value: "trailers"}, {Name: "authorization", Value: "Basic admin"},
		{Name: "x-meshc-denied-by", Value: "none"}, {Name: "via", Value: "1.1 proxy"}, {Name: "max-forwards", Value: "0"}, {Name: "range", Value: "bytes=0-1"},
	}
)

// question throws one of any sort.
func (d dice) question(m *ir.Mesh, w *world) (q question) {
	q = question{Trick: "a request", Rule: exact}
	q.Ask.From, q.Ask.To = d.ends(m, w)
	defer func() {
		// What is sound but odd may well wait for ever for the rest of a body.
		q.Wire.Timeout = time.Second
		if q.Rule == exact {
			q.Wire.Timeout = 10 * time.Second
		}
	}()
	service, _ := m.Service(q.Ask.To.Service)
	to, _ := service.Port(q.Ask.To.Port)
	if !to.Protocol.IsHTTP() {
		d.bytes(&q, to)
		if d.chance(30) {
			d.past(&q, m, w)
		}
		return q
	}
	q.Ask.HTTP = d.request(m, q.Ask)
	switch {
	case d.chance(3):
		q.Trick, q.Ask.HTTP = "bytes to an HTTP port", nil
		q.Wire.Kind, q.Wire.Body = caller.TCP, "meshc says \x01\x02 no HTTP\n"
	case d.chance(25) && d.past(&q, m, w):
	case d.chance(22):
		d.frames(&q)
	case d.chance(40):
		d.raw(&q)
	default:
		q.Wire.Kind = caller.HTTP1
	}
	if q.Wire.Kind == caller.HTTP1 {
		q.Wire.Method, q.Wire.Path, q.Wire.Headers = q.Ask.HTTP.Method, q.Ask.HTTP.Path, q.Ask.HTTP.Headers
	}
	return q
}

// ends throws who calls whom, mostly where something is granted.
func (d dice) ends(m *ir.Mesh, w *world) (ir.Identity, ir.PortID) {
	id := func(a account) ir.Identity { return ir.NewIdentity(m.Settings.TrustDomain, a.Namespace, a.Name) }
	var from ir.Identity
	if d.chance(93) {
		from = id(pick(d, w.accounts()...))
	}
	if len(m.Grants) > 0 && d.chance(65) {
		g := pick(d, m.Grants...)
		if from != "" && d.chance(85) {
			from = pick(d, g.Sources...)
		}
		return from, pick(d, g.Ports...)
	}
	s := pick(d, w.Services...)
	return from, ir.PortID{Service: ir.ServiceID{Namespace: s.Namespace, Name: s.Name}, Port: uint16(pick(d, s.Ports...).Number)}
}

// request throws a request that IR can say; a host is always named. Half of them
// begin as what some grant allows.
func (d dice) request(m *ir.Mesh, ask ir.Request) *ir.HTTPRequest {
	h := &ir.HTTPRequest{Method: pick(d, askedMethods...), Path: pick(d, askedPaths...)}
	if d.chance(50) {
		d.aim(m, ask, h)
	}
	for range d.IntN(4) {
		h.Headers = append(h.Headers, pick(d, askedHeaders...))
	}
	host := pick(d, askedHosts...)
	if d.chance(50) {
		ask.HTTP = &ir.HTTPRequest{}
		host = ask.Authority()
	}
	h.Headers = append(h.Headers, ir.Header{Name: "Host", Value: host})
	d.Shuffle(len(h.Headers), func(i, j int) { h.Headers[i], h.Headers[j] = h.Headers[j], h.Headers[i] })
	return h
}

// words that match the path expressions.
var matchingPaths = map[string][]string{
	`^(?:/a).*$`: {"/a", "/abc", "/x/../a"}, `^(?:/a/b$).*$`: {"/a/b", "/a//b"}, `^(?:/[0-9]+).*$`: {"/17"}, `^(?:/admin).*$`: {"/admin", "/admin/x", "//admin"},
	`^(?:/a\.b).*$`: {"/a.b", "/a%2eb"}, `^(?:/a/.*).*$`: {"/a/", "/a/b/c"}, `^(?:/(a|c)/d).*$`: {"/c/d", "/a/d"}, `^(?:/A).*$`: {"/A"},
}

func (d dice) aim(m *ir.Mesh, ask ir.Request, h *ir.HTTPRequest) {
	for _, g := range m.Grants {
		for _, p := range g.Ports {
			if p != ask.To || len(g.HTTP) == 0 || d.chance(40) {
				continue
			}
			to := pick(d, g.HTTP...)
			if paths := matchingPaths[to.Path]; paths != nil {
				h.Path = pick(d, paths...)
			}
			if len(to.Methods) > 0 {
				h.Method = pick(d, to.Methods...)
			}
			if h.Method == "*" {
				h.Method = "GET"
			}
			for _, line := range to.Headers {
				h.Headers = append(h.Headers, pick(d, linesFor(line.Name)...))
			}
			return
		}
	}
}

func linesFor(name string) []ir.Header {
	var out []ir.Header
	for _, h := range askedHeaders {
		if strings.EqualFold(h.Name, name) {
			out = append(out, h)
		}
	}
	if len(out) == 0 {
		out = append(out, ir.Header{Name: "x-other", Value: "1"})
	}
	return out
}

// bytes is a call to a TCP port: raw bytes, or HTTP that nobody reads.
func (d dice) bytes(q *question, to *ir.Port) {
	q.Trick = "bytes"
	q.Wire.Kind, q.Wire.Brief = caller.TCP, true
	if to.Protocol == ir.TCPServerFirst {
		q.Wire.Kind = caller.ServerFirst
		return
	}
	q.Wire.Body = pick(d, "meshc\n", "GET /a HTTP/1.1\r\nHost: s0.a\r\nx-user: admin\r\n\r\n", "\x00\x01\x02", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
}

func (q question) String() string {
	what := q.Ask.String()
	if q.Cert != "" {
		what += " past the client's proxy with " + q.Cert
	}
	from := q.Ask.From.Short()
	if q.Ask.From == "" {
		from = "outside"
	}
	return fmt.Sprintf("%s: %s to %s: %s", q.Trick, from, q.Ask.To, what)
}
