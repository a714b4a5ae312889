package diff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// class is a set of HTTP requests: those that have one of the methods, a path
// that every one of the expressions matches in full, and for each of the headers
// a line that its expression matches. The zero value is every request.
type class struct {
	methods []string // sorted; nil: any
	paths   []string
	headers []ir.HeaderMatch
	// grant and match are the objects that allow it. They are no part of the set.
	grant, match string
}

// classOf is the requests of a match; ok is false for a match without any.
func classOf(m ir.Match) (c class, ok bool) {
	c = class{headers: m.Headers, match: m.Name}
	if !slices.Contains(m.Methods, "*") {
		c.methods = m.Methods
	}
	if m.Path != "" {
		c.paths = []string{m.Path}
	}
	return c, m.Holds()
}

// and is the requests that are of both classes; ok is false when no method is.
func (c class) and(o class) (out class, ok bool) {
	out = class{methods: c.methods, grant: c.grant, match: c.match}
	switch {
	case c.methods == nil:
		out.methods = o.methods
	case o.methods != nil:
		out.methods = slices.DeleteFunc(slices.Clone(c.methods), func(m string) bool { return !slices.Contains(o.methods, m) })
		if len(out.methods) == 0 {
			return out, false
		}
	}
	out.paths = slices.Concat(c.paths, o.paths)
	out.headers = slices.Concat(c.headers, o.headers)
	return out, true
}

func (c class) hasMethod(m string) bool { return c.methods == nil || slices.Contains(c.methods, m) }

// id is equal for classes that are written alike.
func (c class) id() string {
	parts := []string{"any"}
	if c.methods != nil {
		parts[0] = strings.Join(c.methods, ",")
	}
	paths := slices.Clone(c.paths)
	slices.Sort(paths)
	parts = append(parts, slices.Compact(paths)...)
	headers := slices.Clone(c.headers)
	slices.SortFunc(headers, compareHeaders)
	for _, h := range slices.Compact(headers) {
		parts = append(parts, "\x00"+h.Name+"\x00"+h.Regex+"\x00"+map[bool]string{true: "full"}[h.Full])
	}
	return strings.Join(parts, "\x01")
}

func compareHeaders(a, b ir.HeaderMatch) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Regex, b.Regex))
}

// ids are equal for unions that are written alike.
func ids(classes []class) string {
	out := make([]string, len(classes))
	for i, c := range classes {
		out[i] = c.id()
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), "\x02")
}

// reach is what may pass on one way: HTTP requests of any of the classes, and
// raw bytes.
type reach struct {
	http []class
	raw  bool
}

func (r reach) empty() bool { return len(r.http) == 0 && !r.raw }

// everything is what a port takes from those to whom it is open.
func everything(p ir.Protocol, cause string) reach {
	return reach{http: []class{{grant: cause}}, raw: !p.IsHTTP()}
}

func (r reach) or(o reach) reach {
	return reach{http: slices.Concat(r.http, o.http), raw: r.raw || o.raw}
}
