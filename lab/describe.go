package lab

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/meshc/meshc/compiler/ir"
)

// Describe prints what runs, where it is, and what to try.
func (l *Lab) Describe(w io.Writer) {
	t := l.Topology()
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "POD\tIDENTITY\tENVOY\tRUNS\tADDRESSES")
	for _, p := range t.Pods {
		envoy, runs := "yes", "echo"
		if !p.Meshed {
			envoy = "no"
		}
		if p.Command != "" {
			runs = p.Command
		} else if len(p.Ports) == 0 {
			runs = "client"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.ID(), p.Identity.Short(), envoy, runs, addresses(p.Addresses))
	}
	table.Flush()
	fmt.Fprintln(w)
	fmt.Fprintln(table, "SERVICE\tPORTS\tADDRESSES")
	for _, s := range t.Services {
		where := addresses(s.Addresses)
		if s.Headless {
			where = "headless"
		}
		fmt.Fprintf(table, "%s.%s\t%s\t%s\n", s.ID.Name, s.ID.Namespace, ports(s.Ports), where)
	}
	table.Flush()
	fmt.Fprintf(w, "\nTry:\n")
	for _, line := range l.suggestions() {
		fmt.Fprintln(w, "  "+line)
	}
	fmt.Fprintf(w, "Logs: %s\nCtrl-C or 'meshc lab down' ends it.\n", l.Log())
}

func addresses(all []netip.Addr) string {
	out := make([]string, len(all))
	for i, a := range all {
		out[i] = a.String()
	}
	return strings.Join(out, " ")
}

func ports(all []ir.Port) string {
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = fmt.Sprintf("%d/%s", p.Number, p.Protocol)
	}
	return strings.Join(out, " ")
}

// suggestions are commands that show something: a call that a grant allows, the
// verdict tables.
func (l *Lab) suggestions() []string {
	var out []string
	result, t := l.Compiled(), l.Topology()
	for _, g := range result.Mesh.Grants {
		if line := suggestion(result.Mesh, t, g); line != "" {
			out = append(out, line)
			break
		}
	}
	if len(result.Tables) > 0 {
		out = append(out, "meshc lab test")
	}
	return out
}

func suggestion(m *ir.Mesh, t *Topology, g ir.Grant) string {
	for _, source := range g.Sources {
		for _, p := range t.Pods {
			if p.Identity != source || !p.Meshed {
				continue
			}
			for _, id := range g.Ports {
				s, _ := m.Service(id.Service)
				if port, ok := s.Port(id.Port); ok && port.Protocol == ir.HTTP {
					return fmt.Sprintf("meshc lab exec %s/%s -- curl -si http://%s.%s:%d/", p.Namespace, p.Workload, id.Service.Name, id.Service.Namespace, id.Port)
				}
			}
		}
	}
	return ""
}
