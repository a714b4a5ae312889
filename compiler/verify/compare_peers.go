package verify

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

func hostPort(a netip.Addr, port uint16) string { return netip.AddrPortFrom(a, port).String() }

// askServers asks which servers the clients of a port take for the service: its
// known accounts and nobody else, by mTLS unless it is outside the mesh.
func (c *comparison) askServers(q *portQuestions) {
	svc, ok := c.mesh.Service(q.id.Service)
	if !ok {
		return
	}
	refs := []ir.Ref{}
	if at, ok := c.compiled.cluster(q.id); ok {
		refs = append(refs, c.plan.Clusters[at].Resource)
	}
	if o, ok := c.compiled.outbound(q.id); ok && o.Direct != ir.NoRef {
		refs = append(refs, o.Direct)
	}
	for _, ref := range refs {
		cl, err := c.compiled.parts.cluster(ref)
		if err != nil {
			q.differ(ir.Request{To: q.id}, err.Error())
			continue
		}
		if why := takes(cl, svc); why != "" {
			q.differ(q.sample(), why)
		}
	}
}

// sample is a request that a cluster of the port would carry.
func (q *portQuestions) sample() ir.Request {
	r := ir.Request{To: q.id}
	if n := namedBy(q.around); len(n) > 0 {
		r.From = n[0]
	}
	if q.port.Protocol.IsHTTP() {
		r.HTTP = &q.hits[0]
	}
	return r
}

// takes tells whom a cluster takes for a service against the mesh.
func takes(cl *cluster, svc *ir.Service) string {
	if cl.tls == nil {
		if svc.Outside {
			return ""
		}
		return fmt.Sprintf("cluster %s of a service in the mesh speaks no mesh TLS", cl.name)
	}
	if svc.Outside {
		return fmt.Sprintf("cluster %s of a service outside the mesh speaks mesh TLS", cl.name)
	}
	servers := []ir.Identity{"spiffe://meshc-nowhere/ns/nowhere/sa/nobody"}
	for _, id := range svc.Accounts {
		if !cl.tls.accepts(string(id)) {
			return fmt.Sprintf("cluster %s does not accept the service's own account %s", cl.name, id.Short())
		}
		servers = append(servers, id+"x")
	}
	servers = append(servers, cl.tls.names...)
	for _, id := range servers {
		if cl.tls.accepts(string(id)) && !slices.Contains(svc.Accounts, id) && id != nobody {
			return fmt.Sprintf("cluster %s takes a server of %s for one of the service", cl.name, id)
		}
	}
	return ""
}

// nobody is whom a service without known accounts is run by: no authority issues it.
const nobody ir.Identity = "spiffe://nobody.invalid/"

// role asks what the mesh's requests do not: connections at a role's ports that
// claim to be somebody, and connections at a port that it does not serve.
func (c *comparison) role(i int) []Disagreement {
	role := &c.plan.Roles[i]
	w, err := c.compiled.role(i)
	if err != nil {
		return []Disagreement{{Asked: "any request to " + role.Identity.Short(), Why: err.Error(), About: aboutRole(role)}}
	}
	for j := range role.Ports {
		if d := c.doors(w, role, j); d != nil {
			return []Disagreement{*d}
		}
	}
	return c.unserved(w, role)
}

func aboutRole(role *ir.RolePlan) []string {
	var out []string
	for _, s := range role.Services {
		out = append(out, "Service/"+s.String())
	}
	return out
}

// unserved dials a port that no service leads to.
func (c *comparison) unserved(w *Workload, role *ir.RolePlan) []Disagreement {
	number := uint16(1)
	for slices.ContainsFunc(role.Ports, func(p ir.InboundPlan) bool { return p.TargetPort == number }) {
		number++
	}
	to := netip.AddrPortFrom(elsewhere, number)
	for _, from := range []ir.Identity{"", ir.NewIdentity(c.mesh.Settings.TrustDomain, "meshc-nowhere", "nobody")} {
		for _, http := range []*ir.HTTPRequest{nil, {Method: "GET", Path: "/"}} {
			r := ir.Request{From: from, HTTP: http, Direct: true}
			leaf, err := Past(w, to, r)
			if err == nil && leaf.Outcome == ir.Deny {
				continue
			}
			why := "no service leads there, and the configuration lets it in"
			if err != nil {
				why = err.Error()
			}
			return []Disagreement{{Request: r, Asked: fmt.Sprintf("%s to port %d of a workload of %s", r, number, w.Identity.Short()), Why: why, About: aboutRole(role)}}
		}
	}
	return nil
}

// doors tries each chain of a port with certificates that it must not accept:
// none at all, and on a port for bytes, where a server may speak before it is
// asked, any of a client that the mesh refuses.
func (c *comparison) doors(w *Workload, role *ir.RolePlan, at int) *Disagreement {
	p := &role.Ports[at]
	for _, ref := range p.Chains {
		ch, err := c.compiled.parts.chain(ref)
		if err != nil {
			return &Disagreement{Asked: "any request to " + p.Services[0].String(), Why: err.Error(), About: aboutRole(role)}
		}
		if ch.tls == nil {
			continue
		}
		to := netip.AddrPortFrom(elsewhere, targetPort(*p, at))
		for _, id := range c.claimants(ch, p) {
			if !c.enters(w, ch, id, to) || c.welcome(p, id) {
				continue
			}
			r := ir.Request{From: id, To: p.Services[0], Direct: true}
			return &Disagreement{
				Request: r, Asked: Words(r) + " with the server name that picks chain " + ch.name,
				Why:   "the mesh says deny, and the chain accepts its certificate",
				About: aboutRole(role),
			}
		}
	}
	return nil
}

// claimants are whose certificates a chain is tried with; "" is none.
func (c *comparison) claimants(ch *chain, p *ir.InboundPlan) []ir.Identity {
	out := []ir.Identity{""}
	if p.Protocol.IsHTTP() {
		return out // RBAC judges each request before the application sees it
	}
	td := c.mesh.Settings.TrustDomain
	out = append(out, ir.NewIdentity(td, "meshc-nowhere", "nobody"), ir.NewIdentity(td+"x", "meshc-nowhere", "nobody"))
	for _, id := range ch.tls.names {
		out = append(out, id, id+"x")
	}
	return out
}

// enters tells whether a certificate opens a chain.
func (c *comparison) enters(w *Workload, ch *chain, id ir.Identity, to netip.AddrPort) bool {
	trusting := &tlsContext{accepts: func(string) bool { return true }}
	h := &hello{own: id, alpn: []string{alpnMesh, "h2", "http/1.1"}, of: trusting}
	if len(ch.names) > 0 {
		h.sni = ch.names[0]
	}
	l := w.Proxy.bound(portInbound)
	if l == nil {
		return false
	}
	got, err := l.pick(&request{to: to, tls: h})
	return err == nil && got != nil && got.name == ch.name && handshake(h, got.tls, w.Identity) == ""
}

// welcome tells whether the mesh lets a client send bytes to a port.
func (c *comparison) welcome(p *ir.InboundPlan, id ir.Identity) bool {
	if id == "" {
		return false
	}
	for _, to := range p.Services {
		around := c.assessor.Around(to)
		around.Identities = []ir.Identity{id}
		if v := c.assessor.Decide(around, ir.Request{From: id, To: to, Direct: true}); v.Outcome == ir.Allow || v.Outcome == ir.Mixed {
			return true
		}
	}
	return false
}
