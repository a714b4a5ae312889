package lsp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/lsp/protocol"
	"github.com/meshc/meshc/policies"
)

// names are the names of the mesh that the place refers to by.
func (c *cursor) names(m *model) []offer {
	if len(c.path) == 1 && (c.path[0] == "kind" || c.path[0] == "apiVersion") {
		return c.kinds()
	}
	union := c.union()
	if m == nil { // the document belongs to no mesh
		return nil
	}
	if strings.HasSuffix(union, ".namespace") {
		return m.namespaces()
	}
	own := c.namespace()
	switch c.kind + " " + union {
	case "TrafficTarget spec.destination.name", "TrafficTarget spec.sources.name":
		return m.named(cmp.Or(c.beside("kind"), "ServiceAccount"), c.beside("namespace"))
	case "TrafficTarget spec.rules.name":
		return m.named(cmp.Or(c.beside("kind"), "HTTPRouteGroup"), own)
	case "TrafficTarget spec.rules.matches":
		return m.matches(own, c.beside("name"))
	case "TrafficSplit spec.matches.name":
		return m.named("HTTPRouteGroup", own)
	case "TrafficSplit spec.service", "TrafficSplit spec.backends.service":
		return m.services(own)
	case "IdentityBinding spec.schemes.serviceAccount":
		return m.named("ServiceAccount", own)
	case "TCPRoute spec.matches.ports", "UDPRoute spec.matches.ports":
		return m.ports()
	case "VerdictTable spec.cases.from":
		return m.identities()
	case "VerdictTable spec.cases.to":
		return m.destinations()
	case "VerdictTable spec.cases.because":
		return m.targets()
	case "Mesh spec.waivers.code":
		return codeOffers()
	case "Mesh spec.waivers.target.name":
		return m.named(c.beside("kind"), c.beside("namespace"))
	}
	if strings.HasSuffix(union, "spec.serviceAccountName") {
		return m.named("ServiceAccount", own)
	}
	return nil
}

// named are the objects of a kind; without a namespace, those of all.
func (m *model) named(kind, namespace string) []offer {
	var out []offer
	wanted := func(t thing) bool {
		return t.kind == kind && t.part == "" && (namespace == "" || t.namespace == namespace)
	}
	for _, t := range m.index().defined(wanted) {
		out = append(out, offer{t.name, strings.TrimPrefix(t.kind+" in "+t.namespace, " "), protocol.CompleteReference})
	}
	return out
}

func (m *model) namespaces() []offer {
	var out []offer
	for _, n := range m.result.Inventory.Namespaces {
		out = append(out, offer{n.Name, "Namespace", protocol.CompleteModule})
	}
	return out
}

// matches are those of a group, with what they say.
func (m *model) matches(namespace, group string) []offer {
	o := m.index().objects[thing{"HTTPRouteGroup", namespace, group, ""}]
	if o == nil || o.HTTPRouteGroup == nil {
		return nil
	}
	var out []offer
	for _, match := range o.HTTPRouteGroup.Matches {
		out = append(out, offer{match.Name, strings.ReplaceAll(written(match), "`", ""), protocol.CompleteReference})
	}
	return out
}

func (m *model) services(namespace string) []offer {
	var out []offer
	for _, s := range m.result.Mesh.Services {
		if s.ID.Namespace == namespace {
			out = append(out, offer{s.ID.Name, "Service in " + namespace, protocol.CompleteReference})
		}
	}
	return out
}

// ports are the numbers of all service ports, with who has them.
func (m *model) ports() []offer {
	var out []offer
	for _, s := range m.result.Mesh.Services {
		for _, p := range s.Ports {
			text := fmt.Sprint(p.Number)
			if !slices.ContainsFunc(out, func(o offer) bool { return o.text == text }) {
				out = append(out, offer{text, s.ID.String() + " " + string(p.Protocol), protocol.CompleteValue})
			}
		}
	}
	return out
}

// identities, destinations and targets are what verdict tables name.
func (m *model) identities() []offer {
	out := []offer{}
	for _, id := range m.result.Mesh.Identities {
		out = append(out, offer{id.Short(), "identity", protocol.CompleteReference})
	}
	return append(out, offer{"outside", "a client without an identity", protocol.CompleteEnum})
}

func (m *model) destinations() []offer {
	var out []offer
	for _, s := range m.result.Mesh.Services {
		for _, p := range s.Ports {
			out = append(out, offer{fmt.Sprintf("%s:%d", s.ID, p.Number), string(p.Protocol), protocol.CompleteReference})
		}
	}
	return out
}

func (m *model) targets() []offer {
	var out []offer
	for _, t := range m.index().defined(func(t thing) bool { return t.kind == "TrafficTarget" }) {
		out = append(out, offer{t.String(), m.plainLine(t), protocol.CompleteReference})
	}
	return append(out, offer{"none", "no grant", protocol.CompleteEnum})
}

func (m *model) plainLine(t thing) string { return strings.ReplaceAll(m.oneLine(t), "`", "") }

// codeOffers are the codes that a waiver may name.
func codeOffers() []offer {
	var out []offer
	for _, e := range append(diag.Codes(), policies.Entries()...) {
		if e.Code.Waivable() {
			out = append(out, offer{string(e.Code), e.Title, protocol.CompleteValue})
		}
	}
	return out
}
