package lsp

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/source"
	"github.com/meshc/meshc/compiler/syntax"
)

// naming collects the mentions of one object.
type naming struct {
	o   *syntax.Object
	out []mention
}

// thingOf is what an object defines.
func thingOf(o *syntax.Object) thing { return thing{o.Kind, o.Namespace, o.Name, ""} }

// inObject are the names in an object: its own, and those it refers to.
func inObject(o *syntax.Object) []mention {
	n := &naming{o: o}
	self := thingOf(o)
	n.add(o.At("kind"), self, heads)
	if n.written("metadata", "name") {
		n.add(o.At("metadata", "name"), self, defines)
	}
	if o.NamespaceBy == syntax.NamespaceWritten {
		n.namespace(o.Namespace, "metadata", "namespace")
	}
	switch {
	case o.TrafficTarget != nil:
		n.target(o.TrafficTarget)
	case o.HTTPRouteGroup != nil:
		for i, m := range o.HTTPRouteGroup.Matches {
			part := self
			part.part = m.Name
			n.at(part, defines, "spec", "matches", i, "name")
		}
	case o.TrafficSplit != nil:
		n.split(o.TrafficSplit)
	case o.IdentityBinding != nil:
		n.at(thing{"ServiceAccount", o.Namespace, o.IdentityBinding.ServiceAccount, ""}, refers, "spec", "schemes", "serviceAccount")
	case o.Workload != nil:
		path := append(slices.Clone(o.Workload.TemplatePath), "spec", "serviceAccountName")
		n.at(thing{"ServiceAccount", o.Namespace, o.Workload.ServiceAccount, ""}, refers, path...)
		n.at(thing{"Service", o.Namespace, o.Workload.ServiceName, ""}, refers, "spec", "serviceName")
	case o.Canary != nil:
		n.at(thing{o.Canary.TargetKind, o.Namespace, o.Canary.TargetName, ""}, refers, "spec", "targetRef", "name")
	}
	return n.out
}

func (n *naming) add(at diag.Span, t thing, r role) { n.out = append(n.out, mention{at, t, r}) }

// at adds a mention at a path in the union form, if it was written.
func (n *naming) at(t thing, r role, path ...any) {
	if own := n.o.PathTo(path...); n.written(own...) {
		n.add(n.o.At(own...), t, r)
	}
}

func (n *naming) namespace(name string, path ...any) {
	n.at(thing{"Namespace", "", name, ""}, refers, path...)
}

func (n *naming) written(path ...any) bool {
	root := n.o.Document()
	if root == nil {
		return false
	}
	_, _, left := source.Find(root, path)
	return len(left) == 0
}

func (n *naming) target(t *syntax.TrafficTarget) {
	n.subject(t.Destination, "spec", "destination")
	for i, s := range t.Sources {
		n.subject(s, "spec", "sources", i)
	}
	for i, r := range t.Rules {
		group := thing{r.Kind, n.o.Namespace, r.Name, ""}
		n.at(group, refers, "spec", "rules", i, "name")
		for j, name := range r.Matches {
			group.part = name
			n.at(group, refers, "spec", "rules", i, "matches", j)
		}
	}
}

func (n *naming) subject(s syntax.Subject, path ...any) {
	n.at(thing{s.Kind, cmp.Or(s.Namespace, n.o.Namespace), s.Name, ""}, refers, append(slices.Clone(path), "name")...)
	n.namespace(s.Namespace, append(slices.Clone(path), "namespace")...)
}

func (n *naming) split(s *syntax.TrafficSplit) {
	service := func(name string) thing {
		short, rest, _ := strings.Cut(name, ".")
		namespace, _, _ := strings.Cut(rest, ".")
		return thing{"Service", cmp.Or(namespace, n.o.Namespace), short, ""}
	}
	n.at(service(s.Service), refers, "spec", "service")
	for i, b := range s.Backends {
		n.at(service(b.Service), refers, "spec", "backends", i, "service")
	}
	for i, m := range s.Matches {
		n.at(thing{m.Kind, n.o.Namespace, m.Name, ""}, refers, "spec", "matches", i, "name")
	}
}

// inTable are the names in a verdict table.
func inTable(t *syntax.VerdictTable) []mention {
	n := &naming{o: t.Object}
	for i, c := range t.Cases {
		at := []any{"spec", "cases", i}
		if namespace, name, ok := strings.Cut(c.From, "/"); ok && !strings.Contains(c.From, "://") {
			n.at(thing{"ServiceAccount", namespace, name, ""}, refers, append(slices.Clone(at), "from")...)
		}
		namespace, rest, _ := strings.Cut(c.To, "/")
		name, _, ok := strings.Cut(rest, ":")
		if ok && !strings.HasPrefix(c.To, "external:") {
			n.at(thing{"Service", namespace, name, ""}, refers, append(slices.Clone(at), "to")...)
		}
		for _, backend := range slices.Sorted(maps.Keys(c.Split)) {
			if path := append(slices.Clone(at), "split", backend); n.written(path...) {
				n.add(n.o.AtKey(path...), thing{"Service", namespace, backend, ""}, refers)
			}
		}
		n.because(c, append(slices.Clone(at), "because"))
	}
	return n.out
}

// because names the objects that are to decide a case.
func (n *naming) because(c syntax.VerdictCase, path []any) {
	for k, text := range c.Because {
		text, _, _ = strings.Cut(text, "#")
		parts := strings.Split(text, "/")
		if len(parts) != 3 {
			continue
		}
		at := path
		if item := append(slices.Clone(path), k); n.written(item...) {
			at = item
		}
		n.at(thing{parts[0], parts[1], parts[2], ""}, refers, at...)
	}
}

// inConfig are the names in a meshc.yaml.
func inConfig(c *syntax.Config) []mention {
	if c == nil || c.Object == nil {
		return nil
	}
	n := &naming{o: c.Object}
	for _, name := range slices.Sorted(maps.Keys(c.Namespaces)) {
		if path := []any{"spec", "namespaces", name}; n.written(path...) {
			n.add(n.o.AtKey(path...), thing{"Namespace", "", name, ""}, refers)
		}
	}
	return n.out
}
