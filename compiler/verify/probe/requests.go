package probe

import (
	"regexp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Hit is a request of a match: every part of it holds, in the simplest form.
// It is of no use where the expressions contradict what requests can be.
func Hit(m ir.Match) ir.HTTPRequest {
	r := ir.HTTPRequest{Method: "GET", Path: hitPath(m.Path)}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") {
		r.Method = m.Methods[0]
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, ir.Header{Name: h.Name, Value: hitValue(h)})
	}
	return r
}

// hitPath is the first example that proxies leave as it is.
func hitPath(expr string) string {
	if expr == "" {
		return "/"
	}
	re, err := regexp.Compile(`\A(?:` + expr + `)\z`)
	if err != nil {
		return "/"
	}
	for _, s := range Paths(expr) {
		if normal, ok := ir.NormalisePath(s); ok && normal == s && re.MatchString(s) {
			return s
		}
	}
	return "/"
}

// Paths are the strings of an expression as paths of requests.
func Paths(expr string) []string {
	var out []string
	for _, s := range Strings(expr) {
		if s = strings.NewReplacer("?", "%3F", "#", "%23", " ", "%20").Replace(s); !strings.HasPrefix(s, "/") {
			s = "/" + s
		}
		out = append(out, s)
	}
	return distinct(out)
}

func hitValue(h ir.HeaderMatch) string {
	expr := h.Regex
	if h.Full {
		expr = `\A(?:` + expr + `)\z`
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return ""
	}
	for _, s := range Strings(h.Regex) {
		if s == strings.Trim(s, " \t") && re.MatchString(s) {
			return s
		}
	}
	return ""
}

// methodsAround are words of SMI's list, one of which most matches leave out.
var methodsAround = []string{"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "PATCH"}

// Around are the requests at the boundaries of a match: a hit, and then one part
// at a time in all its forms while the others hold.
func Around(m ir.Match) []ir.HTTPRequest {
	hit := Hit(m)
	out := []ir.HTTPRequest{hit}
	out = append(out, byMethod(hit, m.Methods)...)
	if m.Path != "" {
		out = append(out, WithPaths(hit, Paths(m.Path))...)
	}
	out = append(out, WithPaths(hit, disguised(hit.Path))...)
	for i, h := range m.Headers {
		out = append(out, byHeader(hit, i, h)...)
	}
	return out
}

// byMethod asks with each method of the match, and with one outside it.
func byMethod(hit ir.HTTPRequest, methods []string) []ir.HTTPRequest {
	asked := slices.Clone(methods)
	for _, m := range methodsAround {
		if !slices.Contains(methods, m) {
			asked = append(asked, m)
			break
		}
	}
	return WithMethods(hit, asked)
}

// WithMethods is a request with other methods.
func WithMethods(hit ir.HTTPRequest, methods []string) []ir.HTTPRequest {
	var out []ir.HTTPRequest
	for _, m := range methods {
		r := hit
		if r.Method = m; m != "*" && m != "" {
			out = append(out, r)
		}
	}
	return out
}

// WithPaths is a request with other paths.
func WithPaths(hit ir.HTTPRequest, paths []string) []ir.HTTPRequest {
	out := make([]ir.HTTPRequest, len(paths))
	for i, p := range paths {
		out[i] = hit
		out[i].Path = p
	}
	return out
}

// disguised are forms of a path that a proxy must see through or refuse.
func disguised(path string) []string {
	return []string{
		path + "?x=1", "/meshc-sibling", "/meshc-sibling/.." + path, "/" + path, "/%2e" + path,
		path + "/../meshc-sibling", path + "/%2e%2e/meshc-sibling", path + "/..;/..;/meshc-sibling", path + "%2fx", path + "%5Cx",
	}
}

// byHeader asks with a header of the match absent, doubled, and in all its forms.
func byHeader(hit ir.HTTPRequest, at int, h ir.HeaderMatch) []ir.HTTPRequest {
	others := slices.Delete(slices.Clone(hit.Headers), at, at+1)
	good := hit.Headers[at].Value
	lines := [][]string{{}, {""}, {good, good}, {good, "meshc-other"}, {"meshc-other", good}, {"meshc-other," + good}}
	for _, s := range Strings(h.Regex) {
		lines = append(lines, []string{s})
	}
	var out []ir.HTTPRequest
	for _, values := range lines {
		r := hit
		r.Headers = slices.Clone(others)
		for _, v := range values {
			r.Headers = append(r.Headers, ir.Header{Name: strings.ToUpper(h.Name), Value: v})
		}
		out = append(out, r)
	}
	return out
}

// Headers is a request with each form of a header that somebody matches.
func Headers(hit ir.HTTPRequest, h ir.HeaderMatch) []ir.HTTPRequest {
	with := hit
	with.Headers = append(slices.Clone(hit.Headers), ir.Header{Name: h.Name, Value: hitValue(h)})
	return byHeader(with, len(with.Headers)-1, h)
}

// Anywhere are requests that mean the same to every policy of HTTP.
func Anywhere() []ir.HTTPRequest {
	return []ir.HTTPRequest{
		{Method: "GET", Path: "/"},
		{Method: "CONNECT", Path: "/"},
		{Method: "GET", Path: "/%2f"},
		{Method: "GET", Path: "/", Headers: []ir.Header{{Name: "x-envoy-original-path", Value: "/meshc-sibling"}}},
	}
}

// Size orders requests by how little they say.
func Size(r *ir.HTTPRequest) int {
	if r == nil {
		return 0
	}
	n := 1 + len(r.Path)
	for _, h := range r.Headers {
		n += 8 + len(h.Name) + len(h.Value)
	}
	if r.Method != "GET" {
		n += 4
	}
	return n
}
