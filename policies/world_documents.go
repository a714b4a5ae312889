package policies

import (
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/policies/sieve"
)

// makeDocuments lays out data.mesh.
func (w *World) makeDocuments() {
	add := func(d *document) *document {
		d.number = len(w.docs)
		w.docs = append(w.docs, d)
		return d
	}
	identities := func() map[string]*identityIndex { return w.index().identities }
	w.data = folder{
		"settings":   add(mapped(w.setting, w.settings)),
		"namespaces": add(mapped(w.namespace, func() map[string]*space { return w.objects().spaces })),
		"identities": add(mapped(w.identity, identities)),
		"services":   add(mapped(w.service, func() map[string]*ir.Service { return w.index().services })),
		"calls":      add(mapped(w.calls, identities)),
		"grants":     add(mapped(w.grant, func() map[string]*ir.Grant { return w.index().grants })),
		"splits":     add(mapped(w.split, func() map[string]*ir.Split { return w.index().splits })),
		"workloads":  add(mapped(w.workload, func() map[string]*ir.InventoryWorkload { return w.index().workloads })),
		"references": add(mapped(w.reference, func() map[string]*references { return w.references() })),
	}
	kinds := folder{}
	for _, kind := range Kinds() {
		kinds[kind] = add(mapped(func(key string) any { return w.object(kind, key) },
			func() map[string]*syntax.Object { return w.objects().kinds[kind] }))
	}
	w.data["objects"] = kinds
}

func (w *World) settings() map[string]any {
	s := w.mesh.Settings
	return map[string]any{
		"name": s.Name, "trustDomain": s.TrustDomain, "clusterDomain": s.ClusterDomain, "mode": string(s.Mode),
		"egress": allow(s.EgressAllowed), "plaintext": allow(s.PlaintextAllowed), "compat": string(s.Compat),
	}
}

func (w *World) setting(name string) any { return w.settings()[name] }

// allow is how meshc.yaml writes a switch.
func allow(open bool) string {
	if open {
		return "allow"
	}
	return "deny"
}

func (w *World) namespace(name string) any {
	n := w.mesh.Namespace(name)
	labels, annotations := map[string]string(nil), map[string]string(nil)
	if o := w.objects().spaces[name].object; o != nil {
		labels, annotations = o.Labels, o.Annotations
	}
	return doc("name", name, "mode", string(n.Mode), "egress", allow(n.EgressAllowed), "plaintext", allow(n.PlaintextAllowed),
		"labels", textMap(labels), "annotations", textMap(annotations))
}

func (w *World) identity(name string) any {
	own := w.index().identities[name]
	_, namespace, account, _ := own.id.Split()
	return doc("name", name, "spiffe", string(own.id), "namespace", namespace, "account", account,
		"services", own.services, "workloads", own.workloads, "outgoing", own.outgoing, "incoming", own.incoming)
}

// calls are the identities that an identity may call: a graph for graph.reachable.
func (w *World) calls(name string) any {
	x := w.index()
	var out []string
	for _, g := range x.identities[name].outgoing {
		out = append(out, x.grants[g].Destination.Short())
	}
	return value(sorted(out))
}

func (w *World) service(name string) any {
	x := w.index()
	s := x.services[name]
	ports := make([]any, len(s.Ports))
	for i, p := range s.Ports {
		ports[i] = doc("port", int(p.Number), "name", p.Name, "protocol", string(p.Protocol), "plaintext", p.Plaintext,
			"targetPort", int(p.TargetPort), "targetName", p.TargetName)
	}
	return doc("name", name, "namespace", s.ID.Namespace, "service", s.ID.Name, "headless", s.Headless, "outside", s.Outside,
		"accounts", shorts(s.Accounts), "ports", ports,
		"incoming", x.opened[name], "roots", x.rooted[name], "leaves", x.leaves[name])
}

func shorts(ids []ir.Identity) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Short()
	}
	return out
}

func (w *World) grant(name string) any {
	g := w.index().grants[name]
	ports := make([]string, len(g.Ports))
	for i, p := range g.Ports {
		ports[i] = p.String()
	}
	object, rule, _ := strings.Cut(name, "#rule")
	number, _ := strconv.Atoi(rule)
	return doc("name", name, "object", refOf(object), "rule", number, "sources", shorts(g.Sources), "destination", g.Destination.Short(),
		"ports", ports, "services", servicesOf(g), "http", matches(g.HTTP), "anyRequest", len(g.HTTP) == 0)
}

// refOf is {kind, namespace, name} of a name such as TrafficTarget/NS/NAME.
func refOf(name string) *sieve.Record {
	kind, rest, _ := strings.Cut(name, "/")
	namespace, name, _ := strings.Cut(rest, "/")
	return doc("kind", kind, "namespace", namespace, "name", name)
}

// matches are request classes as resolved: the path is an expression for the whole path.
func matches(list []ir.Match) []any {
	out := make([]any, len(list))
	for i, m := range list {
		headers := make([]any, len(m.Headers))
		for k, h := range m.Headers {
			headers[k] = doc("name", h.Name, "regex", h.Regex, "full", h.Full)
		}
		group, match, _ := strings.Cut(m.Name, "#")
		out[i] = doc("name", m.Name, "group", refOf(group), "match", match, "path", m.Path, "methods", m.Methods, "headers", headers)
	}
	return out
}

func (w *World) split(name string) any {
	s := w.index().splits[name]
	backends := make([]any, len(s.Backends))
	for i, b := range s.Backends {
		ports := make([]any, len(b.Ports))
		for k, p := range b.Ports {
			ports[k] = value(int(p))
		}
		backends[i] = doc("service", b.Service.String(), "weight", int(b.Weight), "ports", ports, "missing", b.Missing)
	}
	return doc("name", name, "object", refOf(name), "root", s.Root.String(), "backends", backends, "matches", matches(s.Matches))
}

func (w *World) workload(name string) any {
	v := w.index().workloads[name]
	services := make([]string, len(v.Services))
	for i, s := range v.Services {
		services[i] = s.String()
	}
	return doc("name", name, "object", refOf(name), "identity", v.Identity.Short(), "meshed", v.Meshed, "replicas", v.Replicas,
		"services", services, "labels", textMap(v.Labels), "annotations", textMap(v.Annotations))
}

func (w *World) reference(name string) any {
	r := w.references()[name]
	return doc("to", r.to, "from", r.from, "grants", r.grants)
}

func (w *World) object(kind, key string) any {
	return w.values[w.objects().kinds[kind][key]].get()
}
