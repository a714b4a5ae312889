package ir

import (
	"fmt"
	"slices"
	"strings"
)

// judge is what the proxy of an account does with a share of the calls.
func (d *decision) judge(leaf Leaf, port, root *Port) []Leaf {
	if d.r.From != "" {
		return []Leaf{d.judgeMember(leaf, port, root)}
	}
	var out []Leaf
	for _, open := range d.m.plaintext(leaf.Account, PortID{Service: leaf.Service, Port: port.Number}, port) {
		at := *d
		got := at.judgePlain(leaf, port, open)
		if !slices.ContainsFunc(out, func(l Leaf) bool { return l.Outcome == got.Outcome && l.Status == got.Status }) {
			out = append(out, got)
		}
	}
	return out
}

// judgeMember is a client with a mesh certificate.
func (d *decision) judgeMember(leaf Leaf, port, root *Port) Leaf {
	at := *d // the path is normalised once more, for this leaf
	if !port.Protocol.IsHTTP() {
		return at.judgeTCP(leaf, port, root)
	}
	if leaf, done := at.parse(leaf, port); done {
		return leaf
	}
	return at.byGrants(leaf, port, at.passing(leaf, port))
}

// parse reads the bytes as the HTTP request the port is for.
func (d *decision) parse(leaf Leaf, port *Port) (Leaf, bool) {
	id := PortID{Service: leaf.Service, Port: port.Number}
	d.bytes = false
	if d.seen == nil {
		leaf.Reason = d.say(func() string { return notHTTP(id) })
		return d.refused(leaf, 0), true
	}
	status, reason := d.normalise()
	if status == 0 {
		return leaf, false
	}
	leaf.Reason = reason
	return d.refused(leaf, status), true
}

// judgePlain is a client without a certificate: it is let in where plaintext
// is, whatever the mode.
func (d *decision) judgePlain(leaf Leaf, port *Port, open bool) Leaf {
	id := PortID{Service: leaf.Service, Port: port.Number}
	if !open {
		leaf.Outcome = Deny
		leaf.Reason = d.say(func() string { return fmt.Sprintf("%s takes no client without a mesh certificate", id) })
		return leaf
	}
	if port.Protocol.IsHTTP() {
		if leaf, done := d.parse(leaf, port); done {
			return leaf
		}
	}
	leaf.Outcome, leaf.By = Allow, []string{ByPlaintext}
	leaf.Reason = d.say(func() string { return fmt.Sprintf("%s takes clients without a mesh certificate", id) })
	return leaf
}

// plaintext tells, for each way in which an account's workloads differ, whether
// they take clients without a mesh certificate on a port: the namespace says so,
// or one of the service ports that share the target port on that workload.
func (m *Mesh) plaintext(account Identity, id PortID, port *Port) []bool {
	if port.Plaintext || m.Namespace(id.Service.Namespace).PlaintextAllowed {
		return []bool{true}
	}
	var out []bool
	for i := range m.Roles {
		for j := range m.Roles[i].Ports {
			in := &m.Roles[i].Ports[j]
			if m.Roles[i].Identity == account && slices.Contains(in.Services, id) && !slices.Contains(out, in.Plaintext) {
				out = append(out, in.Plaintext)
			}
		}
	}
	if len(out) == 0 {
		return []bool{false}
	}
	return out
}

// judgeTCP judges a connection. The client's proxy names its identity only from
// a TCP port: a call that came in by an HTTP one passes by mode alone.
func (d *decision) judgeTCP(leaf Leaf, port, root *Port) Leaf {
	id := PortID{Service: leaf.Service, Port: port.Number}
	passing := d.passing(leaf, port)
	if !root.Protocol.IsHTTP() {
		d.seen = nil // just bytes
		return d.byGrants(leaf, port, passing)
	}
	if d.m.open(leaf.Service) {
		return d.byGrants(leaf, port, passing)
	}
	return d.unavailable(leaf, d.say(func() string {
		return fmt.Sprintf("%s is %s, but %s sends it HTTP requests", id, port.Protocol, d.r.To)
	}))
}

