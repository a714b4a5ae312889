package allow

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/compiler/ir"
)

// regex is the expression of the wanted paths and no longer ones.
func (w *writer) regex() string {
	if w.q.Regex != "" {
		return w.q.Regex
	}
	return Exactly(w.Mesh.Mesh.Settings.Compat, w.q.Request.HTTP.Path)
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
	return slug(w.q.Request.HTTP.Method + "-" + path)
}

// matchLines is a match as an entry of a list.
func (w *writer) matchLines(name string) []string {
	return []string{"name: " + name, "pathRegex: " + scalar(w.regex()), "methods: [" + w.q.Request.HTTP.Method + "]"}
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

// fresh appends a route and a target of its own.
func (w *writer) fresh(d *draft, leaf ir.Leaf, namespace, account string) {
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
	d.append(fmt.Sprintf("apiVersion: specs.smi-spec.io/v1alpha4\nkind: %s\nmetadata:\n  name: %s\n  namespace: %s\n%s", kind, route, scalar(namespace), body))
	d.append(fmt.Sprintf("apiVersion: access.smi-spec.io/v1alpha3\nkind: TrafficTarget\nmetadata:\n  name: %s\n  namespace: %s\nspec:\n"+
		"  destination:\n    kind: ServiceAccount\n    name: %s\n    namespace: %s\n  rules:\n  - kind: %s\n    name: %s\n%s"+
		"  sources:\n  - kind: ServiceAccount\n    name: %s\n    namespace: %s\n",
		name, scalar(namespace), scalar(account), scalar(namespace), kind, route, rule, scalar(from), scalar(fromNamespace)))
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
