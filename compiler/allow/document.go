package allow

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// regex is the expression of the wanted paths and no longer ones.
func (w *writer) regex() string {
	if w.q.Regex != "" {
		return w.q.Regex
	}
	path := w.q.Request.HTTP.Path
	if as, ok := ir.NormalisePath(path); ok { // as the server's proxy sees it
		path = as
	}
	return Exactly(w.Mesh.Mesh.Settings.Compat, path)
}

// Exactly is the path expression of one path: without the `$` an expression of SMI
// takes longer paths too.
func Exactly(compat ir.Compat, path string) string {
	quoted := regexp.QuoteMeta(ir.WithoutQuery(path))
	if compat == ir.CompatOSM {
		return quoted
	}
	return quoted + "$"
}

// matchBase is what a match of the wanted requests is called: get-orders-any.
func (w *writer) matchBase() string {
	path := w.q.Request.HTTP.Path
	if w.q.Regex != "" {
		path = w.q.Regex
		for _, p := range parts {
			path = strings.ReplaceAll(path, p.expression, "any")
		}
	}
	name := w.q.Request.HTTP.Method + "-" + path
	for _, h := range w.q.Request.HTTP.Headers {
		name += "-" + h.Name
	}
	return slug(name)
}

// matchLines is a match as an entry of a list.
func (w *writer) matchLines(name string) []string {
	lines := []string{"name: " + name, "pathRegex: " + scalar(w.regex()), "methods: [" + w.q.Request.HTTP.Method + "]"}
	for i, h := range w.headers() {
		if i == 0 {
			lines = append(lines, "headers:")
		}
		lines = append(lines, "- "+scalar(h.Name)+": "+scalar(h.Regex))
	}
	return lines
}

// headers are the matches of the headers that were asked with, and of no other values.
func (w *writer) headers() []syntax.Header {
	var out []syntax.Header
	for _, h := range w.q.Request.HTTP.Headers {
		value := regexp.QuoteMeta(h.Value)
		if w.Mesh.Mesh.Settings.Compat != ir.CompatOSM {
			value = "^" + value + "$"
		}
		out = append(out, syntax.Header{Name: strings.ToLower(h.Name), Regex: value})
	}
	slices.SortFunc(out, func(a, b syntax.Header) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// scalar writes a text as YAML reads it, in quotation marks where it must.
func scalar(s string) string {
	out, err := yaml.Marshal(s)
	text := strings.TrimSuffix(string(out), "\n")
	if err != nil || strings.Contains(text, "\n") {
		return strconv.Quote(s)
	}
	return text
}

// fresh writes a route and a target of its own: as documents, or as items of the List
// that its home is in.
func (w *writer) fresh(at home, leaf ir.Leaf, namespace, account string) {
	r := w.q.Request
	_, fromNamespace, from, ok := r.From.Split()
	if !ok {
		w.refuse("%s is no account of a namespace: a TrafficTarget cannot name it", r.From)
		return
	}
	base := slug(from)
	if fromNamespace != namespace && fromNamespace != from {
		base = slug(fromNamespace + "-" + from)
	}
	name := w.unused("TrafficTarget", namespace, base+"-to-"+slug(account))
	kind, body := "HTTPRouteGroup", ""
	route := w.unused("HTTPRouteGroup", namespace, name)
	rule := ""
	if r.HTTP == nil {
		kind = "TCPRoute"
		route = w.unused(kind, namespace, fmt.Sprintf("%s-%d", slug(leaf.Service.Name), r.To.Port))
		body = fmt.Sprintf("spec:\n  matches:\n    ports: [%d]\n", r.To.Port)
	} else {
		match := w.matchBase()
		lines := w.matchLines(match)
		body = "spec:\n  matches:\n  - " + strings.Join(lines, "\n    ") + "\n"
		rule = "    matches: [" + match + "]\n"
	}
	own, there := "  namespace: "+scalar(namespace)+"\n", "    namespace: "+scalar(namespace)+"\n"
	if at.bare {
		own, there = "", ""
	}
	w.write(at,
		fmt.Sprintf("apiVersion: specs.smi-spec.io/v1alpha4\nkind: %s\nmetadata:\n  name: %s\n%s%s", kind, route, own, body),
		fmt.Sprintf("apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata:\n  name: %s\n%sspec:\n"+
			"  destination:\n    kind: ServiceAccount\n    name: %s\n%s  rules:\n  - kind: %s\n    name: %s\n%s"+
			"  sources:\n  - kind: ServiceAccount\n    name: %s\n    namespace: %s\n",
			name, own, scalar(account), there, kind, route, rule, scalar(from), scalar(fromNamespace)))
}

// write puts new objects where others are.
func (w *writer) write(at home, objects ...string) {
	if at.items == nil {
		for _, o := range objects {
			w.draft(at.file).append(o)
		}
		return
	}
	if !w.whole(func() bool {
		for _, o := range objects {
			if !w.add(at.place, at.items, strings.Split(strings.TrimSuffix(o, "\n"), "\n")) {
				return false
			}
		}
		return true
	}) {
		w.found.Add(diag.New("MSH4654", at.doc.Span(at.items), "nothing can be added to this list by an edit").
			WithHelp("its last item is a text of several lines, or a comment stands among its brackets: write the list in lines that begin with `-`"))
	}
}

// unused is a name that no object of the kind and namespace has.
func (w *writer) unused(kind, namespace, base string) string {
	if w.names == nil {
		w.names = map[string]bool{}
	}
	name := unique(base, func(n string) bool {
		return w.names[kind+"/"+namespace+"/"+n] || w.object(kind, namespace, n) != nil
	})
	w.names[kind+"/"+namespace+"/"+name] = true
	return name
}

func unique(base string, taken func(string) bool) string {
	name := base
	for i := 2; taken(name); i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	return name
}

// slug is a name of Kubernetes made of a text.
func slug(s string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s)
	for strings.Contains(out, "--") {
		out = strings.ReplaceAll(out, "--", "-")
	}
	out = strings.Trim(out, "-")
	if len(out) > 50 {
		out = strings.Trim(out[:50], "-")
	}
	if out == "" {
		return "any"
	}
	return out
}
