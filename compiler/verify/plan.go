package verify

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// Mesh is a plan as running proxies would hold it, with placeholders for what
// the control plane binds: an address for each service port and each role, a
// target port where none is known.
type Mesh struct {
	plan   *ir.Plan
	ranges []netip.Prefix
	at     map[string]int           // name of a cluster to its index in plan.Clusters
	scopes []func() (*scope, error) // by index
	roles  []func() (*Workload, error)
	parts  parts
}

// The placeholder addresses: service ports, roles, workloads outside the mesh,
// and any host of the outside world.
var (
	baseVIP     = netip.MustParseAddr("240.0.0.0")
	baseRole    = netip.MustParseAddr("250.0.0.0")
	baseOutside = netip.MustParseAddr("252.0.0.0")
	elsewhere   = netip.MustParseAddr("192.0.2.1")
	meshRange   = netip.MustParsePrefix("240.0.0.0/4")
)

func placeholder(base netip.Addr, n int) netip.Addr {
	b := base.As4()
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])+uint32(n)+1)
	return netip.AddrFrom4(b)
}

func placed(base, addr netip.Addr) int {
	a, b := addr.As4(), base.As4()
	return int(binary.BigEndian.Uint32(a[:])-binary.BigEndian.Uint32(b[:])) - 1
}

// New reads a plan. What the plan holds is read when a request comes to it;
// Check reads everything. ranges are the mesh's own addresses that the control
// plane is going to bind, as meshc.yaml has them.
func New(plan *ir.Plan, ranges ...netip.Prefix) (*Mesh, error) {
	if err := checkRefs(plan); err != nil {
		return nil, err
	}
	m := &Mesh{plan: plan, ranges: append([]netip.Prefix{meshRange}, ranges...), at: map[string]int{}, parts: newParts(plan)}
	for i, c := range plan.Clusters {
		m.at[plan.Resources[c.Resource].Name] = i
	}
	for _, o := range plan.Outbound {
		if i, ok := m.cluster(o.Port); ok && o.Direct != ir.NoRef {
			m.at[plan.Resources[o.Direct].Name] = i
		}
	}
	for i := range plan.Scopes {
		m.scopes = append(m.scopes, sync.OnceValues(func() (*scope, error) { return m.newScope(&plan.Scopes[i]) }))
	}
	for i := range plan.Roles {
		m.roles = append(m.roles, sync.OnceValues(func() (*Workload, error) { return m.newWorkload(&plan.Roles[i]) }))
	}
	return m, nil
}

func (m *Mesh) cluster(id ir.PortID) (int, bool) {
	return slices.BinarySearchFunc(m.plan.Clusters, id, func(c ir.Cluster, id ir.PortID) int { return c.Port.Compare(id) })
}

// Decide plays a request on the plan's configuration.
func (m *Mesh) Decide(r ir.Request) (ir.Verdict, error) {
	if r.External != "" {
		return m.leave(r)
	}
	i, ok := m.cluster(r.To)
	if !ok {
		return ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("the plan has no service port %s", r.To)}, nil
	}
	if r.From == "" {
		return m.plain(i, r)
	}
	client, sc, v, err := m.client(r.From)
	if v != nil || err != nil {
		return deref(v), err
	}
	targets, err := sc.targets(m, i)
	if err != nil {
		return ir.Verdict{}, err
	}
	return m.call(client, targets, r)
}

func deref(v *ir.Verdict) ir.Verdict {
	if v == nil {
		return ir.Verdict{}
	}
	return *v
}

// call plays the request to each address the workload may find by the service's
// name: one for most services, each endpoint's for a headless one.
func (m *Mesh) call(client *Proxy, at *targets, r ir.Request) (ir.Verdict, error) {
	var out ir.Verdict
	var leaves []ir.Leaf
	for _, to := range at.addresses {
		p := *client
		p.listeners = append(p.listeners[:len(p.listeners):len(p.listeners)], at.listeners...)
		v, err := Call(&p, m, to, r)
		if err != nil {
			return ir.Verdict{}, err
		}
		out = v
		for _, l := range v.Leaves {
			if !slices.ContainsFunc(leaves, func(o ir.Leaf) bool { return o.Service == l.Service && sameLeaf(o, l) }) {
				leaves = append(leaves, l)
			}
		}
	}
	if len(at.addresses) > 1 && len(leaves) > 0 {
		return ir.Sum(leaves), nil
	}
	return out, nil
}

// leave plays a request to something outside the mesh.
func (m *Mesh) leave(r ir.Request) (ir.Verdict, error) {
	client, _, v, err := m.client(r.From)
	if v != nil || err != nil {
		return deref(v), err
	}
	host, port, ok := ir.HostPort(r.External)
	if !ok {
		return ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("%q is no HOST:PORT", r.External)}, nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = elsewhere
	}
	got, err := Call(client, world{m, addr}, netip.AddrPortFrom(addr, port), r)
	got.Leaves = nil
	return got, err
}

