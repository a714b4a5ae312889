package oracle

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// oddity changes a header block of HTTP/2.
type oddity struct {
	name string
	rule rule
	make func(d dice, fields []ir.Header) []ir.Header
}

func with(more ...ir.Header) func(dice, []ir.Header) []ir.Header {
	return func(_ dice, f []ir.Header) []ir.Header { return append(f, more...) }
}

func first(more ...ir.Header) func(dice, []ir.Header) []ir.Header {
	return func(_ dice, f []ir.Header) []ir.Header { return append(slices.Clone(more), f...) }
}

func set(name, value string) func(dice, []ir.Header) []ir.Header {
	return func(_ dice, f []ir.Header) []ir.Header {
		for i := range f {
			if f[i].Name == name {
				f[i].Value = value
			}
		}
		return f
	}
}

func drop(names ...string) func(dice, []ir.Header) []ir.Header {
	return func(_ dice, f []ir.Header) []ir.Header {
		return slices.DeleteFunc(f, func(h ir.Header) bool { return slices.Contains(names, h.Name) })
	}
}

var oddities = []oddity{
	{"HTTP/2", exact, with()},
	{"HTTP/2", exact, with()},
	{"host beside the authority", sound, with(ir.Header{Name: "host", Value: "s1.b"})},
	{"host instead of the authority", sound, func(d dice, f []ir.Header) []ir.Header {
		return append(drop(":authority")(d, f), ir.Header{Name: "host", Value: "s0.a"})
	}},
	{"no path", refused, drop(":path")},
	{"two paths", refused, first(ir.Header{Name: ":path", Value: "/a"})},
	{"empty path", refused, set(":path", "")},
	{"path without a slash", refused, set(":path", "a")},
	{"asterisk path", sound, set(":path", "*")},
	{"absolute path", sound, set(":path", "http://s0.a/a")},
	{"space in the path", sound, set(":path", "/a b")},
	{"line break in the path", refused, set(":path", "/a\r\nx-user: admin")},
	{"NUL in the path", refused, set(":path", "/a\x00")},
	{"fragment in the path", sound, set(":path", "/x#/a")},
	{"no method", refused, drop(":method")},
	{"two methods", refused, first(ir.Header{Name: ":method", Value: "GET"})},
	{"empty method", refused, set(":method", "")},
	{"unknown method", sound, set(":method", "FROB")},
	{"lower-case method", sound, set(":method", "get")},
	{"line break in the method", refused, set(":method", "GET /a HTTP/1.1\r\nx: ")},
	{"no scheme", sound, drop(":scheme")},
	{"odd scheme", sound, set(":scheme", "ftp")},
	{"https", exact, set(":scheme", "https")},
	{"no authority", sound, drop(":authority")},
	{"empty authority", sound, set(":authority", "")},
	{"two authorities", refused, first(ir.Header{Name: ":authority", Value: "s0.a"})},
	{"user in the authority", sound, set(":authority", "admin@s0.a")},
	{"unknown pseudo header", refused, first(ir.Header{Name: ":user", Value: "admin"})},
	{"pseudo header of an answer", refused, first(ir.Header{Name: ":status", Value: "200"})},
	{"late pseudo header", refused, func(d dice, f []ir.Header) []ir.Header {
		return append(drop(":path")(d, f), ir.Header{Name: "x-other", Value: "1"}, ir.Header{Name: ":path", Value: "/a"})
	}},
	{"upper-case name", sound, with(ir.Header{Name: "X-User", Value: "admin"})},
	{"name with a space", sound, with(ir.Header{Name: "x user", Value: "admin"})},
	{"empty name", sound, with(ir.Header{Name: "", Value: "admin"})},
	{"line break in a value", refused, with(ir.Header{Name: "x-other", Value: "1\r\nx-user: admin"})},
	{"NUL in a value", sound, with(ir.Header{Name: "x-user", Value: "admin\x00"})},
	{"spaces around a value", sound, with(ir.Header{Name: "x-user", Value: " admin "})},
	{"connection header", sound, with(ir.Header{Name: "connection", Value: "x-user"})},
	{"transfer-encoding", sound, with(ir.Header{Name: "transfer-encoding", Value: "chunked"})},
	{"length that lies", sound, with(ir.Header{Name: "content-length", Value: "10"})},
	{"two lengths", sound, with(ir.Header{Name: "content-length", Value: "0"}, ir.Header{Name: "content-length", Value: "5"})},
	{"te that is not trailers", sound, with(ir.Header{Name: "te", Value: "gzip"})},
	{"upgrade header", sound, with(ir.Header{Name: "upgrade", Value: "websocket"}, ir.Header{Name: "connection", Value: "upgrade"})},
	{"cookie in crumbs", sound, with(ir.Header{Name: "cookie", Value: "a=b"}, ir.Header{Name: "cookie", Value: "u=admin"})},
	{"CONNECT", refused, func(d dice, f []ir.Header) []ir.Header {
		return set(":method", "CONNECT")(d, drop(":path", ":scheme")(d, f))
	}},
	{"CONNECT with a path", refused, set(":method", "CONNECT")},
	{"CONNECT for WebSocket", sound, func(d dice, f []ir.Header) []ir.Header {
		return first(ir.Header{Name: ":protocol", Value: "websocket"})(d, set(":method", "CONNECT")(d, f))
	}},
	{"CONNECT for UDP", refused, func(d dice, f []ir.Header) []ir.Header {
		return first(ir.Header{Name: ":protocol", Value: "connect-udp"})(d, set(":method", "CONNECT")(d, f))
	}},
	{"protocol without CONNECT", sound, first(ir.Header{Name: ":protocol", Value: "websocket"})},
}

// frames makes a question one over HTTP/2 with a header block by hand.
func (d dice) frames(q *question) {
	d.block(q, pick(d, oddities...))
}

func (d dice) block(q *question, o oddity) {
	h := q.Ask.HTTP
	q.Trick, q.Rule, q.Wire.Kind = o.name, o.rule, caller.Frames
	var lines []ir.Header
	for _, l := range h.Headers {
		if name := strings.ToLower(l.Name); name != "host" {
			lines = append(lines, ir.Header{Name: name, Value: strings.Trim(l.Value, " ")})
		}
	}
	lines = append(lines, ir.Header{Name: "x-request-id", Value: marker})
	q.Wire.Headers = o.make(d, caller.Fields(h.Method, "http", q.Ask.Authority(), h.Path, lines...))
}
