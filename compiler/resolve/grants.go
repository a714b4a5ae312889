package resolve

import (
	"cmp"
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// granted is the grants of one target, in order of name and destination.
type granted struct {
	*part
	list []ir.Grant
}

// settleGrants makes the grants of a target.
func (r *resolver) settleGrants(id ir.ServiceID) *granted {
	g := &granted{part: &part{}}
	t := r.subject.Get(id)
	if t.obj == nil {
		return g
	}
	g.part = r.unit(func() { r.grant(g, t) })
	slices.SortFunc(g.list, func(a, b ir.Grant) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Destination, b.Destination))
	})
	return g
}

// layers is a target's rules by layer: entries of one layer are ORed, the layers
// ANDed (row 15).
type layers struct {
	http, tcp, udp []rule
	broken         bool
	destination    *portRule // v1alpha1 and v1alpha2: destination.port
}

func (r *resolver) grant(g *granted, t *target) {
	rules := r.rules(t.obj)
	l := layers{destination: destinationPort(t.obj)}
	for _, ru := range rules {
		switch ru.kind {
		case "HTTPRouteGroup":
			l.http = append(l.http, ru)
			l.broken = l.broken || len(ru.matches) == 0
		case "TCPRoute":
			l.tcp = append(l.tcp, ru)
			l.broken = l.broken || ru.ports == nil
		case "UDPRoute":
			l.udp = append(l.udp, ru)
			l.broken = l.broken || ru.ports == nil
		default:
			return // it may have been meant to narrow the others
		}
	}
	if len(t.obj.TrafficTarget.Rules) == 0 && !r.allowsAll(t.obj) {
		r.report(targetFinding(t.obj, "MSH1001", []any{"spec", "rules"}, "TrafficTarget %q has no rules", t.obj.Name).
			WithEffect("it grants nothing").WithHelp("name an HTTPRouteGroup, a TCPRoute or a UDPRoute; one with `ports: []` opens every port"))
		return
	}
	if len(t.destinations) == 0 || len(t.sources) == 0 {
		return
	}
	given := false
	for _, d := range t.destinations {
		given = r.grantTo(g, t, l, d) || given
	}
	r.judgeGrant(t, l, given)
}

// allowsAll: maesh lets a v1alpha2 target without rules open everything (row 14).
func (r *resolver) allowsAll(o *syntax.Object) bool {
	return r.compat == ir.CompatMaesh && strings.HasSuffix(o.APIVersion, "/v1alpha2")
}

// destinationPort is the port of a v1alpha1 or v1alpha2 destination.
func destinationPort(o *syntax.Object) *portRule {
	p := o.TrafficTarget.Destination.Port
	if p == nil {
		return nil
	}
	return &portRule{numbers: []portNumber{{*p, o, []any{"spec", "destination", "port"}}}}
}

// grantTo makes the grants to one identity; false if there are none.
func (r *resolver) grantTo(g *granted, t *target, l layers, d ir.Identity) bool {
	before := len(g.list)
	switch {
	case len(t.obj.TrafficTarget.Rules) == 0:
		r.addGrant(g, t, nameOf(t.obj), d, r.pick(d, l, isTCP, nil), nil, t.obj.AtUnion("spec", "destination"))
	case len(l.http) > 0:
		for _, ru := range l.http {
			if len(ru.matches) > 0 {
				r.addRule(g, t, ru, d, r.pick(d, l, isHTTP, l.restrict()), ru.matches)
			}
		}
	default:
		for _, ru := range l.tcp {
			if ru.ports != nil {
				r.addRule(g, t, ru, d, r.pick(d, l, isTCP, []*portRule{ru.ports}), nil)
			}
		}
		for _, ru := range l.udp {
			if ru.ports != nil {
				r.addRule(g, t, ru, d, r.pickUDP(d, l, ru.ports), nil)
			}
		}
	}
	return len(g.list) > before
}

// restrict is the L4 layer over HTTP rules: nil is no such layer. A UDPRoute
// names no TCP port, so alone it lets no request through.
func (l layers) restrict() []*portRule {
	if len(l.tcp)+len(l.udp) == 0 {
		return nil
	}
	out := []*portRule{}
	for _, ru := range l.tcp {
		if ru.ports != nil {
			out = append(out, ru.ports)
		}
	}
	return out
}

func isHTTP(p ir.Protocol) bool { return p.IsHTTP() }
func isTCP(p ir.Protocol) bool  { return p != ir.UDP }

// pick is the ports of an identity that fit a protocol class, any of the rules
// (nil: no rules) and the destination's port, and all that these open too.
func (r *resolver) pick(d ir.Identity, l layers, fits func(ir.Protocol) bool, rules []*portRule) []ir.PortID {
	rc := r.reach.Get(d)
	var out []ir.PortID
	for _, p := range rc.ports {
		n := p.id.Port
		named := rules == nil || slices.ContainsFunc(rules, func(x *portRule) bool { return x.has(n) })
		if fits(p.protocol) && p.protocol != ir.UDP && named && (l.destination == nil || l.destination.has(n)) {
			out = append(out, p.id)
		}
	}
	return rc.closure(out)
}

func (r *resolver) pickUDP(d ir.Identity, l layers, rule *portRule) []ir.PortID {
	rc := r.reach.Get(d)
	var out []ir.PortID
	for _, p := range rc.ports {
		if p.protocol == ir.UDP && rule.has(p.id.Port) && (l.destination == nil || l.destination.has(p.id.Port)) && !rc.both(p.id) {
			out = append(out, p.id)
		}
	}
	return out
}

func (r *resolver) addRule(g *granted, t *target, ru rule, d ir.Identity, ports []ir.PortID, matches []ir.Match) {
	name := nameOf(t.obj) + "#rule" + itoa(int64(ru.index))
	r.addGrant(g, t, name, d, ports, matches, t.obj.AtUnion("spec", "rules", ru.index))
}

func (r *resolver) addGrant(g *granted, t *target, name string, d ir.Identity, ports []ir.PortID, matches []ir.Match, at diag.Span) {
	if len(ports) == 0 {
		return
	}
	r.origin(name, t.obj, at)
	g.list = append(g.list, ir.Grant{Name: name, Sources: t.sources, Destination: d, Ports: ports, HTTP: matches})
}