// passing are the names of the grants that let the request in, sorted.
func (d *decision) passing(leaf Leaf, port *Port) []string {
	var out []string
	for i := range d.m.Grants {
		g := &d.m.Grants[i]
		if !g.opens(leaf, port.Number) || !slices.Contains(g.Sources, d.r.From) {
			continue
		}
		if len(g.HTTP) == 0 || port.Protocol.IsHTTP() && slices.ContainsFunc(g.HTTP, d.takes) {
			out = append(out, g.Name)
		}
	}
	slices.Sort(out)
	return out
}

func (g *Grant) opens(leaf Leaf, port uint16) bool {
	return g.Destination == leaf.Account && slices.Contains(g.Ports, PortID{Service: leaf.Service, Port: port})
}

// byGrants is the one place where a request is let in or refused.
func (d *decision) byGrants(leaf Leaf, port *Port, passing []string) Leaf {
	mode := d.m.Namespace(leaf.Service.Namespace).Mode
	member := d.m.member(d.r.From)
	id := PortID{Service: leaf.Service, Port: port.Number}
	switch {
	case mode == Permissive && member:
		leaf.Outcome, leaf.By = Allow, []string{ByPermissive}
		leaf.Reason = d.say(func() string { return fmt.Sprintf("permissive mode lets every mesh identity call %s", id) })
	case mode == Audit && member && len(passing) == 0:
		leaf.Outcome, leaf.By = Allow, []string{ByAudit}
		leaf.Reason = d.say(func() string { return fmt.Sprintf("audit mode lets it through and counts it: %s", d.lack(leaf, port)) })
		leaf.Near = d.nearLeaf(leaf, port)
	case len(passing) > 0 && (mode != Permissive && mode != Audit || member):
		leaf.Outcome, leaf.By = Allow, passing
		leaf.Reason = d.say(func() string {
			return fmt.Sprintf("%s lets %s send %s to %s", strings.Join(passing, ", "), d.r.From.Short(), d.r, id)
		})
	default:
		leaf.Reason = d.say(func() string { return d.lack(leaf, port) })
		leaf.Near = d.nearLeaf(leaf, port)
		return d.refused(leaf, StatusForbidden)
	}
	return leaf
}

// takes tells whether a request is of a class.
func (d *decision) takes(m Match) bool { return d.matches(m) == "" }

// matches returns why a request is not of a class; empty when it is.
func (d *decision) matches(m Match) string {
	if d.seen == nil {
		return "raw bytes are no HTTP request"
	}
	if len(m.Methods) > 0 && !slices.Contains(m.Methods, "*") && !slices.Contains(m.Methods, d.seen.Method) {
		return d.unless(func() string {
			return fmt.Sprintf("method %s is none of %s", d.seen.Method, strings.Join(m.Methods, ", "))
		})
	}
	if path := WithoutQuery(d.seen.Path); m.Path != "" && !d.expressions.whole(m.Path, path) {
		return d.unless(func() string { return fmt.Sprintf("path %s does not match %s", path, written(m.Path)) })
	}
	for _, h := range m.Headers {
		if why := d.headerMatches(h); why != "" {
			return why
		}
	}
	return ""
}

// unless is a reason that is never empty.
func (d *decision) unless(reason func() string) string {
	if !d.near {
		return "it does not match"
	}
	return reason()
}

func (d *decision) headerMatches(h HeaderMatch) string {
	matches := d.expressions.found
	if h.Full {
		matches = d.expressions.whole
	}
	seen := d.r
	seen.HTTP = d.seen
	lines := seen.Lines(h.Name)
	if slices.ContainsFunc(lines, func(line string) bool { return matches(h.Regex, line) }) {
		return ""
	}
	return d.unless(func() string { return headerReason(h, lines) })
}

func headerReason(h HeaderMatch, lines []string) string {
	name := h.Name
	if ProxyHeader(name) {
		return fmt.Sprintf("no match on header %s holds: proxies write it, or take it away", name)
	}
	if name == ":authority" {
		name = "host"
	}
	if len(lines) == 0 {
		return fmt.Sprintf("header %s is missing (it must match %s)", name, h.Regex)
	}
	return fmt.Sprintf("header %s is %s, which does not match %s", name, strings.Join(lines, " and "), h.Regex)
}
