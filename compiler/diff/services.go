package diff

import (
	"fmt"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// eachService calls f for every service of either mesh; nil: it is not there.
func (c *comparison) eachService(f func(id ir.ServiceID, before, after *ir.Service)) {
	var all []ir.ServiceID
	for _, s := range slices.Concat(c.old.Services, c.new.Services) {
		all = append(all, s.ID)
	}
	for _, id := range both(all, nil, ir.ServiceID.Compare) {
		before, _ := c.old.Service(id)
		after, _ := c.new.Service(id)
		f(id, before, after)
	}
}

// accounts finds accounts that begin to run behind a service, or cease to: who
// calls the service takes their certificates for its own.
func (c *comparison) accounts() {
	c.eachService(func(id ir.ServiceID, before, after *ir.Service) {
		if before == nil || after == nil || before.Outside || after.Outside {
			return
		}
		change := Change{Kind: Account, Services: []ir.ServiceID{id}}
		for _, a := range after.Accounts {
			if !slices.Contains(before.Accounts, a) {
				gained := change
				gained.Effect, gained.Text = Widened, fmt.Sprintf("workloads behind %s now run as %s too", id, a.Short())
				gained.Note = "callers of " + id.String() + " take its certificate" + c.means(a)
				gained.Causes = []Cause{c.new.cause("Service/"+id.String(), false)}
				c.add(gained)
			}
		}
		for _, a := range before.Accounts {
			if !slices.Contains(after.Accounts, a) {
				lost := change
				lost.Effect, lost.Text = Narrowed, fmt.Sprintf("no workload behind %s runs as %s any more", id, a.Short())
				lost.Causes = []Cause{c.old.cause("Service/"+id.String(), true)}
				c.add(lost)
			}
		}
	})
	c.begun()
}

// begun finds accounts that had grants and no workload, and now have one.
func (c *comparison) begun() {
	runs := func(s *side, id ir.Identity) bool {
		return slices.ContainsFunc(s.Roles, func(r ir.Role) bool { return r.Identity == id })
	}
	var told []ir.Identity
	for _, r := range c.new.Roles {
		if len(r.Services) > 0 || slices.Contains(told, r.Identity) || runs(c.old, r.Identity) || !calls(c.old, r.Identity) {
			continue
		}
		told = append(told, r.Identity)
		c.add(Change{Kind: Account, Effect: Widened, Source: r.Identity.Short(),
			Text:   "a workload begins to run as " + r.Identity.Short(),
			Note:   "that account had grants already" + c.means(r.Identity),
			Causes: c.accountCause(r.Identity)})
	}
}

func (c *comparison) accountCause(id ir.Identity) []Cause {
	if cause := c.new.cause("ServiceAccount/"+id.Short(), false); cause.File != "" {
		return []Cause{cause}
	}
	return nil
}

func calls(s *side, id ir.Identity) bool {
	return slices.ContainsFunc(s.Grants, func(g ir.Grant) bool { return slices.Contains(g.Sources, id) })
}

// means says what an account may call.
func (c *comparison) means(id ir.Identity) string {
	var to []string
	for _, g := range c.new.Grants {
		if !slices.Contains(g.Sources, id) {
			continue
		}
		for _, p := range g.Ports {
			if !slices.Contains(to, p.String()) {
				to = append(to, p.String())
			}
		}
	}
	if len(to) == 0 {
		return ""
	}
	slices.Sort(to)
	return "; it may call " + some(to)
}

// services finds services that come, go, leave the mesh or change how a port is
// carried.
func (c *comparison) services() {
	c.eachService(func(id ir.ServiceID, before, after *ir.Service) {
		change := Change{Kind: Service, Effect: Changed, Services: []ir.ServiceID{id}}
		switch {
		case before == nil:
			change.Text, change.Causes = "service "+id.String()+" is new", []Cause{c.new.cause("Service/"+id.String(), false)}
			if after.Outside && c.leaves() {
				change.Effect, change.Note = Widened, "it is outside the mesh: who may leave the mesh may call it"
			}
			c.add(change)
		case after == nil:
			change.Text, change.Causes = "service "+id.String()+" is gone", []Cause{c.old.cause("Service/"+id.String(), true)}
			if before.Outside {
				change.Effect = Narrowed
			}
			c.add(change)
		default:
			change.Causes = []Cause{c.new.cause("Service/"+id.String(), false)}
			c.service(change, before, after)
		}
	})
}

// leaves tells whether some workload may leave the mesh.
func (c *comparison) leaves() bool {
	return c.new.Settings.EgressAllowed || slices.ContainsFunc(c.new.Namespaces, func(n ir.Namespace) bool { return n.EgressAllowed })
}

func (c *comparison) service(change Change, before, after *ir.Service) {
	id := before.ID
	if before.Outside != after.Outside {
		at := change
		if after.Outside {
			at.Effect, at.Text = Widened, "no workload behind "+id.String()+" is meshed any more"
			at.Note = "who may leave the mesh may call it, without mTLS"
		} else {
			at.Effect, at.Text = Narrowed, "the workloads behind "+id.String()+" are meshed now"
			at.Note = "calls to it need a grant"
		}
		c.add(at)
	}
	if before.Headless != after.Headless {
		at := change
		at.Text = fmt.Sprintf("%s is headless: %s", id, map[bool]string{true: "yes", false: "no"}[after.Headless])
		c.add(at)
	}
	for _, p := range both(before.Ports, after.Ports, func(a, b ir.Port) int { return int(a.Number) - int(b.Number) }) {
		was, _ := before.Port(p.Number)
		is, _ := after.Port(p.Number)
		at := change
		at.Services, at.Ports = nil, []ir.PortID{{Service: id, Port: p.Number}}
		c.port(at, was, is)
	}
}

// port compares one port; nil: it is not there.
func (c *comparison) port(change Change, was, is *ir.Port) {
	name := change.Ports[0].String()
	switch {
	case was == nil:
		change.Text = "port " + name + " is new"
	case is == nil:
		change.Text = "port " + name + " is gone"
	case was.Protocol != is.Protocol:
		change.Text = fmt.Sprintf("port %s is carried as %s, was %s", name, is.Protocol, was.Protocol)
		switch {
		case was.Protocol.IsHTTP() && !is.Protocol.IsHTTP() && is.Protocol != ir.UDP:
			change.Effect, change.Note = Widened, "whoever may call it may send anything: methods, paths and headers are not looked at"
		case is.Protocol.IsHTTP() && !was.Protocol.IsHTTP() && was.Protocol != ir.UDP:
			change.Effect, change.Note = Narrowed, "what is not HTTP is refused"
		}
	case target(was) != target(is):
		change.Text = fmt.Sprintf("port %s leads to target port %s, was %s", name, target(is), target(was))
	default:
		return
	}
	c.add(change)
}

func target(p *ir.Port) string {
	if p.TargetPort == 0 {
		return strings.TrimSpace(p.TargetName)
	}
	return fmt.Sprint(p.TargetPort)
}
