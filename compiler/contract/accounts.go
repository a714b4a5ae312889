package contract

import (
	"maps"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// accounts that policy names as sources or destinations.
func (j *judge) accounts() {
	ids := map[string]bool{}
	for _, id := range j.app.Mesh.Identities {
		ids[id.Short()] = true
	}
	for _, f := range j.of(kindAccount) {
		workloads := j.app.workloads[f.account()]
		switch {
		case len(workloads) > 0:
			meshed := slices.ContainsFunc(workloads, func(w *ir.InventoryWorkload) bool { return w.Meshed })
			if !meshed && !f.Outside && !j.disabled() {
				at, o := j.app.workloadAt(workloads[0])
				j.report(fault{code: "MSH0375", at: at, object: o, readers: f.Readers, fact: f, now: "it has no mesh certificate any more, so " + thisEnds},
					"the workloads of account %q leave the mesh", f.account())
			}
		case ids[f.account()] || f.Name == "default" || j.app.Part:
		default:
			j.accountGone(f)
		}
	}
}

// accountGone points at what may have taken its place.
func (j *judge) accountGone(f Fact) {
	var names []string
	for _, id := range j.app.Mesh.Identities {
		if _, ns, name, ok := id.Split(); ok && ns == j.Namespace && name != "default" && !j.names(id.Short()) {
			names = append(names, name)
		}
	}
	near, hint := diag.Nearest(f.Name, names), ""
	if near == "" && len(names) == 1 {
		near = names[0]
	}
	at, o := j.app.spaceAt(j.Namespace)
	if near != "" {
		at, o = j.app.accountAt(j.Namespace+"/"+near, j.Namespace)
		hint = "; " + quote(near) + " is new"
	}
	j.report(fault{code: "MSH0373", at: at, object: o, readers: f.Readers, fact: f, now: thisEnds},
		"account %q is not there any more, and nothing runs as it%s", f.account(), hint)
}

// names tells whether the contract speaks of an account.
func (j *judge) names(account string) bool {
	return slices.ContainsFunc(j.Facts, func(f Fact) bool {
		return f.Account == account || f.Kind == kindAccount && f.account() == account
	})
}

// behind: the sets of accounts behind services, where workloads show them.
func (j *judge) behind() {
	for _, f := range j.of(kindService) {
		svc, o := j.app.service(f.service())
		if svc == nil || svc.Outside {
			continue
		}
		workloads := j.app.behind(svc.ID)
		if len(workloads) == 0 && j.app.Part {
			continue
		}
		j.lost(svc, o, workloads)
		j.added(svc, f, workloads)
	}
}

// lost are accounts that were behind a service and are not.
func (j *judge) lost(svc *ir.Service, o *syntax.Object, workloads []*ir.InventoryWorkload) {
	for _, b := range j.of(kindBehind) {
		if b.service() != svc.ID || slices.ContainsFunc(svc.Accounts, func(id ir.Identity) bool { return id.Short() == b.Account }) {
			continue
		}
		at, about := diag.Span{}, o
		if o != nil {
			at = o.At("spec", "selector")
		}
		for _, w := range workloads { // one that runs as an account the contract does not know took its place
			if _, known := j.facts[Fact{Kind: kindBehind, Namespace: svc.ID.Namespace, Name: svc.ID.Name, Account: w.Identity.Short()}.about()]; !known {
				at, about = j.app.workloadAt(w)
				break
			}
		}
		j.report(fault{code: "MSH0374", at: at, object: about, readers: b.Readers, fact: b, now: thisEnds},
			"account %q is not behind service %q any more", b.Account, svc.ID)
	}
}

// added are accounts that come behind a service that policy relies on.
func (j *judge) added(svc *ir.Service, f Fact, workloads []*ir.InventoryWorkload) {
	told := map[ir.Identity]bool{}
	for _, w := range workloads {
		b := Fact{Kind: kindBehind, Namespace: svc.ID.Namespace, Name: svc.ID.Name, Account: w.Identity.Short()}
		if _, known := j.facts[b.about()]; known || !w.Meshed || told[w.Identity] {
			continue
		}
		told[w.Identity] = true
		at, o := j.app.workloadAt(w)
		now := "its endpoints get no call until the policy is locked again; then it serves what this is about"
		if grants := j.facts[kindAccount+" "+b.Account].Readers; len(grants) > 0 {
			now = "the workload gets what the account has (" + grants[0].Effect + "); once the policy is locked again it also serves what this is about"
		}
		j.report(fault{code: "MSH0380", at: at, object: o, readers: f.Readers, fact: f, now: now, help: helpWiden},
			"account %q comes behind service %q", b.Account, svc.ID)
	}
}

// roles: a workload that backs other services together than any did is unknown to
// what was compiled, and its proxy takes no calls.
func (j *judge) roles() {
	compiled, of := j.compiled()
	for _, account := range slices.Sorted(maps.Keys(of)) {
		for _, w := range j.app.workloads[account] {
			role := Fact{Kind: kindRole, Namespace: w.Namespace}
			for _, s := range w.Services {
				if _, ours := j.facts[kindService+" "+s.String()]; ours {
					role.Services = append(role.Services, s)
				}
			}
			_, role.Name, _ = strings.Cut(account, "/")
			if len(role.Services) == 0 || !w.Meshed || compiled[role.about()] {
				continue
			}
			at, o := j.app.workloadAt(w)
			j.report(fault{code: "MSH0378", at: at, object: o, readers: of[account].Readers, fact: of[account], now: "its proxies take no calls, so " + thisEnds},
				"a workload of account %q backs %s, as none did when the policy was locked", account, some(role.Services, ir.ServiceID.String))
		}
	}
}

// compiled are the roles of the contract's accounts, with a fact about each
// account. One behind a single service has that role alone.
func (j *judge) compiled() (roles map[string]bool, of map[string]Fact) {
	roles, of = map[string]bool{}, map[string]Fact{}
	for _, f := range j.of(kindRole) {
		roles[f.about()], of[f.account()] = true, f
	}
	for _, f := range j.of(kindBehind) {
		ns, name, _ := strings.Cut(f.Account, "/")
		if _, several := of[f.Account]; !several || of[f.Account].Kind == kindBehind {
			of[f.Account] = f
			roles[Fact{Kind: kindRole, Namespace: ns, Name: name, Services: []ir.ServiceID{f.service()}}.about()] = true
		}
	}
	return roles, of
}

// opened: ports that come behind an account whose grants take them in. Grants go
// to accounts: all fitting ports of all services that its pods back.
func (j *judge) opened() {
	for _, svc := range j.app.Mesh.Services {
		o := j.app.objects["Service/"+svc.ID.String()]
		if o == nil || svc.ID.Namespace != j.Namespace {
			continue
		}
		for _, p := range svc.Ports {
			if _, known := j.facts[portFact(svc.ID, p).about()]; !known {
				j.open(o, svc, p)
			}
		}
	}
}

func (j *judge) open(o *syntax.Object, svc ir.Service, p ir.Port) {
	var readers []Reader
	var fact Fact
	for _, f := range j.of(kindOpened) {
		if slices.ContainsFunc(svc.Accounts, func(id ir.Identity) bool { return id.Short() == f.account() }) && f.takes(p) {
			readers, fact = append(readers, f.Readers...), f
		}
	}
	if len(readers) == 0 {
		return
	}
	j.report(fault{code: "MSH0381", at: portAt(o, p, "port"), object: o, readers: distinct(readers), fact: fact, now: "once the policy is locked again it is open by this", help: helpWiden},
		"port %d of service %q is new, and grants to %s take it in", p.Number, svc.ID, fact.account())
}

// takes tells whether a grant would open a port.
func (f Fact) takes(p ir.Port) bool {
	if f.Port != 0 && f.Port != p.Number {
		return false
	}
	switch f.Protocol {
	case "http":
		return p.Protocol.IsHTTP()
	case "tcp": // HTTP ports too
		return p.Protocol != ir.UDP
	}
	return p.Protocol == ir.UDP
}
