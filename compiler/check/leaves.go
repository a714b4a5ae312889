package check

import (
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// readSplits are the splits of a namespace by name.
func (j *judge) readSplits(ns string) map[string]ir.Split {
	out := map[string]ir.Split{}
	for _, s := range j.Splits(ns) {
		out[s.Name] = s
	}
	return out
}

// unlikeLeaves finds clients that may call some leaves of a split and not, or not
// in the same way, the others: the leaf that is chosen decides (row 49).
func unlikeLeaves(j *judge, p place) diag.List {
	s := j.split.Get(p)
	if j.Policy(s.Root.Namespace).Mode != ir.Strict {
		return nil
	}
	var found diag.List
	said := map[ir.Identity]bool{}
	j = j.comparing()
	for _, port := range portsOf(s) {
		found.Add(j.unlikeLeavesOn(s, port, said)...)
	}
	return found
}

// portsOf are the ports that at least two leaves with a weight serve.
func portsOf(s ir.Split) []uint16 {
	var out []uint16
	seen := map[uint16]int{}
	for _, b := range s.Backends {
		for _, p := range b.Ports {
			if b.Weight > 0 && !b.Missing {
				if seen[p]++; seen[p] == 2 {
					out = append(out, p)
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

func (j *judge) unlikeLeavesOn(s ir.Split, port uint16, said map[ir.Identity]bool) diag.List {
	var leaves []ir.Backend
	var granted []access
	clients := map[ir.Identity]bool{}
	for _, b := range s.Backends {
		svc := j.Service(b.Service)
		if svc == nil || b.Weight == 0 || b.Missing || !slices.Contains(b.Ports, port) {
			continue
		}
		a := j.accessTo(svc.Accounts, ir.PortID{Service: b.Service, Port: port})
		for id := range a {
			clients[id] = true
		}
		leaves, granted = append(leaves, b), append(granted, a)
	}
	var found diag.List
	for _, client := range slices.Sorted(maps.Keys(clients)) {
		if said[client] {
			continue
		}
		has := slices.IndexFunc(granted, func(a access) bool { return len(a[client]) > 0 })
		for i := range leaves {
			if i == has || j.alike(granted[i][client], granted[has][client]) {
				continue
			}
			said[client] = true
			found.Add(j.reportLeaf(s, client, leaves[has], leaves[i], len(granted[i][client]) == 0))
			break
		}
	}
	return found
}

func (j *judge) reportLeaf(s ir.Split, client ir.Identity, may, other ir.Backend, none bool) diag.Finding {
	o := j.named(s.Name)
	path := []any{"spec", "backends"}
	for i, b := range o.TrafficSplit.Backends {
		if name, _, _ := strings.Cut(b.Service, "."); name == other.Service.Name {
			path = []any{"spec", "backends", i, "service"}
		}
	}
	f := finding(o, "MSH2017", path, "%s may call %s, but not %s", client.Short(), may.Service.Name, other.Service.Name).
		WithEffect("the share of %s in its calls to %s is answered 403", other.Service.Name, s.Root.Name)
	if !none {
		f = finding(o, "MSH2017", path, "%s may call %s and %s, but not in the same way", client.Short(), may.Service.Name, other.Service.Name).
			WithEffect("some of its calls to %s are answered 403, depending on the leaf", s.Root.Name)
	}
	if svc := j.Service(may.Service); svc != nil {
		for _, account := range svc.Accounts {
			for _, g := range j.grants.Get(account) {
				if t, rule := j.rule(g.Name); t != nil && slices.Contains(g.Sources, client) {
					return f.WithRelated(t.AtUnion(rule...), "what grants it "+may.Service.Name).
						WithHelp("grant the same for the service account of %s", other.Service.Name)
				}
			}
		}
	}
	return f.WithHelp("grant the same for the service account of %s", other.Service.Name)
}
