package policies

import (
	"slices"

	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/sieve"
)

// newest are the versions in which rules see the kinds of SMI.
var newest = map[string]string{
	"TrafficTarget": "access.smi-spec.io/v1alpha4", "IdentityBinding": "access.smi-spec.io/v1alpha4",
	"HTTPRouteGroup": "specs.smi-spec.io/v1alpha4", "TCPRoute": "specs.smi-spec.io/v1alpha4", "UDPRoute": "specs.smi-spec.io/v1alpha4",
	"TrafficSplit": "split.smi-spec.io/v1alpha4",
}

// pairs are the keys and values of an object, without those that were not written.
type pairs []any

// mostPairs is room for most objects, on the stack.
const mostPairs = 12

func (p pairs) add(key string, v any) pairs { return append(p, key, v) }

func (p pairs) text(key, v string) pairs {
	if v == "" {
		return p
	}
	return p.add(key, v)
}

// objectValue is an object as written, in the newest version of its kind.
func objectValue(o *syntax.Object) any {
	var spec *sieve.Record
	switch {
	case o.TrafficTarget != nil:
		spec = targetSpec(o.TrafficTarget)
	case o.HTTPRouteGroup != nil:
		spec = doc("matches", httpMatches(o.HTTPRouteGroup.Matches))
	case o.TCPRoute != nil:
		spec = portSpec(o.TCPRoute)
	case o.UDPRoute != nil:
		spec = portSpec(o.UDPRoute)
	case o.TrafficSplit != nil:
		spec = splitSpec(o.TrafficSplit, o.APIVersion)
	case o.IdentityBinding != nil:
		spec = bindingSpec(o.IdentityBinding)
	default:
		return writtenValue(o)
	}
	return doc("apiVersion", newest[o.Kind], "kind", o.Kind, "metadata", metadataOf(o), "spec", spec)
}

// SameObject tells whether two objects say the same, wherever and in whatever layout,
// order of keys or version they are written.
func SameObject(a, b *syntax.Object) bool {
	return sieve.ToAST(objectValue(a)).Compare(sieve.ToAST(objectValue(b))) == 0
}

func metadataOf(o *syntax.Object) *sieve.Record {
	m := append(make(pairs, 0, mostPairs), "name", o.Name, "namespace", o.Namespace)
	if o.Labels != nil {
		m = m.add("labels", textMap(o.Labels))
	}
	if o.Annotations != nil {
		m = m.add("annotations", textMap(o.Annotations))
	}
	return doc(m...)
}

// writtenValue is an object of Kubernetes, or meshc.yaml, with the namespace that
// its source gave it.
func writtenValue(o *syntax.Object) *sieve.Record {
	root, back := o.Borrow()
	defer back()
	if root == nil {
		return doc("apiVersion", o.APIVersion, "kind", o.Kind, "metadata", metadataOf(o))
	}
	out, ok := nodeValue(root).(*sieve.Record)
	if !ok {
		return doc()
	}
	if o.Namespace == "" || o.NamespaceBy == syntax.NamespaceWritten {
		return out
	}
	if meta, ok := out.Get("metadata").(*sieve.Record); ok && slices.Index(meta.Names, "namespace") < 0 {
		meta.Set("namespace", o.Namespace)
	}
	return out
}

func subject(s syntax.Subject) *sieve.Record {
	p := append(make(pairs, 0, mostPairs), "kind", s.Kind, "name", s.Name)
	p = p.text("namespace", s.Namespace)
	p = p.text("group", s.Group)
	if s.Port != nil {
		p = p.add("port", *s.Port)
	}
	return doc(p...)
}

func targetSpec(t *syntax.TrafficTarget) *sieve.Record {
	p := append(make(pairs, 0, mostPairs), "destination", subject(t.Destination))
	rules, sources := make([]any, len(t.Rules)), make([]any, len(t.Sources))
	for i, r := range t.Rules {
		rule := append(make(pairs, 0, mostPairs), "kind", r.Kind, "name", r.Name)
		if r.HasMatches {
			rule = rule.add("matches", r.Matches)
		}
		rules[i] = doc(rule...)
	}
	for i, s := range t.Sources {
		sources[i] = subject(s)
	}
	p = p.add("rules", rules)
	p = p.add("sources", sources)
	return doc(p...)
}

func httpMatches(list []syntax.HTTPMatch) []any {
	out := make([]any, len(list))
	for i, m := range list {
		p := append(make(pairs, 0, mostPairs), "name", m.Name)
		p = p.text("pathRegex", m.PathRegex)
		if m.Methods != nil {
			p = p.add("methods", m.Methods)
		}
		if m.Headers != nil {
			headers := make(pairs, 0, 2*len(m.Headers))
			for _, h := range m.Headers {
				headers = headers.add(h.Name, h.Regex)
			}
			p = p.add("headers", doc(headers...))
		}
		out[i] = doc(p...)
	}
	return out
}

func portSpec(r *syntax.PortRoute) *sieve.Record {
	if !r.HasPorts {
		return doc()
	}
	ports := make([]any, len(r.Ports))
	for i, n := range r.Ports {
		ports[i] = value(n)
	}
	return doc("matches", doc("ports", ports))
}

// splitSpec has whole weights: those of v1alpha1 are thousandths where they have
// fractions, as only ratios matter.
func splitSpec(s *syntax.TrafficSplit, apiVersion string) *sieve.Record {
	divisor := int64(1)
	if apiVersion == "split.smi-spec.io/v1alpha1" {
		divisor = 1000
		for _, b := range s.Backends {
			if b.Weight%1000 != 0 {
				divisor = 1
			}
		}
	}
	backends := make([]any, len(s.Backends))
	for i, b := range s.Backends {
		backends[i] = doc("service", b.Service, "weight", b.Weight/divisor)
	}
	p := append(make(pairs, 0, mostPairs), "service", s.Service, "backends", backends)
	if s.Matches != nil {
		refs := make([]any, len(s.Matches))
		for i, m := range s.Matches {
			ref := append(make(pairs, 0, mostPairs), "kind", m.Kind, "name", m.Name)
			ref = ref.text("apiGroup", m.APIGroup)
			refs[i] = doc(ref...)
		}
		p = p.add("matches", refs)
	}
	return doc(p...)
}

func bindingSpec(b *syntax.IdentityBinding) *sieve.Record {
	p := make(pairs, 0, mostPairs)
	if b.PodLabelSelector != nil {
		p = p.add("podLabelSelector", doc("matchLabels", textMap(b.PodLabelSelector)))
	}
	if b.SPIFFEIdentities != nil {
		p = p.add("spiffeIdentities", b.SPIFFEIdentities)
	}
	p = p.text("serviceAccount", b.ServiceAccount)
	return doc("schemes", doc(p...))
}
