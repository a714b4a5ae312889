package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Network is what lies between proxies.
type Network interface {
	// Endpoints are what the control plane sends for an EDS name.
	Endpoints(name string) []netip.AddrPort
	// At is the workload at an address; nil: nobody.
	At(addr netip.Addr) *Workload
	// ServiceOf names the service port that a cluster stands for; false: none.
	ServiceOf(cluster string) (ir.PortID, bool)
}

// Workload is one that can be called. Without a Proxy it is outside the mesh.
type Workload struct {
	Identity ir.Identity
	Proxy    *Proxy
}

// Call plays a request of the client's workload to an address. The leaves are
// those of all shares; there are none where the client's proxy answers itself.
func Call(client *Proxy, net Network, to netip.AddrPort, ask ir.Request) (ir.Verdict, error) {
	return follow(client, net, to, ask, nil)
}

// follow is Call that writes down the way it takes; trace may be nil.
func follow(client *Proxy, net Network, to netip.AddrPort, ask ir.Request, trace *Trace) (ir.Verdict, error) {
	l, err := client.outbound(to)
	if err != nil {
		return ir.Verdict{}, err
	}
	r := &request{to: to, ask: ask, http: ask.HTTP, from: client.identity, hop: trace.client(client.identity)}
	c, err := l.pick(r)
	if err != nil {
		return ir.Verdict{}, err
	}
	r.hop.at(l, c)
	if c == nil {
		return refusal(closed("listener " + l.name + " has no chain for it")), nil
	}
	if c.tls != nil {
		return ir.Verdict{}, fmt.Errorf("listener %s: an outbound chain that speaks TLS is not understood", l.name)
	}
	a, err := c.run(client, r)
	if err != nil {
		return ir.Verdict{}, inside(err, "listener %s", l.name)
	}
	r.hop.end(a)
	if len(a.forward) == 0 {
		return refusal(a), nil
	}
	p := play{client: client, net: net, request: r, answer: a, trace: trace}
	var leaves []ir.Leaf
	for _, sh := range a.forward {
		more, err := p.deliver(sh)
		if err != nil {
			return ir.Verdict{}, err
		}
		leaves = append(leaves, more...)
	}
	return ir.Sum(leaves), nil
}

// Past plays a request of a client without a proxy to a workload's address: in
// plain, or as a client that holds the certificate of an identity and does all
// that a client's proxy would do with it.
func Past(w *Workload, to netip.AddrPort, ask ir.Request) (ir.Leaf, error) {
	return past(w, to, ask, nil)
}

func past(w *Workload, to netip.AddrPort, ask ir.Request, trace *Trace) (ir.Leaf, error) {
	r := &request{to: to, ask: ask, http: ask.HTTP, hop: trace.server(w.Identity, ask.To.Service)}
	if ask.From != "" {
		trusting := &tlsContext{accepts: func(string) bool { return true }}
		r.tls = &hello{own: ask.From, sni: ask.From.SNI(), alpn: []string{alpnMesh, "h2", "http/1.1"}, of: trusting}
	}
	a, err := w.receive(r, r.tls)
	if err != nil {
		return ir.Leaf{}, err
	}
	return w.leaf(a), nil
}

// alpnMesh tells mesh TLS from the application's own on ports that take both.
const alpnMesh = "meshc"

func refusal(a *answer) ir.Verdict {
	return ir.Verdict{Outcome: ir.Deny, Status: a.status, Reason: a.reason}
}

// play is a request on its way from the client's proxy.
type play struct {
	client  *Proxy
	net     Network
	request *request
	answer  *answer
	trace   *Trace
}

// deliver sends a share to every host of its cluster.
func (p *play) deliver(sh share) ([]ir.Leaf, error) {
	c, err := p.client.sent.cluster(sh.cluster)
	if err != nil {
		return nil, err
	}
	leaf := ir.Leaf{Weight: sh.weight}
	if id, ok := p.net.ServiceOf(sh.cluster); ok {
		leaf.Service = id.Service
	}
	if c == nil {
		return p.failed(leaf, "NC", "the proxy was not given cluster "+sh.cluster), nil
	}
	var hosts []netip.AddrPort
	switch {
	case c.original:
		hosts = []netip.AddrPort{p.request.to}
	case c.endpoints != "":
		hosts = p.net.Endpoints(c.endpoints)
	}
	if len(hosts) == 0 {
		return p.failed(leaf, "UH", "cluster "+sh.cluster+" has no endpoints"), nil
	}
	var out []ir.Leaf
	for _, host := range hosts {
		got, err := p.reach(leaf, c, host)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(out, func(l ir.Leaf) bool { return sameLeaf(l, got) }) {
			out = append(out, got)
		}
	}
	return out, nil
}

