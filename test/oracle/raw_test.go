package oracle

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/lab/caller"
)

// marker stands for the id of the request in what is written by hand; the second
// request of a pair has it with hidden behind it.
const (
	marker = "ORACLE-ID"
	hidden = "-hidden"
)

// text is the request as HTTP/1.1, with a start line and an end of its own.
func text(start string, headers []ir.Header, more ...string) string {
	var b strings.Builder
	b.WriteString(start + "\r\n")
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	fmt.Fprintf(&b, "x-request-id: %s\r\n", marker)
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	return b.String() + "\r\n"
}

const closing = "Connection: close"

// second is a request that is to slip in behind another.
func second(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: s0.a\r\nx-user: admin\r\nx-request-id: " + marker + hidden + "\r\n" + closing + "\r\n\r\n"
}

// trick writes one odd request by hand. h is what it would be if it were not odd;
// it may be changed to what it means.
type trick struct {
	name  string
	rule  rule
	bytes func(d dice, h *ir.HTTPRequest) string
}

func start(h *ir.HTTPRequest) string { return h.Method + " " + h.Path + " HTTP/1.1" }

// plain is the request with lines added behind its headers.
func plain(more ...string) func(dice, *ir.HTTPRequest) string {
	return func(_ dice, h *ir.HTTPRequest) string { return text(start(h), h.Headers, append(more, closing)...) }
}

// body is a POST with lines about its body and the body itself, in which a second
// request hides.
func body(lines []string, body string) func(dice, *ir.HTTPRequest) string {
	return func(d dice, h *ir.HTTPRequest) string {
		h.Method = "POST"
		return text(start(h), h.Headers, lines...) + body + second(pick(d, "/a", "/admin", "/17"))
	}
}

// line replaces the start line.
func line(format string) func(dice, *ir.HTTPRequest) string {
	return func(_ dice, h *ir.HTTPRequest) string {
		return text(strings.NewReplacer("METHOD", h.Method, "PATH", h.Path).Replace(format), h.Headers, closing)
	}
}

