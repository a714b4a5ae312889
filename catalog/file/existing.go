package file

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// namespaces reads the namespaces that exist, with their labels of the mesh.
func (r *reader) namespaces(n *yaml.Node) (out []catalog.Namespace) {
	seen := map[string]diag.Span{}
	r.list(n, "namespaces", func(n *yaml.Node) {
		var name text
		var labels map[string]string
		r.fields(n, "the namespace",
			field{"name", true, func(n *yaml.Node) { name = r.text(n, "the namespace's name") }},
			field{"labels", false, func(n *yaml.Node) { labels = r.labels(n) }})
		first, dup := seen[name.s]
		switch {
		case name.s == "":
		case !label(name.s, false):
			r.report(diag.New("MSH4512", name.at, "%q is not the name of a namespace", name.s))
		case dup:
			r.report(diag.New("MSH4504", name.at, "namespace %q stands twice", name.s).WithRelated(first, "first here"))
		default:
			seen[name.s] = name.at
			out = append(out, catalog.Namespace{Name: name.s, Labels: labels})
		}
	})
	slices.SortFunc(out, func(a, b catalog.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// meshLabels are the labels that a catalog can say: no other is a fact.
var meshLabels = []string{ir.LabelMesh, ir.LabelInject}

func (r *reader) labels(n *yaml.Node) map[string]string {
	out := map[string]string{}
	var fs []field
	for _, name := range meshLabels {
		fs = append(fs, field{name, false, func(n *yaml.Node) { out[name] = r.text(n, "the label "+name).s }})
	}
	r.fields(n, "labels", fs...)
	if len(out) == 0 {
		return nil
	}
	return out
}

// joinAccounts takes the accounts that exist whether or not anything runs as them.
func (b *builder) joinAccounts(d document) (out []ir.Identity) {
	for _, t := range d.accounts {
		if t.s != "" {
			out = append(out, b.identity(t, d.trustDomain))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// joinBacking takes the services that workloads back without an endpoint there yet.
func (b *builder) joinBacking(d document, services map[ir.ServiceID]diag.Span) {
	for _, w := range d.workloads {
		for _, t := range w.services {
			ns, name, _ := strings.Cut(t.s, "/")
			id := ir.ServiceID{Namespace: ns, Name: name}
			if _, ok := services[id]; !ok && t.s != "" {
				b.report(diag.New("MSH4507", t.at, "no service is named %q", t.s).
					WithHelp("add it under `services`, or leave it out of workload %q", w.name.s))
			} else if done := b.workloads[w.name.s]; done != nil {
				done.Services = append(done.Services, id)
			}
		}
	}
}

// backing tells which workload has an endpoint of which service.
type backing map[string]map[ir.ServiceID]bool

func backingOf(s *catalog.Snapshot) backing {
	out := backing{}
	for _, svc := range s.Services {
		for _, e := range svc.Endpoints {
			if out[e.Workload] == nil {
				out[e.Workload] = map[ir.ServiceID]bool{}
			}
			out[e.Workload][svc.ID] = true
		}
	}
	return out
}

// rest are the services that a workload backs and that no endpoint shows.
func (b backing) rest(w catalog.Workload) []string {
	var out []string
	for _, id := range w.Services {
		if !b[w.Name][id] {
			out = append(out, id.String())
		}
	}
	return out
}

// outNamespace is the written form of a namespace.
type outNamespace struct {
	Name   string            `yaml:"name"`
	Labels map[string]string `yaml:"labels,omitempty,flow"`
}

func existing(s *catalog.Snapshot, domain string) (namespaces []outNamespace, accounts []string) {
	for _, n := range s.Namespaces {
		namespaces = append(namespaces, outNamespace(n))
	}
	for _, id := range s.Accounts {
		accounts = append(accounts, identity(id, domain))
	}
	return namespaces, accounts
}
