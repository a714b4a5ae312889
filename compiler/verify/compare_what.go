package verify

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
)

// classDigest stands for all that tells requests to a port apart.
type classDigest [sha256.Size]byte

// classify finds what lies around a port and behind it, and puts it in words
// that are equal where requests are judged alike.
func (c *comparison) classify(q *portQuestions) {
	q.around = c.assessor.Around(q.id)
	for i := range q.around.Grants {
		q.hits = append(q.hits, c.hits(&q.around.Grants[i]))
	}
	q.granted = slices.Clone(q.hits)
	for _, s := range q.around.Splits {
		if len(s.Matches) > 0 {
			q.hits = append(q.hits, probe.Hit(s.Matches[0]))
		}
	}
	if len(q.hits) == 0 {
		q.hits = []ir.HTTPRequest{{Method: "GET", Path: "/"}}
	}
	q.hits = distinctRequests(q.hits)
	q.kinds = kindsOf(q.around)
	q.behind = c.behind(q)
	q.class = sha256.Sum256([]byte(meshWords(q) + "\n" + c.planWords(q)))
}

// meshWords is what the mesh says of requests to a port, without names.
func meshWords(q *portQuestions) string {
	var b strings.Builder
	b.WriteString(string(q.port.Protocol))
	for i := range q.around.Services {
		s := &q.around.Services[i]
		ns := q.around.Namespace(s.ID.Namespace)
		fmt.Fprintf(&b, " service %v %s %v %d", s.Outside, ns.Mode, ns.PlaintextAllowed, len(s.Accounts))
		if p, ok := s.Port(q.id.Port); ok {
			fmt.Fprintf(&b, " %s %v", p.Protocol, p.Plaintext)
		}
	}
	for i := range q.around.Roles {
		for _, p := range q.around.Roles[i].Ports {
			if slices.ContainsFunc(p.Services, func(id ir.PortID) bool { return id.Port == q.id.Port }) {
				fmt.Fprintf(&b, " role %v", p.Plaintext)
			}
		}
	}
	for _, g := range q.around.Grants {
		b.WriteString(" grant")
		for _, m := range g.HTTP {
			b.WriteString(matchWords(m))
		}
	}
	for _, s := range q.around.Splits {
		b.WriteString(" split")
		for _, m := range s.Matches {
			b.WriteString(matchWords(m))
		}
		for _, leaf := range s.Backends {
			fmt.Fprintf(&b, " %d", leaf.Weight)
		}
	}
	for _, k := range q.kinds {
		b.WriteString(" by " + k.grants)
	}
	return b.String()
}

func matchWords(m ir.Match) string {
	b := strconv.AppendQuote(nil, m.Path)
	for _, method := range m.Methods {
		b = strconv.AppendQuote(append(b, ' '), method)
	}
	for _, h := range m.Headers {
		b = strconv.AppendQuote(append(b, " header "...), h.Name)
		b = strconv.AppendQuote(append(b, ' '), h.Regex)
		b = strconv.AppendBool(append(b, ' '), h.Full)
	}
	return string(append(b, ';'))
}

// clientKind are the clients that the same grants name.
type clientKind struct {
	grants  string
	clients []ir.Identity
}

func kindsOf(around *ir.Mesh) []clientKind {
	var out []clientKind
	for _, id := range namedBy(around) {
		var grants []byte
		for i := range around.Grants {
			if slices.Contains(around.Grants[i].Sources, id) {
				grants = append(strconv.AppendInt(grants, int64(i), 10), ',')
			}
		}
		at := slices.IndexFunc(out, func(k clientKind) bool { return k.grants == string(grants) })
		if at < 0 {
			at, out = len(out), append(out, clientKind{grants: string(grants)})
		}
		out[at].clients = append(out[at].clients, id)
	}
	slices.SortFunc(out, func(a, b clientKind) int { return strings.Compare(a.grants, b.grants) })
	return out
}

// askWhat asks, for each kind of client, requests at the boundaries of all that
// the mesh and the configuration say of requests.
func (c *comparison) askWhat(q *portQuestions) {
	if !q.port.Protocol.IsHTTP() {
		return
	}
	requests := c.boundaries(q)
	who := []ir.Identity{""}
	for _, k := range q.kinds {
		who = append(who, k.clients[0])
	}
	if len(who) == 1 {
		who = append(who, q.others[:min(1, len(q.others))]...)
	}
	for _, id := range who {
		for i := range requests {
			c.ask(q, ir.Request{From: id, To: q.id, HTTP: &requests[i]})
		}
	}
}

func (c *comparison) boundaries(q *portQuestions) []ir.HTTPRequest {
	out := probe.Anywhere()
	known := map[string]bool{}
	for _, g := range q.around.Grants {
		for _, m := range g.HTTP {
			know(known, m)
			out = append(out, probe.Around(m)...)
		}
	}
	for _, s := range q.around.Splits {
		for _, m := range s.Matches {
			know(known, m)
			out = append(out, probe.Around(m)...)
			out = append(out, joined(q.hits, m)...)
		}
	}
	return distinctRequests(append(out, c.strange(q, known)...))
}

// know marks the expressions of a match in the forms in which configuration may
// say them: they have no boundaries that the match has not.
func know(known map[string]bool, m ir.Match) {
	known["path "+m.Path] = true
	for _, h := range m.Headers {
		known["header "+h.Name+" "+h.Regex] = true
		known["header "+h.Name+" .*(?:"+h.Regex+").*"] = true
	}
	known["method "+strings.Join(m.Methods, "|")] = true
}

// strange are requests at the boundaries that only the configuration has.
func (c *comparison) strange(q *portQuestions, known map[string]bool) []ir.HTTPRequest {
	var out []ir.HTTPRequest
	says := c.said(q)
	for _, hit := range q.hits {
		for _, e := range says.paths {
			if !known["path "+e] {
				out = append(out, probe.WithPaths(hit, probe.Paths(e))...)
			}
		}
		for _, e := range says.methods {
			if !known["method "+e] {
				out = append(out, probe.WithMethods(hit, probe.Examples(e))...)
			}
		}
		for _, h := range says.headers {
			if !known["header "+h.Name+" "+h.Regex] {
				out = append(out, probe.Headers(hit, h)...)
			}
		}
	}
	return out
}

// joined are the hits of grants that are hits of a split's match too.
func joined(hits []ir.HTTPRequest, m ir.Match) []ir.HTTPRequest {
	split := probe.Hit(m)
	var out []ir.HTTPRequest
	for _, hit := range hits {
		hit.Headers = slices.Concat(hit.Headers, split.Headers)
		out = append(out, hit)
		if m.Path != "" {
			hit.Path = split.Path
			out = append(out, hit)
		}
		if len(m.Methods) > 0 {
			hit.Method = split.Method
			out = append(out, hit)
		}
	}
	return out
}

func distinctRequests(in []ir.HTTPRequest) []ir.HTTPRequest {
	if len(in) < 2 {
		return in
	}
	seen := map[string]bool{}
	var out []ir.HTTPRequest
	for _, r := range in {
		if key := fmt.Sprintf("%q", r); !seen[key] {
			seen[key] = true
			out = append(out, r)
		}
	}
	return out
}
