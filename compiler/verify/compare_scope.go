package verify

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// mostSuspects is how many identities are asked about that a scope gives a
// service port, or withholds it from, against the mesh.
const mostSuspects = 3

// reach is who may be given a service port besides those whom grants name.
type reach struct{ everybody, leaving bool }

func reachOf(around *ir.Mesh) reach {
	var out reach
	for i := range around.Services {
		if around.Services[i].Outside {
			out.leaving = true
		} else if around.Open(around.Services[i].ID) {
			out.everybody = true
		}
	}
	return out
}

// listing are identities whose scope lists the port though nothing in the mesh
// gives it to them, or the other way round. Those that grants name are asked
// about anyway.
func (c *comparison) listing(q *portQuestions, named map[ir.Identity]bool) []ir.Identity {
	to, listed := reachOf(q.around), c.compiled.find.lists(q.id)
	var out []ir.Identity
	switch {
	case to.everybody && len(listed) < len(c.members):
		for i, ids := range c.members {
			if _, ok := slices.BinarySearch(listed, i); !ok && len(ids) > 0 && len(out) < mostSuspects {
				out = append(out, ids[0])
			}
		}
	case !to.everybody:
		for _, i := range listed {
			for _, id := range c.members[i] {
				if !named[id] && !(to.leaving && c.mesh.MayLeave(id)) && len(out) < mostSuspects {
					out = append(out, id)
				}
			}
		}
		if to.leaving {
			out = append(out, c.withheld(listed)...)
		}
	}
	return out
}

// withheld are identities that may leave the mesh and whose scopes do not list a port.
func (c *comparison) withheld(listed []int) []ir.Identity {
	var out []ir.Identity
	for i, ids := range c.members {
		if _, ok := slices.BinarySearch(listed, i); ok {
			continue
		}
		for _, id := range ids {
			if c.mesh.MayLeave(id) && len(out) < mostSuspects {
				out = append(out, id)
			}
		}
	}
	return out
}

// kinds are one identity that no grant around the port names whose scope lists
// it, and one whose scope does not; where a leaf is outside the mesh, one of
// every scope that lists it.
func (c *comparison) kinds(q *portQuestions, named map[ir.Identity]bool) []ir.Identity {
	listed, leaving := c.compiled.find.lists(q.id), reachOf(q.around).leaving
	var out []ir.Identity
	for _, i := range listed {
		for _, id := range c.members[i] {
			if !named[id] {
				out = append(out, id)
				break
			}
		}
		if len(out) > 0 && !leaving {
			break
		}
	}
	if len(listed) == len(c.members) {
		return out
	}
	for i, ids := range c.members {
		if _, ok := slices.BinarySearch(listed, i); ok {
			continue
		}
		for _, id := range ids {
			if !named[id] {
				return append(out, id)
			}
		}
	}
	return out
}

// beyond are destinations outside the mesh, by name and by address.
var beyond = []string{"example.org:80", "192.0.2.9:443", "[2001:db8::9]:8080"}

// egress asks one identity of each kind of scope about leaving the mesh, and
// every identity that the plan or the mesh does not have.
func (c *comparison) egress() []Disagreement {
	q := &portQuestions{around: &ir.Mesh{Settings: c.mesh.Settings, Namespaces: c.mesh.Namespaces, Identities: c.mesh.Identities}}
	places := slices.Clone(beyond)
	for _, p := range slices.Concat(c.mesh.Settings.ServiceRanges, c.mesh.Settings.PodRanges) {
		places = append(places, hostPort(p.Addr(), 80))
	}
	for _, id := range c.leavers() {
		for _, to := range places {
			for _, http := range []*ir.HTTPRequest{nil, {Method: "GET", Path: "/"}, {Method: "GET", Path: "/%2f"}, {Method: "CONNECT", Path: "/"}} {
				c.ask(q, ir.Request{From: id, External: to, HTTP: http})
			}
		}
		c.askUnlisted(q, id)
		if len(q.found) > 0 {
			break
		}
	}
	return c.smallest(q)
}

// askUnlisted asks for the first service port that an identity's scope does not
// list and no grant gives it.
func (c *comparison) askUnlisted(all *portQuestions, id ir.Identity) {
	own, ok := c.compiled.identity(id)
	if !ok {
		return
	}
	for i := range c.mesh.Services {
		svc := &c.mesh.Services[i]
		for j := range svc.Ports {
			to := ir.PortID{Service: svc.ID, Port: svc.Ports[j].Number}
			if _, listed := slices.BinarySearch(c.compiled.find.lists(to), own.Scope); listed || svc.Ports[j].Protocol == ir.UDP {
				continue
			}
			q := &portQuestions{id: to, port: &svc.Ports[j], around: c.assessor.Around(to)}
			if slices.Contains(namedBy(q.around), id) {
				continue // it is asked about at the port
			}
			q.around.Identities = []ir.Identity{id}
			for _, http := range q.requests([]ir.HTTPRequest{{Method: "GET", Path: "/"}}, true) {
				c.ask(q, ir.Request{From: id, To: to, HTTP: http})
			}
			all.found = append(all.found, q.found...)
			return
		}
	}
}

// leavers are one identity for each way in which scopes treat what they do not
// list, and each of the mesh's that the plan has not.
func (c *comparison) leavers() []ir.Identity {
	type kind struct {
		virtual, ranged ir.Ref
		extra           int
		may             bool
	}
	seen := map[kind]bool{}
	var out []ir.Identity
	for i := range c.plan.Identities {
		p := &c.plan.Identities[i]
		s := &c.plan.Scopes[p.Scope]
		k := kind{s.Virtual, s.Ranged, len(s.Extra), c.mesh.MayLeave(p.Identity)}
		if !seen[k] {
			seen[k] = true
			out = append(out, p.Identity)
		}
	}
	for _, id := range c.mesh.Identities {
		if _, ok := c.compiled.identity(id); !ok {
			out = append(out, id)
		}
	}
	return out
}
