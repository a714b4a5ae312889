package catalog

import (
	"cmp"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Facts is everything a compiler may want to know of a mesh that runs: what
// `meshc catalog export` writes and meshc.lock pins. Accounts of the snapshot's
// trust domain are NAMESPACE/SERVICEACCOUNT, others SPIFFE ids. No address,
// weight or health is a fact.
func Facts(s *Snapshot) []ir.Fact {
	var facts []ir.Fact
	for _, svc := range s.Services {
		facts = append(facts, serviceFact(svc, s.TrustDomain))
	}
	for _, ns := range s.Namespaces {
		facts = append(facts, ir.Fact{Kind: "namespace", Name: ns.Name, Labels: ns.Labels})
	}
	facts = append(facts, accountFacts(s)...)
	slices.SortFunc(facts, func(a, b ir.Fact) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name),
			slices.Compare(a.Services, b.Services))
	})
	return slices.CompactFunc(facts, func(a, b ir.Fact) bool {
		return a.Kind == b.Kind && a.Namespace == b.Namespace && a.Name == b.Name && slices.Equal(a.Services, b.Services)
	})
}

func serviceFact(svc Service, trustDomain string) ir.Fact {
	f := ir.Fact{Kind: "service", Namespace: svc.ID.Namespace, Name: svc.ID.Name, Headless: svc.Headless}
	for _, p := range svc.Ports {
		port := ir.FactPort{Port: int64(p.Port), Name: p.Name, Protocol: "TCP", TargetPort: int64(p.TargetPort)}
		if p.Protocol == ir.UDP {
			port.Protocol = "UDP"
		} else {
			port.AppProtocol = string(p.Protocol)
		}
		f.Ports = append(f.Ports, port)
	}
	meshed := len(svc.Endpoints) == 0
	for _, e := range svc.Endpoints {
		if e.Meshed {
			meshed = true
			f.Accounts = append(f.Accounts, account(e.Identity, trustDomain))
		}
	}
	if !meshed {
		f.Meshed = &meshed
	}
	slices.Sort(f.Accounts)
	f.Accounts = slices.Compact(f.Accounts)
	return f
}

// accountFacts are the accounts, and for each the sets of services that one of
// its workloads backs. An account of another trust domain is known through the
// services it backs.
func accountFacts(s *Snapshot) []ir.Fact {
	meshed := map[ir.Identity]bool{}
	for _, w := range s.Workloads {
		meshed[w.Identity] = meshed[w.Identity] || w.Meshed
	}
	var facts []ir.Fact
	for _, id := range s.Accounts {
		if inside, runs := meshed[id]; runs && !inside {
			continue // its workloads say more
		}
		if domain, ns, sa, ok := id.Split(); ok && domain == s.TrustDomain {
			facts = append(facts, ir.Fact{Kind: "account", Namespace: ns, Name: sa})
		}
	}
	for _, w := range s.Workloads {
		domain, ns, sa, ok := w.Identity.Split()
		if !ok || domain != s.TrustDomain {
			continue
		}
		f := ir.Fact{Kind: "account", Namespace: ns, Name: sa}
		if no := false; !meshed[w.Identity] {
			f.Meshed = &no
		}
		facts = append(facts, f)
		if w.Meshed {
			role := ir.Fact{Kind: "role", Namespace: ns, Name: sa}
			for _, id := range w.Services {
				role.Services = append(role.Services, id.String())
			}
			facts = append(facts, role)
		}
	}
	return facts
}

func account(id ir.Identity, trustDomain string) string {
	if domain, ns, sa, ok := id.Split(); ok && domain == trustDomain {
		return ns + "/" + sa
	}
	return string(id)
}
