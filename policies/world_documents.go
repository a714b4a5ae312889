package policies

import (
	"maps"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/meshc/meshc/compiler/ir"
)

// meshShape is the schema of data.mesh. The maps in it are keyed by names; what
// their entries hold is in entryShapes.
var meshShape = record(withBefore(shape{
	"settings": record(shape{
		"name": text, "trustDomain": text, "clusterDomain": text, "mode": text,
		"egress": text, "plaintext": text, "compat": text,
	}),
	"namespaces": anyMap, "identities": anyMap, "services": anyMap, "grants": anyMap,
	"calls": anyMap, "splits": anyMap, "workloads": anyMap, "references": anyMap, "objects": anyMap,
}))

// before is where the state that a mesh follows lies in data.mesh, in the same shape.
const before = "before"

func withBefore(documents shape) shape {
	out := maps.Clone(documents)
	out[before] = record(documents)
	return out
}

func (w *World) settings() ast.Value {
	s := w.mesh.Settings
	return doc("name", s.Name, "trustDomain", s.TrustDomain, "clusterDomain", s.ClusterDomain, "mode", string(s.Mode),
		"egress", allow(s.EgressAllowed), "plaintext", allow(s.PlaintextAllowed), "compat", string(s.Compat))
}

// allow is how meshc.yaml writes a switch.
func allow(open bool) string {
	if open {
		return "allow"
	}
	return "deny"
}

func (w *World) namespace(name string) ast.Value {
	n := w.mesh.Namespace(name)
	labels, annotations := map[string]string(nil), map[string]string(nil)
	if o := w.objects().namespaces[name]; o != nil {
		labels, annotations = o.Labels, o.Annotations
	}
	return doc("name", name, "mode", string(n.Mode), "egress", allow(n.EgressAllowed), "plaintext", allow(n.PlaintextAllowed),
		"labels", textMap(labels), "annotations", textMap(annotations))
}

func (w *World) identity(name string) ast.Value {
	own := w.index().identities[name]
	_, namespace, account, _ := own.id.Split()
	return doc("name", name, "spiffe", string(own.id), "namespace", namespace, "account", account,
		"services", own.services, "workloads", own.workloads, "outgoing", own.outgoing, "incoming", own.incoming)
}

// calls are the identities that an identity may call: a graph for graph.reachable.
func (w *World) calls(name string) ast.Value {
	x := w.index()
	var out []string
	for _, g := range x.identities[name].outgoing {
		out = append(out, x.grants[g].Destination.Short())
	}
	return value(sorted(out))
}

func (w *World) service(name string) ast.Value {
	x := w.index()
	s := x.services[name]
	ports := make([]ast.Value, len(s.Ports))
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

func (w *World) grant(name string) ast.Value {
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
func refOf(name string) ast.Value {
	kind, rest, _ := strings.Cut(name, "/")
	namespace, name, _ := strings.Cut(rest, "/")
	return doc("kind", kind, "namespace", namespace, "name", name)
}

// matches are request classes as resolved: the path is an expression for the whole path.
func matches(list []ir.Match) []ast.Value {
	out := make([]ast.Value, len(list))
	for i, m := range list {
		headers := make([]ast.Value, len(m.Headers))
		for k, h := range m.Headers {
			headers[k] = doc("name", h.Name, "regex", h.Regex, "full", h.Full)
		}
		group, match, _ := strings.Cut(m.Name, "#")
		out[i] = doc("name", m.Name, "group", refOf(group), "match", match, "path", m.Path, "methods", m.Methods, "headers", headers)
	}
	return out
}

func (w *World) split(name string) ast.Value {
	s := w.index().splits[name]
	backends := make([]ast.Value, len(s.Backends))
	for i, b := range s.Backends {
		ports := make([]ast.Value, len(b.Ports))
		for k, p := range b.Ports {
			ports[k] = value(int(p))
		}
		backends[i] = doc("service", b.Service.String(), "weight", int(b.Weight), "ports", ports, "missing", b.Missing)
	}
	return doc("name", name, "object", refOf(name), "root", s.Root.String(), "backends", backends, "matches", matches(s.Matches))
}

func (w *World) workload(name string) ast.Value {
	v := w.index().workloads[name]
	services := make([]string, len(v.Services))
	for i, s := range v.Services {
		services[i] = s.String()
	}
	return doc("name", name, "object", refOf(name), "identity", v.Identity.Short(), "meshed", v.Meshed, "replicas", v.Replicas,
		"services", services, "labels", textMap(v.Labels), "annotations", textMap(v.Annotations))
}

func (w *World) reference(name string) ast.Value {
	r := w.references()[name]
	return doc("to", r.to, "from", r.from, "grants", r.grants)
}

func (w *World) object(kind, key string) ast.Value {
	return w.values[w.objects().kinds[kind][key]].get()
}
