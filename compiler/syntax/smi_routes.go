package syntax

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
)

// httpMethods is the enum of the CRD.
var httpMethods = []string{"*", "GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

func decodeRouteGroup(d *decoder, root *record) {
	g := &HTTPRouteGroup{}
	d.obj.HTTPRouteGroup = g
	body := d.body(root, "matches")
	if body == nil {
		return
	}
	v := version(d.obj.APIVersion)
	matches := body.get("matches")
	if matches != nil && matches.n.Kind == yaml.MappingNode {
		f := matches.wrongType("a list")
		*f = f.WithHelp("an HTTPRouteGroup has a list of matches, each with a name; only TCPRoute and UDPRoute have a map with ports")
		matches = nil
	}
	for _, m := range matches.items() {
		g.Matches = append(g.Matches, httpMatch(m, v))
	}
	body.done()
}

func httpMatch(c *cursor, version string) HTTPMatch {
	r := c.record()
	if r == nil {
		if c.null() {
			c.wrongType("a map")
		}
		return HTTPMatch{}
	}
	m := HTTPMatch{PathRegex: r.narrow("pathRegex").text()}
	if name := r.need("name"); name != nil {
		if m.Name = name.text(); !plainText(m.Name) {
			f := name.fault("MSH0108", "%q is not a name for a match", m.Name)
			*f = f.WithHelp("use printable characters, at most 253")
		}
	}
	for _, item := range r.narrowList("methods").items() {
		m.Methods = append(m.Methods, httpMethod(item))
	}
	if version != "v1alpha1" {
		m.Headers = httpHeaders(r.narrowList("headers"))
	}
	r.done()
	return m
}

func httpMethod(c *cursor) string {
	s := c.text()
	if !c.null() {
		c.takes(httpMethods...)
	}
	if s == "" || slices.Contains(httpMethods, s) {
		if s == "" && (c.null() || c.n.Tag == "!!str") {
			c.wrongType("a method")
		}
		return s
	}
	f := c.fault("MSH0115", "%q is not a method of HTTP", s)
	*f = f.WithHelp("write one of %s", list(httpMethods))
	if near := nearestFold(s, httpMethods[1:]); near != "" {
		*f = f.WithHelp("did you mean %q? Methods are written in upper case", near).
			WithEffect("no request would match it").
			WithFix("write "+near, diag.Edit{Span: c.span(), NewText: near})
	}
	return s
}

// httpHeaders reads both forms: a map, as in the spec's text, and a list of maps,
// as in its CRD.
func httpHeaders(c *cursor) []Header {
	if c.null() {
		return nil
	}
	if c.n.Kind == yaml.ScalarNode {
		c.wrongType("a map or a list of maps")
		return nil
	}
	if c.n.Kind == yaml.SequenceNode {
		for _, item := range c.items() {
			if item.n.Kind != yaml.MappingNode {
				f := item.wrongType("a map")
				*f = f.WithHelp("write `- header-name: regular expression`")
			}
		}
	}
	var out []Header
	seen := map[string]diag.Span{}
	for _, h := range headerNodes(c.n) {
		at := c
		for i, step := range h.path {
			n := h.value
			if i < len(h.path)-1 {
				n = c.n.Content[step.(int)]
			}
			at = at.down(step, n)
		}
		out = append(out, Header{Name: h.key.Value, Regex: at.text()})
		headerName(at, h.key.Value, seen)
	}
	return out
}

func headerName(at *cursor, name string, seen map[string]diag.Span) {
	here := at.keySpan()
	if !isToken(name) {
		f := at.faultAt(here, "MSH0113", "%q is not the name of a header", name)
		*f = f.WithHelp("names of headers hold letters, digits and hyphens; match the path by pathRegex, the authority by `host`")
	}
	lower := strings.ToLower(name)
	if prior, twice := seen[lower]; twice && prior == here {
		return // the same key twice in one map: reported as such
	} else if twice {
		f := at.faultAt(here, "MSH0112", "the header %q stands twice in this match", name)
		*f = f.WithRelated(prior, "it is already here").
			WithEffect("other tools would keep the last one only, and match more than was meant").
			WithHelp("write one expression for both: ^(a|b)$")
		return
	}
	seen[lower] = here
}

// isToken tells whether a text is a token of HTTP (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
