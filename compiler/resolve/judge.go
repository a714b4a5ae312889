package resolve

import (
	"slices"
	"strings"

	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// judgeGrant tells what a target opens beyond what it says, and what it says in vain.
func (r *resolver) judgeGrant(t *target, l layers, given bool) {
	all := r.reachOf(t.destinations)
	if len(all) == 0 {
		r.report(targetFinding(t.obj, "MSH1022", []any{"spec", "destination", "name"}, "no service leads to workloads of %s", shorts(t.destinations)).
			WithEffect("the target opens nothing: a service account is reached through the services of its pods").
			WithHelp("write a Service that selects its pods; %s", howToKnow))
		return
	}
	before := len(r.out.findings)
	for _, ru := range append(slices.Clone(l.tcp), l.udp...) {
		if ru.ports != nil {
			r.judgePorts(t, ru.ports, ru.kind == "UDPRoute", all)
		}
	}
	if l.destination != nil {
		r.judgePorts(t, l.destination, false, all)
	}
	r.judgeLayers(t, l, all)
	if !given && !l.broken && len(r.out.findings) == before {
		r.report(targetFinding(t.obj, "MSH1014", []any{"spec", "rules"}, "TrafficTarget %q opens no port of %s", t.obj.Name, shorts(t.destinations)).
			WithEffect("it grants nothing").
			WithHelp("HTTP rules open HTTP ports, a TCPRoute TCP and HTTP ports, a UDPRoute UDP ports; ports are those of the Service"))
	}
}

// reachOf is the ports of all the identities, each once.
func (r *resolver) reachOf(ids []ir.Identity) []reachPort {
	var out []reachPort
	for _, id := range ids {
		out = append(out, r.reach.Get(id).ports...)
	}
	return out
}

func shorts(ids []ir.Identity) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = id.Short()
	}
	return strings.Join(out, ", ")
}

// judgePorts finds numbers that are no service port (row 18), and tells which
// further service ports the named ones open.
func (r *resolver) judgePorts(t *target, rule *portRule, udp bool, all []reachPort) {
	for _, n := range rule.numbers {
		var named, leading []ir.PortID
		for _, p := range all {
			if (p.protocol == ir.UDP) != udp {
				continue
			}
			if int64(p.id.Port) == n.number {
				named = append(named, p.id)
			} else if slices.ContainsFunc(p.targets, func(x uint16) bool { return int64(x) == n.number }) {
				leading = append(leading, p.id)
			}
		}
		switch {
		case len(named) > 0 && udp:
			r.tellBoth(t, n, named)
		case len(named) > 0:
			r.tellShared(t, n, named)
		case len(leading) > 0:
			r.reportTargetPort(t, n, leading)
		default:
			r.reportNoPort(t, n, all)
		}
	}
}

func (r *resolver) portFinding(code diag.Code, t *target, n portNumber, format string, args ...any) diag.Finding {
	f := diag.New(code, n.obj.AtUnion(n.path...), format, args...).About(n.obj.Ref(), pathString(n.obj.PathTo(n.path...)))
	if n.obj != t.obj {
		f = f.WithRelated(namePosition(t.obj), "the target that uses it")
	}
	return f
}

// tellBoth tells that a number which is UDP and TCP gets no UDP grant.
func (r *resolver) tellBoth(t *target, n portNumber, named []ir.PortID) {
	for _, d := range t.destinations {
		for _, id := range named {
			if r.reach.Get(d).both(id) {
				r.report(r.portFinding("MSH1020", t, n, "%s is a UDP and a TCP port", id).
					WithEffect("no UDP is granted there: sidecars do not carry it, and the TCP port stays closed").
					WithHelp("open the TCP port with a TCPRoute if that is meant"))
			}
		}
	}
}

func (r *resolver) tellShared(t *target, n portNumber, named []ir.PortID) {
	var more []string
	for _, d := range t.destinations {
		for _, id := range r.reach.Get(d).closure(named) {
			if int64(id.Port) != n.number && !slices.Contains(more, id.String()) {
				more = append(more, id.String())
			}
		}
	}
	if len(more) > 0 {
		r.report(r.portFinding("MSH1012", t, n, "port %d leads to the same target port as %s", n.number, strings.Join(more, ", ")).
			WithEffect("the grant opens these as well: a proxy judges by the port its workload listens on").
			WithHelp("give the service ports target ports of their own if they are to be opened one by one"))
	}
}

func (r *resolver) reportTargetPort(t *target, n portNumber, leading []ir.PortID) {
	f := r.portFinding("MSH1010", t, n, "%d is a target port, not a port of a Service: %s leads there", n.number, portIDs(leading)).
		WithEffect("the number opens nothing").WithHelp("name the Service's port: %d", leading[0].Port)
	if len(leading) == 1 {
		f = f.WithFix("port "+itoa(int64(leading[0].Port)), diag.Edit{Span: f.At(), NewText: itoa(int64(leading[0].Port))})
	}
	r.report(f)
}

func (r *resolver) reportNoPort(t *target, n portNumber, all []reachPort) {
	var ids []ir.PortID
	for _, p := range all {
		ids = append(ids, p.id)
	}
	r.report(r.portFinding("MSH1011", t, n, "no service of %s has the port %d", shorts(t.destinations), n.number).
		WithEffect("the number opens nothing").WithHelp("its ports are %s", portIDs(ids)))
}

func portIDs(ids []ir.PortID) string {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, ir.PortID.Compare)
	var out []string
	for _, id := range slices.Compact(ids) {
		out = append(out, id.String())
	}
	return strings.Join(out, ", ")
}

// judgeLayers finds ports that HTTP rules and L4 rules together let nothing through.
func (r *resolver) judgeLayers(t *target, l layers, all []reachPort) {
	if len(l.http) == 0 {
		return
	}
	for _, ru := range l.udp {
		r.report(targetFinding(t.obj, "MSH1013", []any{"spec", "rules", ru.index}, "the UDPRoute %q stands beside HTTP rules", t.obj.TrafficTarget.Rules[ru.index].Name).
			WithEffect("it opens nothing: a call must pass a rule of each layer, and UDP carries no HTTP").
			WithHelp("write a TrafficTarget of its own for UDP"))
	}
	for _, ru := range l.tcp {
		if ru.ports == nil || ru.ports.all {
			continue
		}
		for _, p := range all {
			if p.protocol == ir.UDP || p.protocol.IsHTTP() || !ru.ports.has(p.id.Port) {
				continue
			}
			r.report(targetFinding(t.obj, "MSH1013", []any{"spec", "rules", ru.index}, "%s is %s, but the target also asks for HTTP matches", p.id, p.protocol).
				WithEffect("the port stays closed: a call must pass a rule of each layer, and raw bytes match no HTTP rule").
				WithRelated(r.ports.Get(p.id.Service).at(), "the service").
				WithHelp("write a TrafficTarget of its own for the TCP ports"))
		}
	}
}
