package file

import (
	"cmp"
	"net/netip"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/meshc/meshc/catalog"
	"github.com/meshc/meshc/compiler/diag"
	"github.com/meshc/meshc/compiler/ir"
)

// explicitDoc is what a workload says of a machine without interception.
type explicitDoc struct {
	intercept interceptDoc
	upstreams []upstreamDoc
	local     []portMapping
}

type interceptDoc struct {
	off bool
	at  diag.Span
}

type upstreamDoc struct {
	service text
	port    uint16
	bind    netip.AddrPort
	at      diag.Span // of the bind, once there is one
}

// taken are the ports of a machine that its Envoy has for itself.
var taken = []uint16{15000, 15001, 15003, 15010}

func (r *reader) intercept(n *yaml.Node) interceptDoc {
	on := true
	r.flag(n, "intercept", &on)
	return interceptDoc{!on, r.span(n)}
}

func (r *reader) upstreams(n *yaml.Node) (out []upstreamDoc) {
	r.list(n, "upstreams", func(n *yaml.Node) {
		u, before := upstreamDoc{at: r.span(n)}, len(r.findings)
		r.fields(n, "the upstream",
			field{"service", true, func(n *yaml.Node) { u.service = r.named(n, "the upstream's service") }},
			field{"port", true, func(n *yaml.Node) { u.port = r.port(n, "port") }},
			field{"bind", true, func(n *yaml.Node) { u.bind, u.at = r.loopback(n), r.span(n) }})
		if len(r.findings) == before {
			out = append(out, u)
		}
	})
	return out
}

// loopback reads ADDRESS:PORT of this machine alone: whoever else reached it
// would call as the machine.
func (r *reader) loopback(n *yaml.Node) netip.AddrPort {
	t := r.text(n, "bind")
	at, err := netip.ParseAddrPort(t.s)
	switch {
	case t.s == "":
	case err != nil || at.Port() == 0:
		r.report(diag.New("MSH4514", t.at, "%q is not ADDRESS:PORT", t.s).WithHelp("write a loopback address and a port, such as 127.0.0.1:9080"))
	case !at.Addr().IsLoopback():
		r.report(diag.New("MSH4514", t.at, "%s is not on loopback", at).
			WithEffect("whoever reaches it would call with this machine's identity").
			WithHelp("bind 127.0.0.1 or [::1]"))
	case slices.Contains(taken, at.Port()):
		r.report(diag.New("MSH4514", t.at, "port %d is one of Envoy's own", at.Port()).WithHelp("take another: not %v", taken))
	default:
		return at
	}
	return netip.AddrPort{}
}

// joinExplicit judges the explicit ports of all workloads, which name services.
func (b *builder) joinExplicit(d document, services []catalog.Service) {
	for _, w := range d.workloads {
		x, done := w.explicit, b.workloads[w.name.s]
		switch {
		case done == nil:
		case x.intercept.off && !w.meshed:
			b.report(diag.New("MSH4515", x.intercept.at, "workload %q is outside the mesh and says \"intercept: false\"", w.name.s).
				WithHelp("leave `intercept` out: a machine without a proxy has nothing to intercept"))
		case x.intercept.off:
			done.Explicit = b.explicit(x, services)
		case len(x.upstreams) > 0:
			b.report(diag.New("MSH4515", x.upstreams[0].at, "workload %q has upstreams and its connections are intercepted", w.name.s).
				WithHelp("add `intercept: false`, or remove `upstreams`: intercepted applications call services by their own addresses"))
		case len(x.local) > 0:
			b.report(diag.New("MSH4515", x.local[0].at, "workload %q has localPorts and its connections are intercepted", w.name.s).
				WithHelp("add `intercept: false`, or map the port at the endpoint: `ports: {SERVICE PORT: PORT HERE}`"))
		}
	}
}

func (b *builder) explicit(x explicitDoc, services []catalog.Service) *catalog.Explicit {
	out := &catalog.Explicit{}
	seen := map[netip.AddrPort]diag.Span{}
	for _, u := range x.upstreams {
		if first, dup := seen[u.bind]; dup {
			b.report(diag.New("MSH4504", u.at, "%s is bound twice", u.bind).WithRelated(first, "first here"))
			continue
		}
		seen[u.bind] = u.at
		if id, ok := b.upstreamOf(u, services); ok {
			out.Upstreams = append(out.Upstreams, catalog.Upstream{Service: id, Port: u.port, Bind: u.bind})
		}
	}
	slices.SortFunc(out.Upstreams, func(a, b catalog.Upstream) int { return a.Bind.Compare(b.Bind) })
	for _, m := range x.local {
		if m.from == m.to {
			continue
		}
		if out.LocalPorts == nil {
			out.LocalPorts = map[uint16]uint16{}
		}
		out.LocalPorts[m.from] = m.to
	}
	return out
}

// upstreamOf finds the service port that an upstream stands for.
func (b *builder) upstreamOf(u upstreamDoc, services []catalog.Service) (ir.ServiceID, bool) {
	i := slices.IndexFunc(services, func(s catalog.Service) bool { return s.ID.String() == u.service.s })
	if i < 0 {
		names := make([]string, len(services))
		for i, s := range services {
			names[i] = s.ID.String()
		}
		slices.SortFunc(names, cmp.Compare[string])
		f := diag.New("MSH4507", u.service.at, "no service is named %q", u.service.s)
		if near := diag.Nearest(u.service.s, names); near != "" {
			f = f.WithHelp("did you mean %q?", near)
		}
		b.report(f)
		return ir.ServiceID{}, false
	}
	s := services[i]
	p := slices.IndexFunc(s.Ports, func(p catalog.ServicePort) bool { return p.Port == u.port })
	switch {
	case p < 0:
		b.report(diag.New("MSH4508", u.service.at, "service %q has no port %d", u.service.s, u.port))
	case s.Ports[p].Protocol == ir.UDP:
		b.report(diag.New("MSH4516", u.service.at, "port %d of %q carries UDP", u.port, u.service.s).WithHelp("UDP is not proxied: call it at its own address"))
	case s.Headless:
		b.report(diag.New("MSH4516", u.service.at, "service %q is headless", u.service.s).
			WithEffect("one loopback port could not tell which endpoint is meant").
			WithHelp("give it `vips` instead of `headless: true`, or intercept on this machine"))
	default:
		return s.ID, true
	}
	return ir.ServiceID{}, false
}

// mappings reads a map from ports to ports.
func (r *reader) mappings(n *yaml.Node, what, wanted string) (out []portMapping) {
	if !r.kind(n, yaml.MappingNode, what, wanted) {
		return nil
	}
	seen := map[uint16]diag.Span{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		m := portMapping{from: r.port(key, "a key of "+what), to: r.port(n.Content[i+1], "a port in "+what), at: r.span(key)}
		if first, dup := seen[m.from]; dup {
			r.report(diag.New("MSH4504", m.at, "port %d is mapped twice", m.from).WithRelated(first, "first here"))
			continue
		}
		seen[m.from] = m.at
		out = append(out, m)
	}
	return out
}