var tricks = []trick{
	{"by hand", exact, plain()},
	{"body of a GET", exact, plain("Content-Length: 0")},
	{"expectation", exact, plain("Expect: 100-continue")},
	{"upgrade to WebSocket", sound, plain("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")},
	{"upgrade to HTTP/2", sound, plain("Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")},
	{"upgrade to TLS", sound, plain("Upgrade: TLS/1.2", "Connection: Upgrade")},
	{"header taken back by Connection", sound, plain("x-user: admin", "Connection: x-user, close")},
	{"absolute form", exact, absolute("http://")},
	{"absolute form with https", sound, absolute("https://")},
	{"absolute form with a user", sound, absolute("http://admin@")},
	{"absolute form without a path", sound, line("METHOD http://s0.a HTTP/1.1")},
	{"absolute form of another scheme", sound, line("METHOD ftp://s0.aPATH HTTP/1.1")},
	{"asterisk form", sound, line("OPTIONS * HTTP/1.1")},
	{"authority form", refused, line("CONNECT s0.a:80 HTTP/1.1")},
	{"CONNECT with a path", refused, line("CONNECT PATH HTTP/1.1")},
	{"no slash", refused, line("METHOD a HTTP/1.1")},
	{"unknown method", sound, line("FROB PATH HTTP/1.1")},
	{"lower-case method", sound, line("get PATH HTTP/1.1")},
	{"HTTP/1.0", sound, line("METHOD PATH HTTP/1.0")},
	{"HTTP/0.9", sound, line("METHOD PATH")},
	{"HTTP/1.2", sound, line("METHOD PATH HTTP/1.2")},
	{"HTTP/2.0 in text", sound, line("METHOD PATH HTTP/2.0")},
	{"two spaces", sound, line("METHOD  PATH HTTP/1.1")},
	{"tabs", sound, line("METHOD\tPATH\tHTTP/1.1")},
	{"space in the path", sound, line("METHOD PATH x HTTP/1.1")},
	{"NUL in the path", refused, line("METHOD PATH\x00x HTTP/1.1")},
	{"bytes above 127 in the path", sound, line("METHOD PATH\xff\xfe HTTP/1.1")},
	{"fragment", sound, line("METHOD PATH#/a HTTP/1.1")},
	{"two hosts", sound, plain("Host: s1.b", "Host: example.org")},
	{"no host", sound, func(_ dice, h *ir.HTTPRequest) string { return text(start(h), withoutHost(h), closing) }},
	{"folded header", sound, plain("x-user: user\r\n admin")},
	{"header folded with a tab", sound, plain("x-user:\r\n\tadmin")},
	{"folded first line", sound, func(_ dice, h *ir.HTTPRequest) string {
		return strings.Replace(text(start(h), h.Headers, closing), "\r\n", "\r\n x-user: admin\r\n", 1)
	}},
	{"bare line feeds", sound, func(_ dice, h *ir.HTTPRequest) string {
		return strings.ReplaceAll(text(start(h), h.Headers, closing), "\r\n", "\n")
	}},
	{"bare line feed in a value", sound, plain("x-other: 1\nx-user: admin")},
	{"bare carriage return in a value", sound, plain("x-other: 1\rx-user: admin")},
	{"NUL in a value", sound, plain("x-user: admin\x00")},
	{"bytes above 127 in a value", sound, plain("x-user: \xffadmin")},
	{"space before the colon", sound, plain("x-user : admin")},
	{"space before the name", sound, plain(" x-user: admin")},
	{"no colon", sound, plain("x-user admin")},
	{"pseudo header in text", sound, plain(":path: /a", ":method: GET")},
	{"empty name", sound, plain(": admin")},
	{"very long header", sound, func(d dice, h *ir.HTTPRequest) string {
		return text(start(h), h.Headers, "x-user: "+strings.Repeat("a", 70_000), closing)
	}},
	{"length and chunks", sound, body([]string{"Content-Length: 5", "Transfer-Encoding: chunked"}, "0\r\n\r\n")},
	{"chunks and length", sound, body([]string{"Transfer-Encoding: chunked", "Content-Length: 200"}, "0\r\n\r\n")},
	{"chunks twice", sound, body([]string{"Transfer-Encoding: chunked", "Transfer-Encoding: chunked"}, "0\r\n\r\n")},
	{"chunks and identity", sound, body([]string{"Transfer-Encoding: chunked, identity"}, "0\r\n\r\n")},
	{"identity and length", sound, body([]string{"Transfer-Encoding: identity", "Content-Length: 5"}, "0\r\n\r\n")},
	{"chunks misspelt", sound, body([]string{"Transfer-Encoding: xchunked", "Content-Length: 5"}, "0\r\n\r\n")},
	{"chunks behind a space", sound, body([]string{"Transfer-Encoding : chunked", "Content-Length: 5"}, "0\r\n\r\n")},
	{"chunks folded", sound, body([]string{"Transfer-Encoding:\r\n chunked", "Content-Length: 5"}, "0\r\n\r\n")},
	{"chunks behind a vertical tab", sound, body([]string{"Transfer-Encoding: \x0bchunked", "Content-Length: 5"}, "0\r\n\r\n")},
	{"two lengths", sound, body([]string{"Content-Length: 5", "Content-Length: 0"}, "12345")},
	{"length as a list", sound, body([]string{"Content-Length: 5, 5"}, "12345")},
	{"length with a sign", sound, body([]string{"Content-Length: +5"}, "12345")},
	{"length below zero", sound, body([]string{"Content-Length: -1"}, "")},
	{"length in hexadecimal", sound, body([]string{"Content-Length: 0x5"}, "12345")},
	{"length of nothing", sound, body([]string{"Content-Length: "}, "")},
	{"chunk extension", sound, body([]string{"Transfer-Encoding: chunked"}, "5;a=\"b\"\r\n12345\r\n0\r\n\r\n")},
	{"chunk extension with a bare line feed", sound, body([]string{"Transfer-Encoding: chunked"}, "5;a\n12345\r\n0\r\n\r\n")},
	{"chunk size in 0x", sound, body([]string{"Transfer-Encoding: chunked"}, "0x5\r\n12345\r\n0\r\n\r\n")},
	{"chunk size with a sign", sound, body([]string{"Transfer-Encoding: chunked"}, "-5\r\n12345\r\n0\r\n\r\n")},
	{"chunk size that overflows", sound, body([]string{"Transfer-Encoding: chunked"}, "10000000000000005\r\n12345\r\n0\r\n\r\n")},
	{"chunk longer than its size", sound, body([]string{"Transfer-Encoding: chunked"}, "3\r\n12345\r\n0\r\n\r\n")},
	{"chunk without an end", sound, body([]string{"Transfer-Encoding: chunked"}, "5\r\n12345\n0\n\n")},
	{"header in a trailer", sound, body([]string{"Transfer-Encoding: chunked", "Trailer: x-user"}, "5\r\n12345\r\n0\r\nx-user: admin\r\n\r\n")},
	{"length past the body of a GET", sound, func(d dice, h *ir.HTTPRequest) string {
		return text(start(h), h.Headers, "Content-Length: 1000") + second("/a")
	}},
	{"one behind the other", sound, func(d dice, h *ir.HTTPRequest) string {
		return text(start(h), h.Headers) + second(pick(d, "/a", "/admin"))
	}},
	{"empty lines first", sound, func(_ dice, h *ir.HTTPRequest) string { return "\r\n\r\n" + text(start(h), h.Headers, closing) }},
}

// absolute makes the target absolute: its host counts, the header's does not.
func absolute(scheme string) func(dice, *ir.HTTPRequest) string {
	return func(d dice, h *ir.HTTPRequest) string {
		host := pick(d, "s0.a", "s1.b:80", "example.org")
		out := text(h.Method+" "+scheme+host+h.Path+" HTTP/1.1", h.Headers, closing)
		h.Headers = append(withoutHost(h), ir.Header{Name: "Host", Value: host})
		return out
	}
}

func withoutHost(h *ir.HTTPRequest) []ir.Header {
	return slices.DeleteFunc(slices.Clone(h.Headers), func(l ir.Header) bool { return strings.EqualFold(l.Name, "host") })
}

// raw makes a question one that is written by hand.
func (d dice) raw(q *question) { d.byHand(q, pick(d, tricks...)) }

func (d dice) byHand(q *question, t trick) {
	q.Trick, q.Rule, q.Wire.Kind = t.name, t.rule, caller.Raw
	q.Wire.Bytes = []byte(t.bytes(d, q.Ask.HTTP))
}
