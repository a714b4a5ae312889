package file

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// builder joins a document's parts by name.
type builder struct {
	*reader
	workloads map[string]*catalog.Workload
	where     map[string]diag.Span
	users     map[netip.Addr]user // of every address of a workload and every virtual IP
	outside   []address           // of endpoints without a workload
}

// user is what an address belongs to, as findings name it.
type user struct {
	what string
	at   diag.Span
}

// build makes the snapshot. It is whole only when no finding is an error.
func (r *reader) build(d document) *catalog.Snapshot {
	b := &builder{reader: r, workloads: map[string]*catalog.Workload{}, where: map[string]diag.Span{}, users: map[netip.Addr]user{}}
	snap := &catalog.Snapshot{TrustDomain: d.trustDomain, ServiceRanges: sorted(d.ranges.services), PodRanges: sorted(d.ranges.pods), Namespaces: d.namespaces, Accounts: b.joinAccounts(d)}
	for _, w := range d.workloads {
		if w.name.s != "" { // else it was found already
			b.joinWorkload(w, d.trustDomain)
		}
	}
	seen := map[ir.ServiceID]diag.Span{}
	for _, s := range d.services {
		if s.name.s == "" {
			continue
		}
		if first, dup := seen[s.id]; dup {
			r.report(diag.New("MSH4504", s.name.at, "service %q stands twice", s.name.s).WithRelated(first, "first here"))
			continue
		}
		seen[s.id] = s.name.at
		snap.Services = append(snap.Services, b.joinService(s))
	}
	b.judgeOutside()
	b.joinBacking(d, seen)
	b.joinExplicit(d, snap.Services)
	for _, w := range d.workloads {
		if done := b.workloads[w.name.s]; done != nil {
			slices.SortFunc(done.Services, ir.ServiceID.Compare)
			done.Services = slices.Compact(done.Services)
			snap.Workloads = append(snap.Workloads, *done)
			delete(b.workloads, w.name.s)
		}
	}
	slices.SortFunc(snap.Workloads, func(a, b catalog.Workload) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(snap.Services, func(a, b catalog.Service) int { return a.ID.Compare(b.ID) })
	return snap
}

func sorted(ps []netip.Prefix) []netip.Prefix {
	slices.SortFunc(ps, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(ps)
}

func (b *builder) joinWorkload(w workloadDoc, trustDomain string) {
	if first, dup := b.where[w.name.s]; dup {
		b.report(diag.New("MSH4504", w.name.at, "workload %q stands twice", w.name.s).WithRelated(first, "first here"))
		return
	}
	b.where[w.name.s] = w.name.at
	out := &catalog.Workload{Name: w.name.s, Meshed: w.meshed, Locality: w.locality}
	switch {
	case w.identity.s != "":
		out.Identity = b.identity(w.identity, trustDomain)
	case w.meshed && w.identity.at.Line == 0:
		b.report(diag.New("MSH4503", w.at, "workload %q lacks \"identity\"", w.name.s).
			WithEffect("it would get no certificate").
			WithHelp("write `identity: NAMESPACE/SERVICEACCOUNT`, or `meshed: false` for a machine without a proxy"))
	}
	for _, a := range w.addresses {
		b.claim(a, "workload "+w.name.s)
		out.Addresses = append(out.Addresses, a.Addr)
	}
	slices.SortFunc(out.Addresses, netip.Addr.Compare)
	b.workloads[w.name.s] = out
}

func (b *builder) identity(t text, trustDomain string) ir.Identity {
	id, ok := ir.ParseIdentity(trustDomain, t.s)
	if !ok {
		b.report(diag.New("MSH4506", t.at, "identity %q is neither NAMESPACE/SERVICEACCOUNT nor a SPIFFE id", t.s))
		return ""
	}
	if err := id.Check(); err != nil {
		b.report(diag.New("MSH4506", t.at, "identity %q is not a SPIFFE id: %v", t.s, err))
	}
	return id
}

// claim gives an address to one owner.
func (b *builder) claim(a address, what string) {
	if had, taken := b.users[a.Addr]; taken {
		b.report(diag.New("MSH4509", a.at, "address %s of %s is that of %s", a.Addr, what, had.what).
			WithEffect("a call to it would be judged by the policy of the wrong one").
			WithRelated(had.at, "also here"))
		return
	}
	b.users[a.Addr] = user{what, a.at}
}

func (b *builder) joinService(s serviceDoc) catalog.Service {
	out := catalog.Service{ID: s.id, Headless: s.headless, Spread: s.spread, Ports: s.ports}
	slices.SortFunc(out.Ports, func(a, b catalog.ServicePort) int { return cmp.Compare(a.Port, b.Port) })
	switch {
	case s.headless && len(s.vips) > 0:
		b.report(diag.New("MSH4511", s.vips[0].at, "service %q is headless and has a virtual IP", s.name.s).
			WithHelp("remove `headless: true`, or the `vips`"))
	case !s.headless && len(s.vips) == 0 && !s.faulty:
		b.report(diag.New("MSH4511", s.at, "service %q has neither a virtual IP nor `headless: true`", s.name.s).
			WithEffect("no client could call it").
			WithHelp("give it addresses that nothing else uses, such as `vips: [240.0.0.1]`"))
	}
	for _, v := range s.vips {
		b.claim(v, "service "+s.name.s)
		out.VIPs = append(out.VIPs, v.Addr)
	}
	slices.SortFunc(out.VIPs, netip.Addr.Compare)
	seen := map[netip.Addr]diag.Span{}
	for _, doc := range s.endpoints {
		for _, e := range b.joinEndpoint(s, doc) {
			if first, dup := seen[e.Address]; dup && e.Address.IsValid() {
				b.report(diag.New("MSH4504", doc.at, "service %q has the endpoint %s twice", s.name.s, e.Address).WithRelated(first, "first here"))
				continue
			}
			seen[e.Address] = doc.at
			out.Endpoints = append(out.Endpoints, e)
		}
	}
	slices.SortFunc(out.Endpoints, func(a, b catalog.Endpoint) int { return a.Address.Compare(b.Address) })
	b.judge(s, out.Endpoints)
	return out
}

// joinEndpoint is one for each address.
func (b *builder) joinEndpoint(s serviceDoc, e endpointDoc) []catalog.Endpoint {
	ports := b.mapped(s, e)
	base := catalog.Endpoint{Workload: e.workload.s, Hostname: e.hostname.s, Weight: e.weight, Health: e.health, Ports: ports}
	if e.locality != nil {
		base.Locality = *e.locality
	}
	addrs := []netip.Addr{e.address.Addr}
	if e.workload.s != "" {
		w := b.workloads[e.workload.s]
		if w == nil {
			b.unknownWorkload(s, e)
			return nil
		}
		w.Services = append(w.Services, s.id)
		base.Identity, base.Meshed = w.Identity, w.Meshed
		if e.locality == nil {
			base.Locality = w.Locality
		}
		if e.address.at.Line == 0 {
			addrs = w.Addresses
		} else if e.address.IsValid() && !slices.Contains(w.Addresses, e.address.Addr) {
			b.report(diag.New("MSH4510", e.address.at, "workload %q has no address %s", w.Name, e.address.Addr).
				WithHelp("add it to the workload's addresses, or leave `address` out here").
				WithRelated(b.where[w.Name], "the workload"))
		}
	} else if e.address.at.Line == 0 && e.workload.at.Line == 0 {
		b.report(diag.New("MSH4503", e.at, "the endpoint lacks \"workload\" or \"address\"").
			WithHelp("name a workload of the catalog, or give the address of a machine outside the mesh"))
	} else if e.workload.s == "" && e.address.IsValid() {
		b.outside = append(b.outside, e.address)
	}
	var out []catalog.Endpoint
	for _, a := range addrs {
		base.Address = a
		out = append(out, base)
	}
	return out
}

func (b *builder) unknownWorkload(s serviceDoc, e endpointDoc) {
	known := make([]string, 0, len(b.workloads))
	for name := range b.workloads {
		known = append(known, name)
	}
	slices.Sort(known)
	f := diag.New("MSH4507", e.workload.at, "no workload is named %q", e.workload.s).
		WithEffect("service %s would lack this endpoint", s.name.s)
	if near := diag.Nearest(e.workload.s, known); near != "" {
		f = f.WithHelp("did you mean %q?", near).WithRelated(b.where[near], "a similar name is here")
	}
	b.report(f)
}

// mapped keeps the ports that differ from the service's own target ports.
func (b *builder) mapped(s serviceDoc, e endpointDoc) map[uint16]uint16 {
	var out map[uint16]uint16
	for _, m := range e.ports {
		i := slices.IndexFunc(s.ports, func(p catalog.ServicePort) bool { return p.Port == m.from })
		if i < 0 {
			b.report(diag.New("MSH4508", m.at, "service %q has no port %d", s.name.s, m.from).
				WithHelp("write `ports: {SERVICE PORT: PORT HERE}`"))
			continue
		}
		if s.ports[i].TargetPort == m.to {
			continue
		}
		if out == nil {
			out = map[uint16]uint16{}
		}
		out[m.from] = m.to
	}
	return out
}

// judge looks at a service's endpoints together.
func (b *builder) judge(s serviceDoc, endpoints []catalog.Endpoint) {
	meshed, other := false, false
	for _, e := range endpoints {
		meshed, other = meshed || e.Meshed, other || !e.Meshed
	}
	if meshed && other {
		b.report(diag.New("MSH4513", s.name.at, "service %q has endpoints in the mesh and outside of it", s.name.s).
			WithEffect("the ones outside get no calls"))
	}
}

// judgeOutside finds machines outside the mesh that are known by their address:
// called as outsiders they would be called without mTLS.
func (b *builder) judgeOutside() {
	for _, o := range b.outside {
		if had, ok := b.users[o.Addr]; ok {
			b.report(diag.New("MSH4509", o.at, "endpoint %s is outside the mesh and has the address of %s", o.Addr, had.what).
				WithHelp("name the workload: `workload: NAMESPACE/NAME`").WithRelated(had.at, "here"))
		}
	}
}
