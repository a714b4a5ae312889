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
	plan     *ir.Plan
	ranges   []netip.Prefix
	find     index
	parts    *parts
	virtuals sync.Map // [2]ir.Ref of a scope's Virtual and Ranged to *listener
	roles    sync.Map // index to *Workload
}

// New reads a plan. What the plan holds is read when a request comes to it;
// Check reads everything. ranges are the mesh's own addresses that the control
// plane is going to bind, as meshc.yaml has them.
func New(plan *ir.Plan, ranges ...netip.Prefix) (*Mesh, error) {
	if err := checkRefs(plan); err != nil {
		return nil, err
	}
	return newMesh(plan, mapped(plan), ranges), nil
}

// newMesh is for a plan whose references were checked.
func newMesh(plan *ir.Plan, find index, ranges []netip.Prefix) *Mesh {
	return &Mesh{plan: plan, ranges: append([]netip.Prefix{meshRange}, ranges...), find: find, parts: newParts(plan)}
}

func (m *Mesh) cluster(id ir.PortID) (int, bool) { return clusterOf(m.plan, id) }

// outbound is the listener with its routes that clients of a port are given.
func (m *Mesh) outbound(id ir.PortID) (*ir.OutboundPort, bool) {
	i, ok := slices.BinarySearchFunc(m.plan.Outbound, id, func(o ir.OutboundPort, id ir.PortID) int { return o.Port.Compare(id) })
	if !ok {
		return nil, false
	}
	return &m.plan.Outbound[i], true
}

// Decide plays a request on the plan's configuration.
func (m *Mesh) Decide(r ir.Request) (ir.Verdict, error) { return m.decide(r, nil) }

func (m *Mesh) decide(r ir.Request, trace *Trace) (ir.Verdict, error) {
	if r.External != "" {
		return m.leave(r, trace)
	}
	i, ok := m.cluster(r.To)
	if !ok {
		return ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("the plan has no service port %s", r.To)}, nil
	}
	if r.From == "" || r.Direct {
		return m.past(i, r, trace)
	}
	client, v, err := m.client(r.From, r.To)
	if v != nil || err != nil {
		return deref(v), err
	}
	targets, err := m.targets(i, client.sent.(*sight).port)
	if err != nil {
		return ir.Verdict{}, err
	}
	return m.call(client, targets, r, trace)
}

func deref(v *ir.Verdict) ir.Verdict {
	if v == nil {
		return ir.Verdict{}
	}
	return *v
}

// call plays the request to each address the workload may find by the service's
// name: one for most services, each endpoint's for a headless one.
func (m *Mesh) call(client *Proxy, at *targets, r ir.Request, trace *Trace) (ir.Verdict, error) {
	var out ir.Verdict
	var leaves []ir.Leaf
	if at.listener != nil {
		client.listeners = append(client.listeners, at.listener)
	}
	for _, to := range at.addresses {
		v, err := follow(client, m, to, r, trace)
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
func (m *Mesh) leave(r ir.Request, trace *Trace) (ir.Verdict, error) {
	client, v, err := m.client(r.From, ir.PortID{})
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
	got, err := follow(client, world{m, addr}, netip.AddrPortFrom(addr, port), r, trace)
	got.Leaves = nil
	return got, err
}

// past plays a client without a proxy to each role behind a service port.
func (m *Mesh) past(cluster int, r ir.Request, trace *Trace) (ir.Verdict, error) {
	var leaves []ir.Leaf
	for _, to := range m.endpoints(cluster) {
		w, err := m.workload(to.Addr())
		if err != nil {
			return ir.Verdict{}, err
		}
		if w.Proxy == nil {
			return ir.Verdict{Outcome: ir.Unknown, Reason: "neither the client nor " + r.To.Service.String() + " is in the mesh"}, nil
		}
		leaf, err := past(w, to, r, trace)
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

// client is the proxy of an identity as far as it holds anything for a service
// port, or why there is none.
func (m *Mesh) client(id ir.Identity, to ir.PortID) (*Proxy, *ir.Verdict, error) {
	own, ok := m.identity(id)
	if !ok {
		return nil, &ir.Verdict{Outcome: ir.Unknown, Reason: fmt.Sprintf("the plan has nothing for %q", id.Short())}, nil
	}
	s := &sight{mesh: m, scope: &m.plan.Scopes[own.Scope]}
	virtual, err := m.virtual(s.scope)
	if err != nil {
		return nil, nil, err
	}
	if to == (ir.PortID{}) {
		return &Proxy{identity: id, listeners: []*listener{virtual}, sent: s}, nil, nil
	}
	if _, listed := slices.BinarySearch(m.find.lists(to), own.Scope); listed {
		if s.port, ok = m.outbound(to); !ok {
			return nil, nil, fmt.Errorf("a scope lists %s, which has no listener", to)
		}
	}
	return &Proxy{identity: id, listeners: []*listener{virtual}, sent: s}, nil, nil
}

func (m *Mesh) identity(id ir.Identity) (ir.IdentityPlan, bool) {
	i, ok := slices.BinarySearchFunc(m.plan.Identities, id, func(p ir.IdentityPlan, id ir.Identity) int { return cmp.Compare(p.Identity, id) })
	if !ok {
		return ir.IdentityPlan{}, false
	}
	return m.plan.Identities[i], true
}
