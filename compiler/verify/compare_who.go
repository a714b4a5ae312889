package verify

import (
	"slices"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// callers are who is asked about at a service port.
type callers struct {
	named []ir.Identity // by a grant around it
	// others of the mesh: those that only the configuration names, those whose
	// listing differs, and one of each kind of the rest.
	others []ir.Identity
	// mentioned are those of the rest that the configuration names, or takes by a
	// vaguer matcher; exact are those that it names.
	mentioned, exact []ir.Identity
	// strangers have certificates and no account; they dial past the proxy.
	strangers []ir.Identity
}

// askWho asks for every client that the port's policy or its configuration
// tells apart whether it may call, with a request that each grant allows.
func (c *comparison) askWho(q *portQuestions) {
	who := c.callers(q)
	q.others = who.others
	q.around.Identities = slices.Concat(who.named, who.others, who.mentioned, who.strangers)
	slices.Sort(q.around.Identities)
	q.around.Identities = slices.Compact(q.around.Identities)
	sorts, plain := c.distinct(q, who.named)
	for i, id := range sorts {
		for _, http := range q.requests(c.hitsOf(q, id), i == 0 && (q.full || !plain)) {
			c.ask(q, ir.Request{From: id, To: q.id, HTTP: http})
		}
	}
	for _, id := range who.others {
		for _, http := range q.requests(q.hits, false) {
			c.ask(q, ir.Request{From: id, To: q.id, HTTP: http})
		}
	}
	past := who.exact
	if !plain || q.full { // else these were answered for the class
		past = slices.Concat(who.mentioned, who.others, who.strangers)
		for _, http := range q.requests(q.hits, true) {
			c.ask(q, ir.Request{To: q.id, HTTP: http})
		}
	}
	for _, id := range past {
		for _, http := range q.requests(q.hits, false) {
			c.ask(q, ir.Request{From: id, To: q.id, HTTP: http, Direct: true})
		}
	}
}

// requests are the hits on an HTTP port, and raw bytes on any other; the wrong
// kind for the port is asked once.
func (q *portQuestions) requests(hits []ir.HTTPRequest, wrong bool) []*ir.HTTPRequest {
	var out []*ir.HTTPRequest
	if q.port.Protocol.IsHTTP() {
		for i := range hits {
			out = append(out, &hits[i])
		}
	}
	if wrong || !q.port.Protocol.IsHTTP() {
		out = append(out, nil)
	}
	if wrong && !q.port.Protocol.IsHTTP() {
		out = append(out, &ir.HTTPRequest{Method: "GET", Path: "/"})
	}
	return out
}

// hitsOf are the hits of the grants that name a client.
func (c *comparison) hitsOf(q *portQuestions, id ir.Identity) []ir.HTTPRequest {
	var out []ir.HTTPRequest
	for i := range q.around.Grants {
		if g := &q.around.Grants[i]; slices.Contains(g.Sources, id) {
			out = append(out, q.granted[i])
		}
	}
	return distinctRequests(out)
}

// hitsOf gives a request that a grant allows; it keeps them by their matches.
func hitsOf() func(*ir.Grant) ir.HTTPRequest {
	var known sync.Map
	return func(g *ir.Grant) ir.HTTPRequest {
		if len(g.HTTP) == 0 {
			return ir.HTTPRequest{Method: "GET", Path: "/"}
		}
		words := matchWords(g.HTTP[0])
		if hit, ok := known.Load(words); ok {
			return hit.(ir.HTTPRequest)
		}
		hit := probe.Hit(g.HTTP[0])
		known.Store(words, hit)
		return hit
	}
}

func (c *comparison) callers(q *portQuestions) callers {
	out := callers{named: namedBy(q.around)}
	seen := map[ir.Identity]bool{}
	for _, id := range out.named {
		seen[id] = true
	}
	td := q.around.Settings.TrustDomain
	out.strangers = []ir.Identity{ir.NewIdentity(td, "meshc-nowhere", "nobody"), ir.NewIdentity(td+"x", "meshc-nowhere", "nobody")}
	if len(out.named) > 0 {
		out.strangers = append(out.strangers, out.named[0]+"x")
	}
	mentioned, exact := c.mentioned(q)
	for _, id := range mentioned {
		if !seen[id] {
			seen[id] = true
			out.mentioned = append(out.mentioned, id)
			if _, named := slices.BinarySearch(exact, id); named {
				out.exact = append(out.exact, id)
			}
		}
	}
	for _, id := range append(c.listing(q, seen), c.kinds(q, seen)...) {
		if !seen[id] {
			seen[id] = true
			out.others = append(out.others, id)
		}
	}
	return out
}

// namedBy are the sources of the grants around a port, sorted.
func namedBy(around *ir.Mesh) []ir.Identity {
	var out []ir.Identity
	for _, g := range around.Grants {
		out = append(out, g.Sources...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// mentioned are identities that the configuration behind a port names, or takes
// by a vaguer matcher, and those of them that it names. All are sorted.
func (c *comparison) mentioned(q *portQuestions) (all, exact people) {
	for i := range q.behind {
		p := &q.behind[i]
		all = append(all, p.names...)
		for _, ch := range p.chains {
			if ch.tls != nil {
				all, exact = append(all, ch.tls.names...), append(exact, ch.tls.exact...)
			}
		}
		p.judges(func(r *rbac) {
			all = append(all, r.names...)
			if !r.vague { // one that is makes a port whose strangers are all asked about
				exact = append(exact, r.names...)
			}
		})
	}
	slices.Sort(all)
	slices.Sort(exact)
	return slices.Compact(all), slices.Compact(exact)
}
