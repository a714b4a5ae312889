package verify

import (
	"cmp"
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
	backs  map[ir.Identity][]int    // indices of the identity's roles
	scopes []func() (*scope, error) // by index
	roles  []func() (*Workload, error)
	parts  parts
}

// New reads a plan. What the plan holds is read when a request comes to it;
// Check reads everything. ranges are the mesh's own addresses that the control
// plane is going to bind, as meshc.yaml has them.
func New(plan *ir.Plan, ranges ...netip.Prefix) (*Mesh, error) {
	if err := checkRefs(plan); err != nil {
		return nil, err
	}
	m := &Mesh{plan: plan, ranges: append([]netip.Prefix{meshRange}, ranges...), at: map[string]int{}, backs: map[ir.Identity][]int{}, parts: newParts(plan)}
	for i := range plan.Roles {
		m.backs[plan.Roles[i].Identity] = append(m.backs[plan.Roles[i].Identity], i)
	}
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
	if r.From == "" || r.Direct {
		return m.past(i, r)
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

// past plays a client without a proxy to each role behind a service port.
func (m *Mesh) past(cluster int, r ir.Request) (ir.Verdict, error) {
	var leaves []ir.Leaf
	for _, to := range m.endpoints(cluster) {
		w, err := m.workload(to.Addr())
		if err != nil {
			return ir.Verdict{}, err
		}
		if w.Proxy == nil {
			return ir.Verdict{Outcome: ir.Unknown, Reason: "neither the client nor " + r.To.Service.String() + " is in the mesh"}, nil
		}
		leaf, err := Past(w, to, r)
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
	own, ok := m.identity(id)
	if !ok {
		return nil, nil, &ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("the plan has nothing for %q", id.Short())}, nil
	}
	sc, err := m.scopes[own.Scope]()
	if err != nil {
		return nil, nil, nil, err
	}
	return &Proxy{identity: id, listeners: []*listener{sc.virtual}, sent: sc}, sc, nil, nil
}

func (m *Mesh) identity(id ir.Identity) (ir.IdentityPlan, bool) {
	i, ok := slices.BinarySearchFunc(m.plan.Identities, id, func(p ir.IdentityPlan, id ir.Identity) int { return cmp.Compare(p.Identity, id) })
	if !ok {
		return ir.IdentityPlan{}, false
	}
	return m.plan.Identities[i], true
}
