package ir

import (
	"cmp"
	"slices"
)

// Path is a decision with every step of it: what the client's proxy is given,
// which split or service takes the request, and which grants come near.
type Path struct {
	Verdict Verdict
	// Listed: the client's proxy is given the service port, by what Given names
	// (grants, modes, ByEgress). Without a client's proxy nothing is listed.
	Listed bool
	Given  []string
	// Routes are the classes of requests to the port, in order, up to the one that
	// takes the request; none where no client's proxy picks one.
	Routes []RouteStep
	// Near are the matches and grants that nearly let it in, the nearest first. They
	// are told of what is allowed too: what remains if the deciding grant goes.
	Near []Miss
	// Uses are the grants, and of HTTP their matches, that let it in somewhere.
	Uses []Use
}

// Use is a grant that let a request in, and the match that took it.
type Use struct {
	Grant string // TrafficTarget/NS/NAME#ruleN
	Match string // HTTPRouteGroup/NS/NAME#MATCH; empty for a grant of any request
}

// RouteStep is a split, or the service itself, that a request comes to.
type RouteStep struct {
	Name  string // TrafficSplit/NS/NAME, or Service/NS/NAME:PORT for its own endpoints
	Taken bool
	// Matches are the classes of requests the split is for; none: every request.
	Matches []string
	// Misses say for each match why the request is not of it; none when it is taken.
	Misses []Miss
	Shares []ShareStep
}

// ShareStep is a leaf of a route as it is written.
type ShareStep struct {
	Service ServiceID
	Port    uint16
	Weight  uint32
	Missing bool // no such service is known
}

// Explain is Decide with its steps.
func Explain(m *Mesh, r Request) Path {
	d := &decision{m: m, r: r, seen: r.HTTP, near: true}
	p := Path{Verdict: d.decide()}
	svc, port := d.called()
	if p.Verdict.Outcome == Unknown || port == nil {
		return p
	}
	at := &decision{m: m, r: r, seen: r.HTTP, near: true}
	branches := []branch{{shares: []share{{service: svc.ID, port: port.Number, weight: 1}}}}
	if r.From != "" && !r.Direct {
		branches = m.branches(svc, port)
		p.Given = m.given(r.From, svc.ID, port.Number, branches)
		p.Listed = m.lists(r.From, svc.ID, port.Number, branches)
	}
	refused := false
	if at.seen != nil && port.Protocol.IsHTTP() {
		status, _ := at.normalise()
		refused = status != 0
	}
	if p.Listed && !refused && (at.seen != nil || !port.Protocol.IsHTTP()) {
		p.Routes = at.steps(branches)
	}
	if !refused && at.atServer(port) {
		p.Near = at.misses(branches)
		p.Uses = at.uses(p.Verdict.Leaves)
	}
	return p
}

// atServer puts the path in order once more, as the server's proxy does with what
// the client's has sent; false: it refuses it.
func (d *decision) atServer(port *Port) bool {
	if d.seen == nil || !port.Protocol.IsHTTP() || d.r.From == "" || d.r.Direct {
		return true
	}
	status, _ := d.normalise()
	return status == 0
}

// Behind are the leaves that a request would come to if its client's proxy were
// given the port: each with what its own proxy makes of it. There are none where
// the request is not judged by proxies of the mesh.
func Behind(m *Mesh, r Request) []Leaf {
	d := &decision{m: m, r: r, seen: r.HTTP, near: true}
	svc, port := d.called()
	if port == nil || svc.Outside || r.From == "" || !m.knows(r.From) {
		return nil
	}
	if port.Protocol.IsHTTP() {
		if r.HTTP == nil {
			return nil
		}
		if status, _ := d.normalise(); status != 0 {
			return nil
		}
	}
	d.bytes = !port.Protocol.IsHTTP()
	return d.leaves(d.choose(m.branches(svc, port)), port)
}

// called are the service and the port that are asked about; nil for none.
func (d *decision) called() (*Service, *Port) {
	if d.r.External != "" {
		return nil, nil
	}
	svc, port, v := d.destination()
	if v != nil {
		return nil, nil
	}
	return svc, port
}

// uses are the grants and matches by which leaves let the request in.
func (d *decision) uses(leaves []Leaf) []Use {
	var out []Use
	for _, l := range leaves {
		for i := range d.m.Grants {
			g := &d.m.Grants[i]
			if g.Destination != l.Account || l.Outcome != Allow || !slices.Contains(l.By, g.Name) {
				continue
			}
			if len(g.HTTP) == 0 || d.seen == nil {
				out = append(out, Use{Grant: g.Name})
			}
			for _, m := range g.HTTP {
				if d.takes(m) {
					out = append(out, Use{g.Name, m.Name})
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b Use) int { return cmp.Or(cmp.Compare(a.Grant, b.Grant), cmp.Compare(a.Match, b.Match)) })
	return slices.Compact(out)
}

// given names what puts a service port among those that a client's proxy knows.
func (m *Mesh) given(from Identity, id ServiceID, port uint16, branches []branch) []string {
	at := []PortID{{Service: id, Port: port}}
	for _, b := range branches {
		for _, sh := range b.shares {
			at = append(at, PortID{Service: sh.service, Port: sh.port})
		}
	}
	var out []string
	for _, id := range at {
		svc, ok := m.Service(id.Service)
		switch {
		case !ok:
		case svc.Outside && m.mayLeave(from):
			out = append(out, ByEgress)
		case !svc.Outside && m.open(id.Service):
			out = append(out, map[Mode]string{Permissive: ByPermissive, Audit: ByAudit}[m.Namespace(id.Service.Namespace).Mode])
		case !svc.Outside:
			for i := range m.Grants {
				if slices.Contains(m.Grants[i].Sources, from) && slices.Contains(m.Grants[i].Ports, id) {
					out = append(out, m.Grants[i].Name)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// steps are the branches in order, up to the one that takes the request.
func (d *decision) steps(branches []branch) []RouteStep {
	var out []RouteStep
	for _, b := range branches {
		step := RouteStep{Name: cmp.Or(b.name, "Service/"+d.r.To.String()), Taken: len(b.matches) == 0 || slices.ContainsFunc(b.matches, d.takes)}
		for _, m := range b.matches {
			step.Matches = append(step.Matches, m.Name)
			if !step.Taken {
				step.Misses = append(step.Misses, d.miss(m))
			}
		}
		for _, sh := range b.shares {
			step.Shares = append(step.Shares, ShareStep{sh.service, sh.port, sh.weight, sh.missing})
		}
		out = append(out, step)
		if step.Taken {
			break
		}
	}
	return out
}
