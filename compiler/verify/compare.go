package verify

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify/probe"
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
}

// Compare asks a mesh and the plan made of it the same requests at the
// boundaries of every policy, and gives those on which they differ, in an order
// that depends on the two alone; none is the proof that a build wants. Service
// ports whose policies and configuration treat requests alike, whatever their
// names, share the questions about requests; who may call is asked for each.
func Compare(mesh *ir.Mesh, plan *ir.Plan) []Disagreement {
	compiled, err := New(plan, slices.Concat(mesh.Settings.ServiceRanges, mesh.Settings.PodRanges)...)
	if err != nil {
		return []Disagreement{{Asked: "any request", Why: err.Error()}}
	}
	c := newComparison(mesh, compiled)
	ports := c.ports()
	parallel(len(ports), func(i int) { c.classify(ports[i]) })
	seen := map[string]bool{}
	for _, p := range ports {
		p.full = !seen[p.class]
		seen[p.class] = true
	}
	found := make([][]Disagreement, len(ports)+len(plan.Roles))
	parallel(len(ports), func(i int) { found[i] = c.port(ports[i]) })
	parallel(len(plan.Roles), func(i int) { found[len(ports)+i] = c.role(i) })
	out := append(slices.Concat(found...), c.egress()...)
	if err := compiled.Check(); err != nil && len(out) == 0 {
		out = append(out, Disagreement{Asked: "a request that reaches it", Why: err.Error()})
	}
	return out
}

// comparison is what the questions have in common.
type comparison struct {
	mesh     *ir.Mesh
	plan     *ir.Plan
	compiled *Mesh
	assessor *ir.Assessor
	lists    map[ir.PortID][]int       // the scopes that list a service port
	members  [][]ir.Identity           // of each scope
	hits     map[string]ir.HTTPRequest // of each grant, by its name
}

func newComparison(mesh *ir.Mesh, compiled *Mesh) *comparison {
	c := &comparison{
		mesh: mesh, plan: compiled.plan, compiled: compiled, assessor: ir.NewAssessor(mesh),
		lists: map[ir.PortID][]int{}, members: make([][]ir.Identity, len(compiled.plan.Scopes)),
	}
	for i, s := range c.plan.Scopes {
		for _, p := range s.Outbound {
			c.lists[p] = append(c.lists[p], i)
		}
	}
	for _, p := range c.plan.Identities {
		c.members[p.Scope] = append(c.members[p.Scope], p.Identity)
	}
	c.hits = hitsOf(mesh)
	return c
}

// portQuestions are what is asked about one service port.
type portQuestions struct {
	id     ir.PortID
	port   *ir.Port
	around *ir.Mesh       // what a call to it can meet
	behind []inboundParts // what the roles hold that a call to it may come to
	class  string
	full   bool // it is the first of its class
	hits   []ir.HTTPRequest
	others []ir.Identity // whom no grant names, once they are known
	found  []Disagreement
}

func (c *comparison) ports() []*portQuestions {
	var out []*portQuestions
	for i := range c.mesh.Services {
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
	names = append(names, "Service/"+q.id.Service.String())
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
	return smallest(q.found)
}

func smallest(found []Disagreement) []Disagreement {
	if len(found) == 0 {
		return nil
	}
	return []Disagreement{slices.MinFunc(found, func(a, b Disagreement) int {
		return cmp.Compare(probe.Size(a.Request.HTTP), probe.Size(b.Request.HTTP))
	})}
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