// plain plays a client without a certificate to each role behind a service port.
func (m *Mesh) plain(cluster int, r ir.Request) (ir.Verdict, error) {
	var leaves []ir.Leaf
	for _, to := range m.endpoints(cluster) {
		w, err := m.workload(to.Addr())
		if err != nil {
			return ir.Verdict{}, err
		}
		if w.Proxy == nil {
			return ir.Verdict{Outcome: ir.Unknown, Reason: "neither the client nor " + r.To.Service.String() + " is in the mesh"}, nil
		}
		leaf, err := Plain(w, to, r)
		if err != nil {
			return ir.Verdict{}, err
		}
		leaf.Service, leaf.Weight = r.To.Service, 1
		if !slices.ContainsFunc(leaves, func(l ir.Leaf) bool { return sameLeaf(l, leaf) }) {
			leaves = append(leaves, leaf)
		}
	}
	if len(leaves) == 0 {
		leaves = []ir.Leaf{{Service: r.To.Service, Weight: 1, Outcome: ir.Deny, Reason: "no workload is behind it"}}
	}
	return ir.Sum(leaves), nil
}

// client is the proxy of an identity, or why there is none.
func (m *Mesh) client(id ir.Identity) (*Proxy, *scope, *ir.Verdict, error) {
	i, ok := slices.BinarySearchFunc(m.plan.Identities, id, func(p ir.IdentityPlan, id ir.Identity) int {
		switch {
		case p.Identity < id:
			return -1
		case p.Identity > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil, nil, &ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("the plan has nothing for %q", id.Short())}, nil
	}
	sc, err := m.scopes[m.plan.Identities[i].Scope]()
	if err != nil {
		return nil, nil, nil, err
	}
	return &Proxy{identity: id, listeners: []*listener{sc.virtual}, sent: sc}, sc, nil, nil
}

// Endpoints, At and ServiceOf are the network of a plan.
func (m *Mesh) Endpoints(name string) []netip.AddrPort {
	if i, ok := m.at[name]; ok {
		return m.endpoints(i)
	}
	return nil
}

// At is the workload that a placeholder stands for. One that cannot be read is
// a workload whose proxy has no listener: a call to it is an error.
func (m *Mesh) At(addr netip.Addr) *Workload {
	w, err := m.workload(addr)
	if err != nil {
		return &Workload{Proxy: &Proxy{}}
	}
	return w
}

// ServiceOf leads from a cluster's name to its service port.
func (m *Mesh) ServiceOf(cluster string) (ir.PortID, bool) {
	i, ok := m.at[cluster]
	if !ok {
		return ir.PortID{}, false
	}
	return m.plan.Clusters[i].Port, true
}

func (m *Mesh) workload(addr netip.Addr) (*Workload, error) {
	if !addr.Is4() || !meshRange.Contains(addr) {
		return nil, nil
	}
	if i := placed(baseRole, addr); i >= 0 && i < len(m.roles) {
		return m.roles[i]()
	}
	if i := placed(baseOutside, addr); i >= 0 && i < len(m.plan.Clusters) {
		return &Workload{}, nil
	}
	return nil, nil
}

// endpoints are the roles that back a service port, as link would fill them in:
// of the accounts the plan names, and only where they serve the port. A cluster
// without TLS and without accounts is that of workloads outside the mesh.
func (m *Mesh) endpoints(cluster int) []netip.AddrPort {
	c := &m.plan.Clusters[cluster]
	var out []netip.AddrPort
	for i := range m.plan.Roles {
		role := &m.plan.Roles[i]
		if !slices.Contains(c.Accounts, role.Identity) {
			continue
		}
		for j, p := range role.Ports {
			if slices.Contains(p.Services, c.Port) {
				out = append(out, netip.AddrPortFrom(placeholder(baseRole, i), targetPort(p, j)))
			}
		}
	}
	if len(c.Accounts) == 0 {
		if decoded, err := m.parts.clusters[c.Resource](); err == nil && decoded.tls == nil {
			out = append(out, netip.AddrPortFrom(placeholder(baseOutside, cluster), c.Port.Port))
		}
	}
	return out
}

func targetPort(p ir.InboundPlan, index int) uint16 {
	if p.TargetPort != 0 {
		return p.TargetPort
	}
	return uint16(20000 + index)
}

// world is a plan's network with one host outside of it.
type world struct {
	*Mesh
	host netip.Addr
}

func (w world) At(addr netip.Addr) *Workload {
	if addr == w.host {
		return &Workload{}
	}
	return w.Mesh.At(addr)
}
