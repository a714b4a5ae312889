package lab

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
	"github.com/meshc/meshc/compiler/verdict"
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

// suggestions are commands that show something: a call that a verdict table
// allows, one that it denies, and the tables.
func (l *Lab) suggestions() []string {
	result, t := l.Compiled(), l.Topology()
	shown := map[string]bool{}
	var out []string
	for _, table := range result.Tables {
		for _, c := range table.Cases {
			line := l.curl(t, c)
			if line == "" || shown[c.Expect] {
				continue
			}
			shown[c.Expect] = true
			out = append(out, line)
		}
	}
	if len(result.Tables) > 0 {
		return append(out, "meshc lab test")
	}
	for _, p := range t.Pods {
		return append(out, "meshc lab exec "+p.Namespace+"/"+p.Workload+" -- cat /etc/resolv.conf")
	}
	return out
}

// curl is the command that sends the request of a case; empty where it cannot.
func (l *Lab) curl(t *Topology, c syntax.VerdictCase) string {
	r, err := verdict.Question(l.Compiled().Mesh.Settings.TrustDomain, c)
	if err != nil || r.HTTP == nil || r.External != "" {
		return ""
	}
	i := slices.IndexFunc(t.Pods, func(p *Pod) bool { return p.Meshed && p.Identity == r.From })
	if i < 0 {
		return ""
	}
	line := fmt.Sprintf("meshc lab exec %s/%s -- curl -si", t.Pods[i].Namespace, t.Pods[i].Workload)
	if r.HTTP.Method != "GET" {
		line += " -X " + r.HTTP.Method
	}
	for _, h := range r.HTTP.Headers {
		line += fmt.Sprintf(" -H '%s: %s'", h.Name, h.Value)
	}
	return fmt.Sprintf("%s http://%s.%s:%d%s", line, r.To.Service.Name, r.To.Service.Namespace, r.To.Port, r.HTTP.Path)
}
