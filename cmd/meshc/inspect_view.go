package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/meshc/meshc/compiler/bundle"
	"github.com/meshc/meshc/compiler/ir"
)

// bundleView is what `meshc inspect` shows of a bundle.
type bundleView struct {
	Path         string         `json:"path"`
	Mesh         string         `json:"mesh"`
	Environment  string         `json:"environment,omitempty"`
	Revision     string         `json:"revision,omitempty"`
	Epoch        int64          `json:"epoch,omitempty"`
	Judged       string         `json:"judged,omitempty"`
	Format       string         `json:"format"`
	Requires     []string       `json:"requires"`
	PolicyDigest string         `json:"policyDigest"`
	BundleDigest string         `json:"bundleDigest"`
	Signatures   []string       `json:"signatures,omitempty"` // files; "meshc verify --key" judges them
	Files        []fileView     `json:"files"`
	Mode         ir.Mode        `json:"mode"`
	Policy       policyCounts   `json:"policy"`
	Resources    []typeView     `json:"resources"`
	LateFacts    []countView    `json:"lateFacts"`
	Findings     map[string]int `json:"findings"`
	Identities   []identityRow  `json:"identities"`
}

type fileView struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

type policyCounts struct {
	Services int `json:"services"`
	Roles    int `json:"roles"`
	Grants   int `json:"grants"`
	Splits   int `json:"splits"`
}

type typeView struct {
	Type  ir.ResourceType `json:"type"`
	Count int             `json:"count"`
	Bytes int             `json:"bytes"`
}

type countView struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// identityRow is what one identity's proxies are sent, before link.
type identityRow struct {
	Identity  string   `json:"identity"`
	Calls     []string `json:"calls"`
	Serves    []string `json:"serves"`
	Resources int      `json:"resources"`
	Bytes     int      `json:"bytes"`
}

func viewBundle(path string, b *bundle.Bundle) bundleView {
	m := b.Manifest
	v := bundleView{
		Path: path, Mesh: m.Mesh, Environment: m.Environment, Revision: m.Revision, Epoch: m.Epoch, Judged: m.Judged,
		Format: m.Format.String(), Requires: m.Requires, PolicyDigest: m.PolicyDigest, BundleDigest: m.BundleDigest,
		Signatures: slices.Sorted(maps.Keys(b.Signatures())),
		Files:      []fileView{}, Mode: b.Mesh.Settings.Mode,
		Policy:    policyCounts{len(b.Mesh.Services), len(b.Mesh.Roles), len(b.Mesh.Grants), len(b.Mesh.Splits)},
		Resources: countTypes(b), LateFacts: countLate(b.Plan.Late), Findings: countBySeverity(b.Findings),
		Identities: []identityRow{},
	}
	for _, f := range m.Files {
		v.Files = append(v.Files, fileView{f.Path, f.Size})
	}
	sent := newSending(b)
	for _, id := range b.Plan.Identities {
		v.Identities = append(v.Identities, sent.row(id))
	}
	return v
}

func countTypes(b *bundle.Bundle) []typeView {
	out := []typeView{}
	for i, r := range b.Plan.Resources {
		if len(out) == 0 || out[len(out)-1].Type != r.Type {
			out = append(out, typeView{Type: r.Type})
		}
		last := &out[len(out)-1]
		last.Count++
		last.Bytes += len(b.Any(ir.Ref(i)))
	}
	return out
}

func countLate(facts []ir.LateFact) []countView {
	counts := map[string]int{}
	for _, f := range facts {
		counts[f.Kind]++
	}
	out := []countView{}
	for kind, n := range counts {
		out = append(out, countView{kind, n})
	}
	slices.SortFunc(out, func(a, b countView) int { return strings.Compare(a.Kind, b.Kind) })
	return out
}

// sending follows a plan's references.
type sending struct {
	b        *bundle.Bundle
	outbound map[ir.PortID]*ir.OutboundPort
	clusters map[ir.PortID]ir.Ref
	roles    map[ir.Identity][]*ir.RolePlan
}

func newSending(b *bundle.Bundle) *sending {
	s := &sending{b: b, outbound: map[ir.PortID]*ir.OutboundPort{}, clusters: map[ir.PortID]ir.Ref{}, roles: map[ir.Identity][]*ir.RolePlan{}}
	for i := range b.Plan.Outbound {
		s.outbound[b.Plan.Outbound[i].Port] = &b.Plan.Outbound[i]
	}
	for _, c := range b.Plan.Clusters {
		s.clusters[c.Port] = c.Resource
	}
	for i, r := range b.Plan.Roles {
		s.roles[r.Identity] = append(s.roles[r.Identity], &b.Plan.Roles[i])
	}
	return s
}

