package verify

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Trace is the way of a request through the proxies, by the names that their
// configuration gives: the client's proxy, then the server's of every leaf.
type Trace struct {
	Client  *Hop  // nil: no client's proxy holds it
	Servers []Hop // in the order of the leaves; those alike stand once
}

// Hop is a proxy on the way.
type Hop struct {
	Identity ir.Identity  // of the proxy's workload
	Service  ir.ServiceID // a server's: the leaf it is reached for
	Listener string
	Chain    string
	Route    string // of HTTP
	// Extensions are the filters that came by ECDS, in order.
	Extensions []string
	// Policies are those that RBAC tried, the observed ones too; By are the ones
	// that it names as letting the request in.
	Policies []string
	By       []string
	Clusters []string // it is forwarded to
	Status   int      // of an end by the proxy; 0: closed, or forwarded
	Reason   string   // of an end
}

// Trace is Decide with the way that the request took.
func (m *Mesh) Trace(r ir.Request) (ir.Verdict, Trace, error) {
	var t Trace
	v, err := m.decide(r, &t)
	t.Servers = slices.CompactFunc(t.Servers, func(a, b Hop) bool { return a.Identity == b.Identity && a.Service == b.Service && a.same(b) })
	return v, t, err
}

func (h Hop) same(o Hop) bool {
	return h.Chain == o.Chain && h.Route == o.Route && h.Status == o.Status && slices.Equal(h.Policies, o.Policies) && slices.Equal(h.By, o.By)
}

// client and server start a hop; of no trace there is none.
func (t *Trace) client(id ir.Identity) *Hop {
	if t == nil {
		return nil
	}
	t.Client = &Hop{Identity: id}
	return t.Client
}

func (t *Trace) server(id ir.Identity, of ir.ServiceID) *Hop {
	if t == nil {
		return nil
	}
	t.Servers = append(t.Servers, Hop{Identity: id, Service: of})
	return &t.Servers[len(t.Servers)-1]
}

// What follows writes down a step; a hop that nobody wants is nil.

func (h *Hop) at(l *listener, c *chain) {
	if h == nil {
		return
	}
	h.Listener = l.name
	if c != nil {
		h.Chain = c.name
	}
}

func (h *Hop) route(r *route) {
	if h != nil && r != nil {
		h.Route = r.name
	}
}

func (h *Hop) extension(name string) {
	if h != nil {
		h.Extensions = append(h.Extensions, name)
	}
}

func (h *Hop) judged(f *rbac) {
	if h == nil {
		return
	}
	for _, p := range f.all() {
		h.Policies = append(h.Policies, p.name)
	}
	slices.Sort(h.Policies)
	h.Policies = slices.Compact(h.Policies)
}

func (h *Hop) end(a *answer) *answer {
	if h == nil || a == nil {
		return a
	}
	h.By, h.Status, h.Reason = slices.Clone(a.by), a.status, a.reason
	for _, sh := range a.forward {
		h.Clusters = append(h.Clusters, sh.cluster)
	}
	return a
}
