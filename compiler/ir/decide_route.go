package ir

import (
	"fmt"
	"slices"
)

// share is a part of the calls to a service port.
type share struct {
	service ServiceID
	port    uint16
	weight  uint32
	missing bool
}

// branch is a class of requests to a service port and where its shares go.
type branch struct {
	name    string  // of the split; empty for the service's own endpoints
	matches []Match // OR; empty: every request
	shares  []share
}

// branches are the splits of a service port in order of name, then the
// service's own endpoints for what no split takes. Raw bytes match no request,
// so a split with matches leaves TCP ports alone; so does a split none of whose
// backends with a weight has the port.
func (m *Mesh) branches(svc *Service, port *Port) []branch {
	var out []branch
	for i := range m.Splits {
		sp := &m.Splits[i]
		if sp.Root != svc.ID || len(sp.Matches) > 0 && !port.Protocol.IsHTTP() {
			continue
		}
		shares := sp.shares(port.Number)
		if !slices.ContainsFunc(shares, share.counts) {
			continue
		}
		out = append(out, branch{name: sp.Name, matches: sp.Matches, shares: shares})
		if len(sp.Matches) == 0 {
			return out
		}
	}
	return append(out, branch{shares: []share{{service: svc.ID, port: port.Number, weight: 1}}})
}

// shares are the backends that serve a port of the root. A backend that does
// not exist has a share of every port. Those of weight 0 get no request, but who
// may call them is given the root.
func (sp *Split) shares(port uint16) []share {
	var out []share
	for _, b := range sp.Backends {
		if slices.Contains(b.Ports, port) || b.Missing && len(b.Ports) == 0 {
			out = append(out, share{service: b.Service, port: port, weight: b.Weight, missing: b.Missing})
		}
	}
	return out
}

func (s share) counts() bool { return s.weight > 0 }

// choose picks the shares of the first branch that takes the request.
func (d *decision) choose(branches []branch) []share {
	for _, b := range branches {
		if len(b.matches) == 0 || slices.ContainsFunc(b.matches, d.takes) {
			return b.shares
		}
	}
	return nil
}

// lists tells whether the client's proxy is given a service port: when the
// client may call it or one of its leaves.
func (m *Mesh) lists(from Identity, svc ServiceID, port uint16, branches []branch) bool {
	if m.callable(from, svc, port) {
		return true
	}
	for _, b := range branches {
		for _, sh := range b.shares {
			if m.callable(from, sh.service, sh.port) {
				return true
			}
		}
	}
	return false
}

func (m *Mesh) callable(from Identity, id ServiceID, port uint16) bool {
	svc, ok := m.Service(id)
	if !ok {
		return false
	}
	if svc.Outside {
		return m.mayLeave(from)
	}
	if m.open(id) {
		return true
	}
	return slices.ContainsFunc(m.Grants, func(g Grant) bool {
		return slices.Contains(g.Sources, from) && slices.Contains(g.Ports, PortID{Service: id, Port: port})
	})
}

// open tells whether the mode in force for a service lets in identities that no
// grant names. A mode that is not known does not.
func (m *Mesh) open(id ServiceID) bool {
	mode := m.Namespace(id.Namespace).Mode
	return mode == Permissive || mode == Audit
}

// leaves judges each account behind each share of weight above 0.
func (d *decision) leaves(shares []share, root *Port) []Leaf {
	var out []Leaf
	for _, sh := range shares {
		if !sh.counts() {
			continue
		}
		leaf := Leaf{Service: sh.service, Weight: sh.weight}
		svc, port := d.leaf(sh)
		switch {
		case port == nil:
			out = append(out, d.unavailable(leaf, fmt.Sprintf("no service %s with port %d is known, its share is not given to others", sh.service, sh.port)))
		case svc.Outside:
			out = append(out, d.leaving(leaf))
		case len(svc.Accounts) == 0:
			out = append(out, d.unavailable(leaf, fmt.Sprintf("no workload is known behind %s", svc.ID)))
		default:
			for _, account := range svc.Accounts {
				leaf.Account = account
				out = append(out, d.judge(leaf, port, root)...)
			}
		}
	}
	if len(out) == 0 {
		out = append(out, d.unavailable(Leaf{Service: d.r.To.Service, Weight: 1}, "nothing stands behind "+d.r.To.String()))
	}
	return out
}

// leaf finds a share's service and port; the port is nil when there is none.
func (d *decision) leaf(sh share) (*Service, *Port) {
	svc, ok := d.m.Service(sh.service)
	if !ok || sh.missing {
		return nil, nil
	}
	port, _ := svc.Port(sh.port)
	return svc, port
}

// unavailable is a share that nobody serves: 503, or closed.
func (d *decision) unavailable(leaf Leaf, reason string) Leaf {
	leaf.Reason = reason
	return d.refused(leaf, StatusUnavailable)
}

// leaving is a share of unmeshed workloads: egress rules hold.
func (d *decision) leaving(leaf Leaf) Leaf {
	if d.m.mayLeave(d.r.From) {
		leaf.Outcome, leaf.By = Allow, []string{ByEgress}
		leaf.Reason = d.say(func() string {
			return fmt.Sprintf("%s is outside the mesh, and egress is allowed to %s", leaf.Service, d.r.From.Short())
		})
		return leaf
	}
	leaf.Reason = d.say(func() string {
		return fmt.Sprintf("%s is outside the mesh, and egress is denied to %s", leaf.Service, d.r.From.Short())
	})
	return d.refused(leaf, StatusForbidden)
}

func (d *decision) refused(leaf Leaf, status int) Leaf {
	leaf.Outcome = Deny
	if d.seen != nil && !d.bytes {
		leaf.Status = status
	}
	return leaf
}
