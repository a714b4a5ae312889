package verdict

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/verify"
)

// Why is a decision with every step of it, as the mesh means it and as the
// compiled configuration takes it. Its field names are a promise to readers.
type Why struct {
	Client  *ClientStep  `json:"client,omitempty"`  // absent: no client's proxy holds the request
	Routes  []RouteStep  `json:"routes,omitempty"`  // classes of requests in order, up to the one that takes it
	Servers []ServerStep `json:"servers,omitempty"` // the proxies that judge it, one a leaf
	Near    []NearMiss   `json:"nearMisses"`        // the nearest first
}

// Place is an object with where it was written.
type Place struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// ClientStep is what the client's proxy does.
type ClientStep struct {
	Identity string   `json:"identity"`
	Listed   bool     `json:"listed"` // it was given the service port
	Given    []Place  `json:"given,omitempty"`
	Listener string   `json:"listener"`
	Chain    string   `json:"chain,omitempty"`
	Route    string   `json:"route,omitempty"`
	Clusters []string `json:"clusters,omitempty"`
	Status   int      `json:"status,omitempty"` // of an answer of its own
	Reason   string   `json:"reason,omitempty"`
}

// RouteStep is a split, or the service itself.
type RouteStep struct {
	Place
	Taken   bool     `json:"taken"`
	Matches []string `json:"matches,omitempty"`
	Misses  []string `json:"misses,omitempty"`
	Shares  []string `json:"shares,omitempty"`
}

// ServerStep is what the proxy of a leaf does.
type ServerStep struct {
	Service  string     `json:"service"`
	Account  string     `json:"account"`
	Mode     ir.Mode    `json:"mode"`
	Listener string     `json:"listener"`
	Chain    string     `json:"chain,omitempty"`
	Route    string     `json:"route,omitempty"`
	Policies []Place    `json:"policies,omitempty"` // that RBAC tried
	By       []Place    `json:"by,omitempty"`       // that let it in
	Outcome  ir.Outcome `json:"outcome"`
	Status   int        `json:"status,omitempty"`
	Reason   string     `json:"reason,omitempty"`
}

// NearMiss is a match or a grant that does not let the request in.
type NearMiss struct {
	Grant Place     `json:"grant"`
	Match *Place    `json:"match,omitempty"`
	Lacks []ir.Lack `json:"lacks"`
	Text  string    `json:"text"`
}

// Explain asks the mesh and the configuration made of it, step by step. defect
// says in what the two differ; it is empty when they agree, as they always should.
func Explain(mesh *ir.Mesh, compiled *verify.Mesh, r ir.Request) (w *Why, meant ir.Verdict, defect string, err error) {
	path := ir.Explain(mesh, r)
	at := places{mesh}
	w = &Why{Near: []NearMiss{}}
	if path.Verdict.Outcome == ir.Unknown {
		return w, path.Verdict, "", nil
	}
	does, trace, err := compiled.Trace(r)
	if err != nil {
		return nil, path.Verdict, "", err
	}
	if d := firstOf(path.Verdict.Disagreement(does), otherSteps(mesh, r, path, trace)); d != "" {
		defect = Defect(d)
	}
	w.client(at, path, trace.Client)
	w.routes(at, path.Routes)
	for i := range trace.Servers {
		w.server(at, &trace.Servers[i])
	}
	for _, m := range path.Near {
		near := NearMiss{Grant: at.of(m.Grant), Lacks: m.Lacks, Text: m.String()}
		if m.Match != "" {
			match := at.of(m.Match)
			near.Match = &match
		}
		w.Near = append(w.Near, near)
	}
	return w, path.Verdict, defect, nil
}

func firstOf(sentences ...string) string {
	for _, s := range sentences {
		if s != "" {
			return s
		}
	}
	return ""
}

