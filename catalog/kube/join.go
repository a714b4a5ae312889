package kube

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/catalog/file"
	"github.com/meshc/meshc/compiler/ir"
)

// join makes one snapshot of all clusters.
type join struct {
	rules    Rules
	snap     *catalog.Snapshot
	services map[ir.ServiceID]int // in snap.Services
	names    map[string]bool      // of workloads
	owner    map[netip.Addr]string
	problems map[string]bool
}

// Snapshot joins clusters, the mesh's own first. A service that several have under
// one namespace and name has the endpoints of all: what it is, and where it is
// called, the first says. An address belongs to who has it first: called at it,
// the policy of another would judge. The second result says what stays out, sorted.
func (r Rules) Snapshot(clusters ...Cluster) (*catalog.Snapshot, []string) {
	r.TrustDomain = cmp.Or(r.TrustDomain, file.DefaultTrustDomain)
	j := &join{
		rules: r, snap: &catalog.Snapshot{TrustDomain: r.TrustDomain},
		services: map[ir.ServiceID]int{}, names: map[string]bool{}, owner: map[netip.Addr]string{}, problems: map[string]bool{},
	}
	renamed := make([]map[string]string, len(clusters))
	for i, c := range clusters {
		renamed[i] = j.workloads(c)
	}
	for i, c := range clusters {
		j.add(c, renamed[i])
	}
	j.settle()
	return j.snap, sortedKeys(j.problems)
}

func sortedKeys(set map[string]bool) []string {
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (j *join) problem(format string, args ...any) { j.problems[fmt.Sprintf(format, args...)] = true }

// workloads takes a cluster's workloads. In other clusters than the first their
// names end in the cluster's.
func (j *join) workloads(c Cluster) map[string]string {
	names := map[string]string{}
	for _, p := range c.Parts {
		for _, w := range p.workloads {
			if c.Name != "" {
				names[w.Name] = j.foreign(w.Name, c.Name)
				w.Name = names[w.Name]
			}
			w.Services, w.Addresses = slices.Clone(w.Services), j.claim(w.Addresses, w.Name, c)
			j.names[w.Name] = true
			j.snap.Workloads = append(j.snap.Workloads, w)
		}
	}
	return names
}

// foreign is a name that no workload has yet and that a catalog can say.
func (j *join) foreign(name, cluster string) string {
	ns, pod, _ := strings.Cut(name, "/")
	long := pod + "." + cluster
	if len(long) <= 253 && !j.names[ns+"/"+long] {
		return ns + "/" + long
	}
	sum := sha256.Sum256([]byte(cluster + "/" + name))
	return ns + "/" + strings.TrimRight(pod[:min(len(pod), 200)], ".-") + "-" + hex.EncodeToString(sum[:])[:32]
}

// claim keeps the addresses that nobody else has.
func (j *join) claim(addresses []netip.Addr, who string, c Cluster) []netip.Addr {
	var out []netip.Addr
	for _, a := range addresses {
		if had, taken := j.owner[a]; taken {
			if c.Name != "" {
				j.problem("the addresses of cluster %q overlap with others: %s of %s is that of %s", c.Name, a, who, had)
			}
			continue
		}
		j.owner[a] = who
		out = append(out, a)
	}
	return out
}

// add takes the services and the rest of a cluster.
func (j *join) add(c Cluster, renamed map[string]string) {
	for _, p := range c.Parts {
		if c.Name == "" {
			j.snap.Namespaces = append(j.snap.Namespaces, p.namespace)
		}
		j.snap.Accounts = append(j.snap.Accounts, p.accounts...)
		for _, s := range p.services {
			s.Endpoints = slices.Clone(s.Endpoints)
			for i, e := range s.Endpoints {
				if name, ok := renamed[e.Workload]; ok {
					s.Endpoints[i].Workload = name
				}
			}
			j.service(s, c)
		}
	}
	j.snap.ServiceRanges = append(j.snap.ServiceRanges, c.ServiceRanges...)
	j.snap.PodRanges = append(j.snap.PodRanges, c.PodRanges...)
}

// service takes a service, or the endpoints of one that is there already.
func (j *join) service(s catalog.Service, c Cluster) {
	at, there := j.services[s.ID]
	if !there {
		vips := j.claim(s.VIPs, "service "+s.ID.String(), c)
		if len(vips) == 0 && !s.Headless {
			return // it could not be called
		}
		s.VIPs, s.Ports = vips, slices.Clone(s.Ports)
		j.services[s.ID] = len(j.snap.Services)
		j.snap.Services = append(j.snap.Services, s)
		return
	}
	first := &j.snap.Services[at]
	if first.Headless != s.Headless {
		j.problem("service %s of cluster %q stays out: headless in one cluster, and not in another", s.ID, c.Name)
		return
	}
	for _, e := range s.Endpoints {
		ports := map[uint16]uint16{}
		for _, p := range first.Ports {
			i := slices.IndexFunc(s.Ports, func(o catalog.ServicePort) bool { return o.Port == p.Port })
			switch {
			case i < 0:
			case s.Ports[i].Protocol != p.Protocol:
				j.problem("port %d of service %s is %s in cluster %q and %s elsewhere: its endpoints there stay out", p.Port, s.ID, s.Ports[i].Protocol, c.Name, p.Protocol)
			default:
				ports[p.Port] = e.Ports[p.Port]
			}
		}
		// An endpoint that lacks a port would be called there all the same.
		if len(ports) == len(first.Ports) {
			e.Ports = ports
			first.Endpoints = append(first.Endpoints, e)
		}
	}
}

// settle brings the snapshot into the form that a file would have.
func (j *join) settle() {
	s := j.snap
	slices.SortFunc(s.Services, func(a, b catalog.Service) int { return a.ID.Compare(b.ID) })
	slices.SortFunc(s.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Namespaces, func(a, b catalog.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(s.Accounts)
	s.Accounts = slices.Compact(s.Accounts)
	s.ServiceRanges, s.PodRanges = prefixes(s.ServiceRanges), prefixes(s.PodRanges)
	for i := range s.Services {
		j.settleEndpoints(&s.Services[i])
	}
}

// settleEndpoints leaves out what somebody else owns, and says of ports only what
// the service does not say.
func (j *join) settleEndpoints(s *catalog.Service) {
	kept := s.Endpoints[:0]
	for _, e := range s.Endpoints {
		owner, owned := j.owner[e.Address]
		if e.Workload != "" && owner != e.Workload || e.Workload == "" && owned {
			if e.Workload == "" {
				j.problem("endpoint %s of service %s stays out: it is the address of %s", e.Address, s.ID, owner)
			}
			continue
		}
		var other map[uint16]uint16
		for _, p := range s.Ports {
			if to := e.Ports[p.Port]; to != 0 && to != p.TargetPort {
				if other == nil {
					other = map[uint16]uint16{}
				}
				other[p.Port] = to
			}
		}
		e.Ports = other
		kept = append(kept, e)
	}
	slices.SortFunc(kept, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
	kept = slices.CompactFunc(kept, func(a, b catalog.Endpoint) bool { return a.Address == b.Address })
	s.Endpoints = nil
	if len(kept) > 0 {
		s.Endpoints = kept
	}
}

func prefixes(in []netip.Prefix) []netip.Prefix {
	slices.SortFunc(in, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(in)
}