func sameLeaf(a, b ir.Leaf) bool {
	return a.Account == b.Account && a.Outcome == b.Outcome && a.Status == b.Status && slices.Equal(a.By, b.By)
}

// failed is a share that reaches no host.
func (p *play) failed(leaf ir.Leaf, flag, reason string) []ir.Leaf {
	leaf.Outcome, leaf.Reason = ir.Deny, reason
	leaf.Status = p.answer.reply(ir.StatusUnavailable, flag)
	return []ir.Leaf{leaf}
}

// reach is what becomes of a request at one host.
func (p *play) reach(leaf ir.Leaf, c *cluster, host netip.AddrPort) (ir.Leaf, error) {
	w := p.net.At(host.Addr())
	switch {
	case w == nil:
		return p.failed(leaf, "UF", "nobody is at "+host.String())[0], nil
	case w.Proxy == nil && c.tls != nil:
		return p.failed(leaf, "UF", "the workload behind cluster "+c.name+" speaks no mesh TLS")[0], nil
	case w.Proxy == nil:
		leaf.Outcome, leaf.By = ir.Allow, []string{ir.ByEgress}
		leaf.Reason = "cluster " + c.name + " leaves the mesh"
		return leaf, nil
	}
	at := *p.request
	at.to, at.hop = host, p.trace.server(w.Identity, leaf.Service)
	at.tls = c.hello(p.request, &hello{own: p.client.identity})
	a, err := w.receive(&at, at.tls)
	if err != nil {
		return leaf, err
	}
	got := w.leaf(a)
	got.Service, got.Weight = leaf.Service, leaf.Weight
	if got.Outcome == ir.Deny && got.Status == 0 {
		got.Status = p.answer.reply(ir.StatusUnavailable, "UC")
	}
	return got, nil
}

// receive is what the workload's proxy makes of a connection. An answer with a
// share has reached the application.
func (w *Workload) receive(r *request, h *hello) (*answer, error) {
	l := w.Proxy.bound(portInbound)
	if l == nil {
		return nil, fmt.Errorf("the proxy of %s listens on no port %d", w.Identity.Short(), portInbound)
	}
	c, err := l.pick(r)
	if err != nil {
		return nil, err
	}
	r.hop.at(l, c)
	if c == nil {
		return r.hop.end(closed("no chain of the server takes it")), nil
	}
	if why := handshake(h, c.tls, w.Identity); why != "" {
		return r.hop.end(closed(why)), nil
	}
	r.peer = ""
	if c.tls != nil {
		r.peer = h.own
	}
	a, err := c.run(w.Proxy, r)
	if err != nil {
		return nil, inside(err, "proxy of %s", w.Identity.Short())
	}
	if c.tls == nil && len(a.forward) > 0 && len(a.by) == 0 {
		a.by = []string{ir.ByPlaintext}
	}
	err = w.arrive(a)
	return r.hop.end(a), err
}

// arrive checks that what a server's proxy forwards reaches its own application.
func (w *Workload) arrive(a *answer) error {
	for _, sh := range a.forward {
		c, err := w.Proxy.sent.cluster(sh.cluster)
		switch {
		case err != nil:
			return err
		case c == nil || !c.original && c.endpoints == "":
			*a = answer{status: a.reply(ir.StatusUnavailable, "NC"), reason: "the server's proxy has nothing behind cluster " + sh.cluster}
			return nil
		case !c.original || c.tls != nil:
			return fmt.Errorf("the proxy of %s forwards to cluster %s, which is not its application", w.Identity.Short(), sh.cluster)
		}
	}
	return nil
}

// leaf is an answer of the workload's proxy as a share.
func (w *Workload) leaf(a *answer) ir.Leaf {
	leaf := ir.Leaf{Account: w.Identity, Outcome: ir.Deny, Status: a.status, Reason: a.reason}
	if len(a.forward) > 0 {
		leaf.Outcome, leaf.By = ir.Allow, slices.Clone(a.by)
		if len(a.by) > 1 {
			slices.Sort(leaf.By)
			leaf.By = slices.Compact(leaf.By)
		}
		leaf.Reason = "it reaches the workload of " + w.Identity.Short()
	}
	return leaf
}
