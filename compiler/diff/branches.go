package diff

import (
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// branch is a class of requests to a root's port and where its shares go.
type branch struct {
	matches []class // nil: every request
	always  bool
	leaves  []ir.PortID // of weight above 0, known services only
	outside bool        // one of them is outside the mesh
}

// branches are the splits of a root's port in order, then its own endpoints, as
// the client's proxy tries them.
func (s *side) branches(svc *ir.Service, port *ir.Port) []branch {
	var out []branch
	for i := range s.Splits {
		sp := &s.Splits[i]
		if sp.Root != svc.ID || len(sp.Matches) > 0 && !port.Protocol.IsHTTP() {
			continue
		}
		b := branch{always: len(sp.Matches) == 0}
		counted := false
		for _, to := range sp.Backends {
			if to.Weight == 0 || !slices.Contains(to.Ports, port.Number) && !(to.Missing && len(to.Ports) == 0) {
				continue
			}
			counted = true
			b = s.leaf(b, to, port.Number)
		}
		if !counted {
			continue
		}
		b.matches = classesOf(sp.Matches)
		out = append(out, b)
		if b.always {
			return out
		}
	}
	return append(out, s.leaf(branch{always: true}, ir.Backend{Service: svc.ID}, port.Number))
}

func (s *side) leaf(b branch, to ir.Backend, port uint16) branch {
	svc, ok := s.Service(to.Service)
	if !ok || to.Missing {
		return b
	}
	b.outside = b.outside || svc.Outside
	b.leaves = append(b.leaves, ir.PortID{Service: to.Service, Port: port})
	return b
}

// through is what a source can send by a branch: what any account behind any of
// its leaves takes, as far as it is of the branch.
func (s *side) through(source ir.Identity, root *ir.Port, b branch) reach {
	var at reach
	for _, id := range b.leaves {
		svc, _ := s.Service(id.Service)
		port, ok := svc.Port(id.Port)
		if !ok || port.Protocol == ir.UDP {
			continue
		}
		for _, a := range svc.Accounts {
			d := door{id, a}
			if _, ok := s.has(d); !ok {
				continue
			}
			passes := s.granted[way{source, d}]
			switch {
			case s.open(d) && (source == "" || s.member(source)):
				passes = everything(port.Protocol, "")
			case root.Protocol.IsHTTP() && !port.Protocol.IsHTTP():
				continue // a TCP port takes no request that came by an HTTP one
			}
			at = at.or(reach{http: passes.http, raw: passes.raw && !root.Protocol.IsHTTP()})
		}
	}
	if b.always {
		return at
	}
	return reach{http: crossed(at.http, b.matches)}
}

func crossed(a, b []class) []class {
	var out []class
	for _, x := range a {
		for _, y := range b {
			if both, ok := x.and(y); ok {
				out = append(out, both)
			}
		}
	}
	return out
}

// most is a set that holds all that a source can send to a root: a request that
// an earlier branch takes is counted for the later ones as well.
func (s *side) most(source ir.Identity, root *ir.Port, branches []branch) reach {
	var out reach
	for _, b := range branches {
		out = out.or(s.through(source, root, b))
	}
	return out
}

// least is a set of which a source can send all: what a branch lets through
// counts when every earlier one would let it through as well.
func (s *side) least(source ir.Identity, root *ir.Port, branches []branch) reach {
	var out reach
	var earlier []class
	for i, b := range branches {
		all := b
		all.always = true
		passes := s.through(source, root, all)
		if i == 0 {
			earlier = passes.http
		} else {
			earlier = crossed(earlier, passes.http)
		}
		at := earlier
		if !b.always {
			at = crossed(earlier, b.matches)
		}
		out.http = append(out.http, at...)
		out.raw = out.raw || passes.raw && b.always
		if len(out.http) > mostClasses {
			break
		}
	}
	return out
}

// mostClasses bounds the classes that crossing branches may make.
const mostClasses = 400