// refs are the resources that an identity's proxies are made of, each once.
func (s *sending) refs(id ir.IdentityPlan) []ir.Ref {
	scope := s.b.Plan.Scopes[id.Scope]
	refs := append([]ir.Ref{scope.Virtual, scope.Ranged}, scope.Extra...)
	for _, port := range scope.Outbound {
		o := s.outbound[port]
		refs = append(refs, o.Listener, o.Route, o.Extension, o.Direct)
		for _, c := range o.Clusters {
			if !slices.Contains(scope.Without, c) {
				refs = append(refs, s.clusters[c])
			}
		}
	}
	for _, r := range s.roles[id.Identity] {
		refs = append(refs, r.Listener)
		for _, p := range r.Ports {
			refs = append(append(refs, p.Route, p.Extension), p.Chains...)
		}
	}
	refs = slices.DeleteFunc(refs, func(r ir.Ref) bool { return r == ir.NoRef })
	slices.Sort(refs)
	return slices.Compact(refs)
}

func (s *sending) row(id ir.IdentityPlan) identityRow {
	row := identityRow{Identity: id.Identity.Short(), Calls: []string{}, Serves: []string{}}
	for _, port := range s.b.Plan.Scopes[id.Scope].Outbound {
		row.Calls = append(row.Calls, port.String())
	}
	for _, r := range s.roles[id.Identity] {
		for _, p := range r.Ports {
			for _, port := range p.Services {
				row.Serves = append(row.Serves, port.String())
			}
		}
	}
	slices.Sort(row.Serves)
	row.Serves = slices.Compact(row.Serves)
	for _, r := range s.refs(id) {
		row.Resources++
		row.Bytes += len(s.b.Any(r))
	}
	return row
}

// epoch is empty for a bundle that is of no order.
func (v bundleView) epoch() string {
	if v.Epoch == 0 {
		return ""
	}
	return strconv.FormatInt(v.Epoch, 10)
}

func (v bundleView) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mesh %q, %s mode, from %s\n", v.Mesh, v.Mode, v.Path)
	for _, line := range [][2]string{
		{"environment", v.Environment}, {"revision", v.Revision}, {"epoch", v.epoch()}, {"judged", v.Judged},
		{"policy digest", v.PolicyDigest}, {"bundle digest", v.BundleDigest}, {"signatures", strings.Join(v.Signatures, ", ")},
		{"format", v.Format + ", requires " + strings.Join(v.Requires, ", ")},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "  %-14s %s\n", line[0], line[1])
		}
	}
	fmt.Fprintf(&b, "  %-14s %s, %s, %s, %s\n", "policy", plural(v.Policy.Services, "service"), plural(v.Policy.Roles, "role"), plural(v.Policy.Grants, "grant"), plural(v.Policy.Splits, "split"))
	fmt.Fprintf(&b, "  %-14s %s, %s, %s\n", "findings", plural(v.Findings["error"], "error"), plural(v.Findings["warning"], "warning"), plural(v.Findings["info"], "info"))
	b.WriteString("\nresources\n")
	table(&b, func(row func(...any)) {
		for _, t := range v.Resources {
			row(t.Type, t.Count, size(t.Bytes))
		}
	})
	b.WriteString("\nbound at run time\n")
	table(&b, func(row func(...any)) {
		for _, l := range v.LateFacts {
			row(l.Kind, l.Count)
		}
	})
	b.WriteString("\nwho gets what\n")
	table(&b, func(row func(...any)) {
		row("IDENTITY", "CALLS", "SERVES", "RESOURCES", "SIZE")
		for _, i := range v.Identities {
			row(i.Identity, some(i.Calls), some(i.Serves), i.Resources, size(i.Bytes))
		}
	})
	return b.String()
}

// some is a list cut short for a table.
func some(names []string) string {
	switch {
	case len(names) == 0:
		return "-"
	case len(names) > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

func size(n int) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/1024)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

func table(b *strings.Builder, fill func(row func(cells ...any))) {
	var padded strings.Builder
	w := tabwriter.NewWriter(&padded, 0, 0, 2, ' ', 0)
	fill(func(cells ...any) {
		text := make([]string, len(cells))
		for i, c := range cells {
			text[i] = fmt.Sprint(c)
		}
		fmt.Fprintln(w, "  "+strings.Join(text, "\t"))
	})
	w.Flush()
	for line := range strings.Lines(padded.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}
