package probe

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Smaller are requests that say less than one, the least first. Each is smaller
// by Size.
func Smaller(r ir.HTTPRequest) []ir.HTTPRequest {
	var out []ir.HTTPRequest
	add := func(s ir.HTTPRequest) {
		if Size(&s) < Size(&r) {
			out = append(out, s)
		}
	}
	for _, path := range shorter(r.Path) {
		s := r
		s.Path = path
		add(s)
	}
	for i := range r.Headers {
		s := r
		s.Headers = slices.Delete(slices.Clone(r.Headers), i, i+1)
		add(s)
	}
	s := r
	s.Method = "GET"
	add(s)
	for i, h := range r.Headers {
		for _, value := range shorter(h.Value) {
			s := r
			s.Headers = slices.Clone(r.Headers)
			s.Headers[i].Value = value
			add(s)
		}
	}
	return out
}

// shorter are a text's beginnings that are shorter: at a slash, and a byte less at
// either end.
func shorter(text string) []string {
	var out []string
	for i := range text {
		if i > 0 && (text[i] == '/' || text[i-1] == '/' || text[i] == '?') {
			out = append(out, text[:i])
		}
	}
	if len(text) > 1 {
		out = append(out, text[:len(text)-1])
		if !strings.HasPrefix(text, "/") {
			out = append(out, text[1:])
		}
	}
	return out
}
