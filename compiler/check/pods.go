package check

import (
	"fmt"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// access is what some grants allow, by source.
type access map[ir.Identity][]ir.Match

// accessTo is what grants to the accounts allow on a port.
func (j *judge) accessTo(accounts []ir.Identity, port ir.PortID) access {
	out := access{}
	for _, account := range accounts {
		for _, g := range j.grants.Get(account) {
			if !slices.Contains(g.Ports, port) {
				continue
			}
			what := g.HTTP
			if len(what) == 0 {
				what = []ir.Match{{}} // any request
			}
			for _, s := range g.Sources {
				out[s] = append(out[s], what...)
			}
		}
	}
	return out
}

// alike tells whether two sources may send the same requests, however they are
// written. Where that is too large to decide they count as unlike.
func (j *judge) alike(a, b []ir.Match) bool {
	if (len(a) == 0) != (len(b) == 0) {
		return false
	}
	equal, _ := j.comparer.Equal(a, b)
	return equal
}

// readRoots are the roots of a namespace's splits without matches.
func (j *judge) readRoots(ns string) map[ir.ServiceID]bool {
	out := map[ir.ServiceID]bool{}
	for _, s := range j.Splits(ns) {
		out[s.Root] = out[s.Root] || len(s.Matches) == 0
	}
	return out
}

// unlikePods finds a service whose pods run as accounts with different grants
// (row 27). Roots of a split are left to the split's own check: their calls go to
// the leaves.
func unlikePods(j *judge, id ir.ServiceID) diag.List {
	s := j.Service(id)
	if len(s.Accounts) < 2 || j.rooted.Get(id) || j.Policy(id.Namespace).Mode != ir.Strict {
		return nil
	}
	j = j.comparing()
	for _, p := range s.Ports {
		if a, b, ok := j.unlikeAccounts(*s, p); ok {
			return diag.List{j.reportUnlikePods(*s, p, a, b)}
		}
	}
	return nil
}

// unlikeAccounts finds two accounts of a service that allow different calls on a port.
func (j *judge) unlikeAccounts(s ir.Service, p ir.Port) (a, b ir.Identity, ok bool) {
	port := ir.PortID{Service: s.ID, Port: p.Number}
	first := j.accessTo(s.Accounts[:1], port)
	for _, other := range s.Accounts[1:] {
		if !j.sameAccess(first, j.accessTo([]ir.Identity{other}, port)) {
			return s.Accounts[0], other, true
		}
	}
	return "", "", false
}

func (j *judge) sameAccess(a, b access) bool {
	if len(a) != len(b) {
		return false
	}
	for _, s := range slices.Sorted(maps.Keys(a)) { // in order: the comparer's work is bounded
		if !j.alike(a[s], b[s]) {
			return false
		}
	}
	return true
}

func (j *judge) reportUnlikePods(s ir.Service, p ir.Port, a, b ir.Identity) diag.Finding {
	const code = diag.Code("MSH3009")
	id := ir.PortID{Service: s.ID, Port: p.Number}
	text := fmt.Sprintf("pods of service %s run as %s and %s, whose grants differ on port %d", s.ID, a.Short(), b.Short(), p.Number)
	var f diag.Finding
	if o, _ := j.servicePort(id); o != nil {
		f = finding(o, code, []any{"spec", "selector"}, "%s", text)
	} else {
		f = diag.New(code, j.Fact(s.ID), "%s", text)
	}
	for _, account := range []ir.Identity{a, b} {
		for _, g := range j.grants.Get(account) {
			if o, path := j.rule(g.Name); o != nil {
				f = f.WithRelated(o.AtUnion(path...), "a grant to "+account.Short())
				break
			}
		}
	}
	return f.WithEffect("the same call is let through or refused, depending on the pod that gets it").
		WithHelp("grant the same to both accounts, or give each a service of its own")
}
