package verify

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
)

// Disagreement is a request that the compiled configuration treats otherwise
// than the mesh means it: the smallest that was found in its place.
type Disagreement struct {
	Request ir.Request
	// Asked is the request in words, with who sends it and where to.
	Asked string
	// Why is in what the two answers differ, or why there is no second one.
	Why string
	// About are names of what is concerned, as in ir.Mesh.Origins, the nearest first.
	About []string

	differs bool // both answered, so that smaller requests can be tried
}

// Compare asks a mesh and the plan made of it the same requests at the
// boundaries of every policy, and gives those on which they differ, in an order
// that depends on the two alone; none is the proof that a build wants. Service
// ports whose policies and configuration treat requests alike, whatever their
// names, share the questions about requests; who may call is asked for each.
func Compare(mesh *ir.Mesh, plan *ir.Plan) []Disagreement {
	found, _ := new(Memo).compare(mesh, plan)
	return found
}

// compare asks what is selected, and gives the digests of the classes it asked
// about besides those that are proved.
func compare(mesh *ir.Mesh, plan *ir.Plan, sel selection, proved map[classDigest]bool) ([]Disagreement, []classDigest) {
	find := mapped(plan)
	if sel.few {
		find = scanned(plan)
	}
	compiled := newMesh(plan, find, slices.Concat(mesh.Settings.ServiceRanges, mesh.Settings.PodRanges))
	c := newComparison(sel.around(mesh), compiled)
	ports := c.ports(sel.ports)
	parallel(len(ports), func(i int) { c.classify(ports[i]) })
	var news []classDigest
	seen := map[classDigest]bool{}
	for _, p := range ports {
		if p.full = !seen[p.class] && !proved[p.class]; p.full {
			seen[p.class] = true
			news = append(news, p.class)
		}
	}
	found := make([][]Disagreement, len(ports)+len(sel.roles))
	parallel(len(found), func(i int) {
		if i < len(ports) {
			found[i] = c.port(ports[i])
		} else {
			found[i] = c.role(sel.roles[i-len(ports)])
		}
	})
	out := slices.Concat(found...)
	if sel.egress {
		out = append(out, c.egress()...)
	}
	if err := sel.check(compiled); err != nil && len(out) == 0 {
		out = append(out, Disagreement{Asked: "a request that reaches it", Why: err.Error()})
	}
	return out, news
}

// comparison is what the questions have in common.
type comparison struct {
	mesh     *ir.Mesh
	plan     *ir.Plan
	compiled *Mesh
	assessor *ir.Assessor
	members  [][]ir.Identity // of each scope
	hits     func(*ir.Grant) ir.HTTPRequest
}

func newComparison(mesh *ir.Mesh, compiled *Mesh) *comparison {
	return &comparison{
		mesh: mesh, plan: compiled.plan, compiled: compiled, assessor: ir.NewAssessor(mesh),
		members: membersOf(compiled.plan), hits: hitsOf(),
	}
}

// membersOf are the identities of each scope, in order.
func membersOf(plan *ir.Plan) [][]ir.Identity {
	ends := make([]int, len(plan.Scopes)+1)
	for i := range plan.Identities {
		ends[plan.Identities[i].Scope+1]++
	}
	for i := range plan.Scopes {
		ends[i+1] += ends[i]
	}
	all, at := make([]ir.Identity, len(plan.Identities)), slices.Clone(ends)
	for i := range plan.Identities {
		p := &plan.Identities[i]
		all[at[p.Scope]] = p.Identity
		at[p.Scope]++
	}
	out := make([][]ir.Identity, len(plan.Scopes))
	for i := range out {
		out[i] = all[ends[i]:ends[i+1]]
	}
	return out
}

// portQuestions are what is asked about one service port.
type portQuestions struct {
	id      ir.PortID
	port    *ir.Port
	around  *ir.Mesh // what a call to it can meet
	kinds   []clientKind
	behind  []inboundParts // what the roles hold that a call to it may come to
	class   classDigest
	full    bool // it is the first of its class
	hits    []ir.HTTPRequest
	granted []ir.HTTPRequest // of each grant around it
	others  []ir.Identity    // whom no grant names, once they are known
	found   []Disagreement
}

// ports are questions about the ports of services that carry TCP, in order.
func (c *comparison) ports(of []int) []*portQuestions {
	var out []*portQuestions
	for _, i := range of {
		svc := &c.mesh.Services[i]
		for j := range svc.Ports {
			if p := &svc.Ports[j]; p.Protocol != ir.UDP {
				out = append(out, &portQuestions{id: ir.PortID{Service: svc.ID, Port: p.Number}, port: p})
			}
		}
	}
	slices.SortFunc(out, func(a, b *portQuestions) int { return a.id.Compare(b.id) })
	return out
}

// ask asks both, and keeps a disagreement.
func (c *comparison) ask(q *portQuestions, r ir.Request) {
	want := c.assessor.Decide(q.around, r)
	if want.Outcome == ir.Unknown {
		return
	}
	got, err := c.compiled.Decide(r)
	switch diff := ""; {
	case err != nil:
		q.differ(r, "the mesh says "+string(want.Outcome)+", and the configuration cannot be judged: "+err.Error(), want.By)
	case want.Outcome == ir.Deny && got.Outcome == ir.Deny && want.Status == got.Status && !c.member(r.From):
		// Whom the mesh refuses before a request is refused by every account alike.
	default:
		if diff = want.Disagreement(got); diff != "" {
			q.differ(r, "the mesh against the configuration: "+diff, want.By, got.By)
			q.found[len(q.found)-1].differs = true
		}
	}
}

// member tells whether a client is of the mesh's trust domain, or in plain.
func (c *comparison) member(id ir.Identity) bool {
	return id == "" || strings.HasPrefix(string(id), "spiffe://"+c.mesh.Settings.TrustDomain+"/")
}

// differ keeps a disagreement, about the given names and those around the port.
func (q *portQuestions) differ(r ir.Request, why string, about ...[]string) {
	names := slices.Concat(about...)
	for _, g := range q.around.Grants {
		if slices.Contains(g.Sources, r.From) {
			names = append(names, g.Name)
		}
	}
	for _, s := range q.around.Splits {
		names = append(names, s.Name)
	}
	if r.External != "" {
		names = append(names, "ServiceAccount/"+r.From.Short())
	} else {
		names = append(names, "Service/"+r.To.Service.String())
	}
	q.found = append(q.found, Disagreement{Request: r, Asked: Words(r), Why: why, About: names})
}

// port asks everything about a service port, and gives the smallest request on
// which the answers differ.
func (c *comparison) port(q *portQuestions) []Disagreement {
	c.askWho(q)
	if q.full {
		c.askWhat(q)
	}
	c.askServers(q)
	return c.smallest(q)
}

// Words is a request with who sends it and where to.
func Words(r ir.Request) string {
	from, to, what := "a client without a mesh certificate", r.To.String(), r.String()
	if r.From != "" {
		from = r.From.Short()
	}
	if r.External != "" {
		to = r.External
	}
	if r.Direct {
		to += ", past its own proxy"
	}
	if r.HTTP != nil {
		for _, h := range r.HTTP.Headers {
			what += fmt.Sprintf(" with %s: %s", h.Name, h.Value)
		}
	}
	return fmt.Sprintf("%s from %s to %s", what, from, to)
}

// parallel runs f on the cores there are; f writes to its own place only.
func parallel(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var g sync.WaitGroup
	for w := range workers {
		g.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	g.Wait()
}
