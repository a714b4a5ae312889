package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
)

// identityView is one identity's side of the mesh.
type identityView struct {
	Identity  ir.Identity    `json:"identity"`
	SNI       string         `json:"sni"`
	Calls     []callView     `json:"calls"`
	Roles     []roleView     `json:"roles"`
	Resources []resourceView `json:"resources"`
}

type callView struct {
	Port     string      `json:"port"`
	Protocol ir.Protocol `json:"protocol"`
	Mode     ir.Mode     `json:"mode"`            // of the destination
	Because  []causeView `json:"because"`         // grants; empty where the mode opens it, or for another leaf of a split
	Split    string      `json:"split,omitempty"` // the split that divides the calls
}

type roleView struct {
	Role  string     `json:"role"`
	Ports []portView `json:"ports"`
}

type portView struct {
	Services   []string     `json:"services"`
	Mode       ir.Mode      `json:"mode"`
	Plaintext  bool         `json:"plaintext"` // clients without a mesh certificate may reach it
	Protocol   ir.Protocol  `json:"protocol"`
	TargetPort uint16       `json:"targetPort,omitempty"`
	Clients    []clientView `json:"clients"`
}

type clientView struct {
	Identity string      `json:"identity"`
	Because  []causeView `json:"because"`
}

// causeView is a grant and where it is written.
type causeView struct {
	Grant string `json:"grant"`
	At    string `json:"at,omitempty"`
}

type resourceView struct {
	Type    ir.ResourceType `json:"type"`
	Name    string          `json:"name"`
	Bytes   int             `json:"bytes"`
	Version string          `json:"version"`
}

func viewIdentity(b *bundle.Bundle, id ir.Identity) identityView {
	v := identityView{Identity: id, SNI: id.SNI(), Calls: []callView{}, Roles: []roleView{}, Resources: []resourceView{}}
	sent := newSending(b)
	plan := b.Plan.Identities[slices.IndexFunc(b.Plan.Identities, func(p ir.IdentityPlan) bool { return p.Identity == id })]
	for _, port := range b.Plan.Scopes[plan.Scope].Outbound {
		call := callView{Port: port.String(), Protocol: sent.outbound[port].Protocol, Because: []causeView{}, Mode: b.Mesh.Namespace(port.Service.Namespace).Mode}
		for _, g := range b.Mesh.Grants {
			if slices.Contains(g.Sources, id) && slices.Contains(g.Ports, port) {
				call.Because = append(call.Because, cause(b, g.Name))
			}
		}
		for _, s := range b.Mesh.Splits {
			if s.Root == port.Service {
				call.Split = s.Name
			}
		}
		v.Calls = append(v.Calls, call)
	}
	for _, r := range sent.roles[id] {
		v.Roles = append(v.Roles, viewRole(b, r))
	}
	for _, r := range sent.refs(plan) {
		v.Resources = append(v.Resources, resourceView{b.Plan.Resources[r].Type, b.Plan.Resources[r].Name, len(b.Any(r)), b.Version(r)})
	}
	return v
}

func viewRole(b *bundle.Bundle, r *ir.RolePlan) roleView {
	v := roleView{Role: ir.RoleName(r.Identity, r.Services), Ports: []portView{}}
	for _, p := range r.Ports {
		port := portView{Protocol: p.Protocol, TargetPort: p.TargetPort, Services: []string{}, Clients: []clientView{}}
		because := map[ir.Identity][]causeView{}
		for _, s := range p.Services {
			port.Services = append(port.Services, s.String())
			port.Mode, port.Plaintext = openness(b.Mesh, r.Identity, s, port.Plaintext)
		}
		for _, g := range b.Mesh.Grants {
			opens := slices.ContainsFunc(g.Ports, func(id ir.PortID) bool { return slices.Contains(p.Services, id) })
			if g.Destination != r.Identity || !opens {
				continue
			}
			for _, from := range g.Sources {
				because[from] = append(because[from], cause(b, g.Name))
			}
		}
		for from, causes := range because {
			port.Clients = append(port.Clients, clientView{from.Short(), causes})
		}
		slices.SortFunc(port.Clients, func(a, b clientView) int { return strings.Compare(a.Identity, b.Identity) })
		v.Ports = append(v.Ports, port)
	}
	return v
}

// openness is what may call a port without a grant.
func openness(m *ir.Mesh, server ir.Identity, id ir.PortID, plaintext bool) (ir.Mode, bool) {
	_, namespace, _, _ := server.Split()
	settings := m.Namespace(namespace)
	if s, ok := m.Service(id.Service); ok {
		if p, ok := s.Port(id.Port); ok {
			plaintext = plaintext || p.Plaintext
		}
	}
	return settings.Mode, plaintext || settings.PlaintextAllowed
}

func cause(b *bundle.Bundle, grant string) causeView {
	c := causeView{Grant: grant}
	if o, ok := b.Mesh.Origins[grant]; ok {
		c.At = fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return c
}

func (v identityView) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (SNI %s)\n\nmay call\n", v.Identity, v.SNI)
	table(&b, func(row func(...any)) {
		for _, c := range v.Calls {
			because := causes(c.Because)
			if c.Mode != ir.Strict {
				because = "the namespace's mode is " + string(c.Mode)
			}
			row(c.Port, c.Protocol, because, c.Split)
		}
		if len(v.Calls) == 0 {
			row("nothing")
		}
	})
	for _, r := range v.Roles {
		for _, p := range r.Ports {
			fmt.Fprintf(&b, "\nserves %s (%s) to\n", strings.Join(p.Services, ", "), p.Protocol)
			table(&b, func(row func(...any)) {
				for _, c := range p.Clients {
					row(c.Identity, causes(c.Because))
				}
				switch {
				case p.Mode != ir.Strict:
					row("every mesh identity", "the namespace's mode is "+string(p.Mode))
				case len(p.Clients) == 0:
					row("nobody by a grant")
				}
				if p.Plaintext {
					row("clients without a mesh certificate", "plaintext is allowed")
				}
			})
		}
	}
	b.WriteString("\nis made of\n")
	table(&b, func(row func(...any)) {
		for _, r := range v.Resources {
			row(r.Type, r.Name, size(r.Bytes), r.Version[:12])
		}
	})
	return b.String()
}

func causes(all []causeView) string {
	var out []string
	for _, c := range all {
		text := c.Grant
		if c.At != "" {
			text += " (" + c.At + ")"
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "no grant of its own"
	}
	return strings.Join(out, ", ")
}
