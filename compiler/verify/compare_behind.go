package verify

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/meshc/meshc/compiler/ir"
)

// inboundParts is what one role holds for a service port. What cannot be read
// is left out: the requests that come to it are answered with the error.
type inboundParts struct {
	chains []*chain
	routes *routes
	filter filter
	names  people
	from   []proto.Message // what tells requests apart
}

// behind is what the roles hold that a call to the port may come to.
func (c *comparison) behind(q *portQuestions) []inboundParts {
	var out []inboundParts
	for _, s := range q.around.Services {
		at, ok := c.compiled.cluster(ir.PortID{Service: s.ID, Port: q.id.Port})
		if !ok {
			continue
		}
		for _, i := range c.compiled.backing(&c.plan.Clusters[at]) {
			for j := range c.plan.Roles[i].Ports {
				if p := &c.plan.Roles[i].Ports[j]; slices.Contains(p.Services, c.plan.Clusters[at].Port) {
					out = append(out, c.inbound(p))
				}
			}
		}
	}
	return out
}

func (c *comparison) inbound(p *ir.InboundPlan) inboundParts {
	var out inboundParts
	for _, ref := range p.Chains {
		if ch, err := c.compiled.parts.chain(ref); err == nil {
			out.chains = append(out.chains, ch)
			for _, f := range ch.filters {
				if m, ok := f.(*manager); ok && m.routes != nil {
					out.names = append(out.names, m.routes.names...)
					out.from = append(out.from, m.routes.from...)
				}
			}
		}
	}
	if p.Route != ir.NoRef {
		if t, err := c.compiled.parts.route(p.Route); err == nil {
			out.routes = t
			out.names = append(out.names, t.names...)
			out.from = append(out.from, t.from...)
		}
	}
	if p.Extension != ir.NoRef {
		if e, err := c.compiled.parts.extension(p.Extension); err == nil {
			out.filter = e.filter
			if r, ok := e.filter.(*rbac); ok {
				out.names = append(out.names, r.names...)
				out.from = append(out.from, r.from...)
			}
		}
	}
	return out
}

// outbound is the listener and the routes that clients of a port hold.
func (c *comparison) outbound(q *portQuestions) (*listener, *routes) {
	o, ok := c.compiled.outbound(q.id)
	if !ok {
		return nil, nil
	}
	l, err := c.compiled.parts.listener(o.Listener)
	if err != nil || o.Route == ir.NoRef {
		return l, nil
	}
	t, err := c.compiled.parts.route(o.Route)
	if err != nil {
		return l, nil
	}
	return l, t
}

// planWords is what the configuration makes of requests to a port, without names.
func (c *comparison) planWords(q *portQuestions) string {
	var b strings.Builder
	as := c.aliases(q)
	l, t := c.outbound(q)
	if l != nil {
		as.chains(&b, l.chains)
	}
	if t != nil {
		as.table(&b, t)
	}
	for _, p := range q.behind {
		b.WriteString("\nrole")
		as.chains(&b, p.chains)
		if p.routes != nil {
			as.table(&b, p.routes)
		}
		if r, ok := p.filter.(*rbac); ok {
			b.WriteString(r.class)
			as.judges(&b, r)
		}
	}
	return b.String()
}

// said is all that the configuration tells requests to a port apart by.
func (c *comparison) said(q *portQuestions) mentions {
	var from []proto.Message
	if _, t := c.outbound(q); t != nil {
		from = append(from, t.from...)
	}
	for _, p := range q.behind {
		from = append(from, p.from...)
	}
	return mentionsOf(from...)
}
