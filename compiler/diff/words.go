package diff

import (
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// Requests are requests that a change adds or takes away.
type Requests struct {
	Raw     bool     `json:"raw,omitempty"` // any bytes on a port that is not HTTP
	Methods []string `json:"methods,omitempty"`
	Paths   []string `json:"paths,omitempty"` // expressions of which all match the whole path
	Headers []string `json:"headers,omitempty"`
	// Example is one of them: "GET /books", or with headers "GET /books (x-v: 2)".
	Example string `json:"example,omitempty"`
	Grant   string `json:"grant,omitempty"`
	Match   string `json:"match,omitempty"`
	// Certain: there are such requests. Else it was too large to decide.
	Certain bool `json:"certain"`
	// Partial: some requests of this form still pass; of those that are lost alone.
	Partial bool `json:"partial,omitempty"`
}

func newRequests(e excess) Requests {
	r := Requests{Methods: e.methods, Grant: e.grant, Match: e.match, Certain: e.example != nil, Partial: e.partial}
	for _, p := range e.paths {
		r.Paths = append(r.Paths, written(p))
	}
	for _, h := range e.headers {
		name := h.Name
		if name == ":authority" {
			name = "host"
		}
		r.Headers = append(r.Headers, name+": "+h.Regex)
	}
	if e.example != nil {
		r.Example = e.example.Method + " " + e.example.Path
		var lines []string
		for _, h := range e.example.Headers {
			lines = append(lines, h.Name+": "+h.Value)
		}
		if len(lines) > 0 {
			r.Example += " (" + strings.Join(lines, ", ") + ")"
		}
	}
	return r
}

// written is a path's expression as its author wrote it, near enough.
func written(path string) string {
	inner := strings.TrimSuffix(strings.TrimPrefix(path, "^"), "$")
	if rest, ok := strings.CutPrefix(inner, "(?:"); ok {
		if rest, ok := strings.CutSuffix(rest, ").*"); ok {
			return strings.TrimPrefix(rest, "^") + ".*"
		}
	}
	return inner
}

// String is the requests as a sentence names them: "GET /books.*".
func (r Requests) String() string {
	if r.Raw {
		return "send anything to"
	}
	methods := strings.Join(r.Methods, ", ")
	any, all := "any ", ""
	if r.Partial {
		any, all = "every ", "all of "
	}
	if r.Methods == nil {
		methods = "send " + any + "method"
		all = "" // every method on a path says it
	}
	paths := all + strings.Join(r.Paths, " and ")
	if len(r.Paths) == 0 {
		if paths = any + "path"; r.Methods == nil && len(r.Headers) == 0 {
			return "send " + any + "request"
		}
	}
	out := methods + " " + paths
	if len(r.Headers) > 0 {
		out += " with " + strings.Join(r.Headers, " and ")
	}
	return out
}

func (r Requests) id() string {
	return strings.Join([]string{r.String(), r.Grant, r.Match}, "\x00") + map[bool]string{true: "raw"}[r.Raw]
}

func describe(all []Requests) string {
	var out []string
	for _, r := range all {
		out = append(out, r.id())
	}
	return strings.Join(out, "\x01")
}

// accessText is an access change in one sentence.
func accessText(c Change) string {
	var parts []string
	for _, l := range c.Lines() {
		parts = append(parts, c.Source+" "+l.Text)
	}
	return strings.Join(parts, "; ")
}

func (r Requests) sentence(on string) string {
	if r.Raw {
		return "send anything" + strings.Replace(on, " on ", " to ", 1)
	}
	return r.String() + on
}

func ports(all []ir.PortID) string {
	var out []string
	for _, p := range all {
		out = append(out, p.String())
	}
	return some(out)
}

// some is a list in words; of a long one, how many more there are.
func some(all []string) string {
	const most = 6
	if len(all) > most {
		return strings.Join(all[:most], ", ") + " and " + count(len(all)-most, "other")
	}
	return strings.Join(all, ", ")
}
