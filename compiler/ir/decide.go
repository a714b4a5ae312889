package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Decide is the reference meaning of a mesh: what becomes of a request. It
// follows SEMANTICS and knows no proxy; the compiled configuration and real
// proxies must agree with it.
//
// A call between workloads passes the client's proxy (which knows only what the
// client may call, and picks a leaf) and the server's (which judges it). What a
// proxy cannot judge for lack of a fact is Unknown, never Allow.
func Decide(m *Mesh, r Request) Verdict {
	d := decision{m: m, r: r, seen: r.HTTP, near: true}
	return d.decide()
}

func (d *decision) decide() Verdict {
	r := d.r
	if r.External != "" {
		return d.external()
	}
	svc, port, v := d.destination()
	if v != nil {
		return *v
	}
	if r.From != "" && !d.m.knows(r.From) {
		return d.m.stranger(r.From)
	}
	if r.From == "" || r.Direct {
		return d.past(svc, port)
	}
	return d.meshed(svc, port)
}

// decision is one request on its way.
type decision struct {
	m *Mesh
	r Request
	// seen is the request as the proxy that now holds it sees it: its path is
	// normalised at each proxy. nil for raw bytes.
	seen *HTTPRequest
	// bytes: the proxy that holds the request reads no HTTP, and answers none.
	bytes bool
	// near: sentences are wanted, of reasons and of grants that came close.
	near bool
	// expressions are kept from request to request; nil keeps none.
	expressions *expressions
}

// say is a reason, if reasons are wanted.
func (d *decision) say(reason func() string) string {
	if !d.near {
		return ""
	}
	return reason()
}

// knows tells whether the mesh names an identity anywhere.
func (m *Mesh) knows(id Identity) bool {
	_, ok := slices.BinarySearch(m.Identities, id)
	return ok ||
		slices.ContainsFunc(m.Roles, func(r Role) bool { return r.Identity == id }) ||
		slices.ContainsFunc(m.Services, func(s Service) bool { return slices.Contains(s.Accounts, id) }) ||
		slices.ContainsFunc(m.Grants, func(g Grant) bool { return g.Destination == id || slices.Contains(g.Sources, id) })
}

// stranger is the verdict on a client that the mesh does not know.
func (m *Mesh) stranger(id Identity) Verdict {
	if td := id.TrustDomain(); td != "" && td != m.Settings.TrustDomain {
		return unknown("%s is of the trust domain %s, not of %s, so nothing was compiled for it", id, td, m.Settings.TrustDomain)
	}
	return unknown("no account %s is known, so nothing was compiled for it", id.Short())
}

// member tells whether a name is of the mesh's trust domain.
func (m *Mesh) member(id Identity) bool {
	return strings.HasPrefix(string(id), "spiffe://"+m.Settings.TrustDomain+"/")
}

// destination finds what is called, or the verdict that it cannot be judged.
func (d *decision) destination() (*Service, *Port, *Verdict) {
	to := d.r.To
	svc, ok := d.m.Service(to.Service)
	if !ok {
		v := unknown("no service %s is known%s", to.Service, d.nearService())
		return nil, nil, &v
	}
	port, ok := svc.Port(to.Port)
	if !ok {
		v := unknown("service %s has no port %d%s", svc.ID, to.Port, portsOf(svc))
		return nil, nil, &v
	}
	if port.Protocol == UDP {
		v := unknown("port %d of %s is UDP, which sidecars neither carry nor refuse", port.Number, svc.ID)
		return nil, nil, &v
	}
	return svc, port, nil
}

// past judges a call that passes no client's proxy: one in plain, or one with a
// certificate at the workload's own address. It is not split, and reaches the
// service's own workloads.
func (d *decision) past(svc *Service, port *Port) Verdict {
	if svc.Outside {
		return unknown("neither the client nor %s is in the mesh", svc.ID)
	}
	own := share{service: svc.ID, port: port.Number, weight: 1}
	reason := ""
	switch {
	case len(svc.Accounts) == 0:
		reason = fmt.Sprintf("no workload is known behind %s", svc.ID)
	case d.r.From != "" && !d.m.member(d.r.From):
		reason = fmt.Sprintf("%s is no name of trust domain %s", d.r.From, d.m.Settings.TrustDomain)
	}
	if reason != "" {
		return Verdict{Outcome: Deny, Reason: reason, Leaves: []Leaf{{Service: svc.ID, Weight: 1, Outcome: Deny, Reason: reason}}}
	}
	return Sum(d.leaves([]share{own}, port))
}

// meshed judges a call between workloads of the mesh.
func (d *decision) meshed(svc *Service, port *Port) Verdict {
	branches := d.m.branches(svc, port)
	if !d.m.lists(d.r.From, svc.ID, port.Number, branches) {
		v := d.unlisted(d.say(func() string { return d.ungranted(svc, port, branches) }))
		if v.Status != StatusBadRequest {
			v.Near = d.nearMisses(svc, port, branches)
		}
		return v
	}
	if port.Protocol.IsHTTP() {
		if d.r.HTTP == nil {
			return Verdict{Outcome: Deny, Reason: d.say(func() string { return notHTTP(d.r.To) })}
		}
		if status, reason := d.normalise(); status != 0 {
			return Verdict{Outcome: Deny, Status: status, Reason: reason}
		}
	}
	d.bytes = !port.Protocol.IsHTTP()
	return Sum(d.leaves(d.choose(branches), port))
}

// normalise is what a proxy does to a request before it looks at it: the path is
// put in order, and headers that are the proxies' own are dropped. It gives the
// status and the reason if the proxy refuses it.
func (d *decision) normalise() (status int, reason string) {
	if d.seen.Method == "CONNECT" {
		return StatusForbidden, "the mesh carries no CONNECT"
	}
	path, ok := NormalisePath(d.seen.Path)
	if !ok {
		return StatusBadRequest, d.say(func() string { return badPath(d.r.HTTP.Path) })
	}
	next := HTTPRequest{Method: d.seen.Method, Path: path}
	for _, h := range d.seen.Headers {
		if !ProxyHeader(strings.ToLower(h.Name)) {
			next.Headers = append(next.Headers, h)
		}
	}
	d.seen = &next
	return 0, ""
}