// otherSteps says where the configuration takes another way than the mesh means,
// though both come to one verdict.
func otherSteps(mesh *ir.Mesh, r ir.Request, p ir.Path, t verify.Trace) string {
	if r.External != "" || t.Client == nil {
		return ""
	}
	own := strings.HasPrefix(t.Client.Listener, "outbound/"+r.To.String())
	if own != p.Listed {
		return fmt.Sprintf("given %s: %t against %t, by listener %s", r.To, p.Listed, own, t.Client.Listener)
	}
	for _, route := range p.Routes {
		if route.Taken && t.Client.Route != "" && t.Client.Route != route.Name {
			return fmt.Sprintf("route %s against %s", route.Name, t.Client.Route)
		}
	}
	return untried(mesh, p, t)
}

// untried is a grant to the client that the server's RBAC does not know of.
func untried(mesh *ir.Mesh, p ir.Path, t verify.Trace) string {
	for _, s := range t.Servers {
		if len(s.Policies) == 0 || mesh.Namespace(s.Service.Namespace).Mode == ir.Permissive {
			continue
		}
		for _, near := range p.Near {
			foreign := slices.ContainsFunc(near.Lacks, func(l ir.Lack) bool { return l.Aspect == ir.AspectIdentity || l.Aspect == ir.AspectPort })
			grants := slices.ContainsFunc(mesh.Grants, func(g ir.Grant) bool {
				return g.Name == near.Grant && g.Destination == s.Identity && slices.ContainsFunc(g.Ports, func(id ir.PortID) bool { return id.Service == s.Service })
			})
			if grants && !foreign && !slices.Contains(s.Policies, near.Grant) {
				return fmt.Sprintf("%s is no policy of %s", near.Grant, s.Chain)
			}
		}
	}
	return ""
}

// places find where names were written.
type places struct{ mesh *ir.Mesh }

func (p places) of(name string) Place {
	out := Place{Name: name}
	if o, ok := p.mesh.Origins[name]; ok {
		out.File, out.Line = o.File, o.Line
	} else if service, port, ok := strings.Cut(name, ":"); ok && port != "" {
		if o, ok := p.mesh.Origins[service]; ok {
			out.File, out.Line = o.File, o.Line
		}
	}
	return out
}

func (p places) all(names []string) []Place {
	var out []Place
	for _, n := range names {
		out = append(out, p.of(n))
	}
	return out
}

func (w *Why) client(at places, p ir.Path, h *verify.Hop) {
	if h == nil {
		return
	}
	w.Client = &ClientStep{
		Identity: h.Identity.Short(), Listed: p.Listed, Given: at.all(p.Given), Listener: h.Listener, Chain: h.Chain,
		Route: h.Route, Clusters: h.Clusters, Status: h.Status, Reason: h.Reason,
	}
}

func (w *Why) routes(at places, steps []ir.RouteStep) {
	for _, s := range steps {
		out := RouteStep{Place: at.of(s.Name), Taken: s.Taken, Matches: s.Matches}
		for _, m := range s.Misses {
			out.Misses = append(out.Misses, m.String())
		}
		total := uint64(0)
		for _, sh := range s.Shares {
			total += uint64(sh.Weight)
		}
		for _, sh := range s.Shares {
			text := fmt.Sprintf("%s:%d %.4g%%", sh.Service, sh.Port, 100*float64(sh.Weight)/float64(max(total, 1)))
			if sh.Missing {
				text += " (no such service is known)"
			}
			out.Shares = append(out.Shares, text)
		}
		w.Routes = append(w.Routes, out)
	}
}

func (w *Why) server(at places, h *verify.Hop) {
	out := ServerStep{
		Service: h.Service.String(), Account: h.Identity.Short(), Mode: at.mesh.Namespace(h.Service.Namespace).Mode,
		Listener: h.Listener, Chain: h.Chain, Route: h.Route, Policies: at.all(h.Policies), By: at.all(h.By),
		Outcome: ir.Deny, Status: h.Status, Reason: h.Reason,
	}
	if len(h.Clusters) > 0 {
		out.Outcome = ir.Allow
	}
	w.Servers = append(w.Servers, out)
}
