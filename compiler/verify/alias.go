package verify

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// aliases are what names stand for around a service port: the same words at all
// ports of a class. A name that stands for nothing there is itself.
type aliases struct {
	to       func(cluster string) (ir.PortID, bool)
	around   *ir.Mesh
	port     uint16
	policies map[string]int      // indices of grants, by name
	clients  map[ir.Identity]int // kinds of clients
}

func (c *comparison) aliases(q *portQuestions) *aliases {
	a := &aliases{
		to: c.compiled.ServiceOf, around: q.around, port: q.id.Port,
		policies: make(map[string]int, len(q.around.Grants)), clients: map[ir.Identity]int{},
	}
	for i := range q.around.Grants {
		a.policies[q.around.Grants[i].Name] = i
	}
	for i, k := range q.kinds {
		for _, id := range k.clients {
			a.clients[id] = i
		}
	}
	return a
}

// shares are where a route leads to.
func (a *aliases) shares(b *strings.Builder, shares []share) {
	for _, s := range shares {
		word := s.cluster
		if id, ok := a.to(s.cluster); ok && id.Port == a.port {
			if i := slices.IndexFunc(a.around.Services, func(s ir.Service) bool { return s.ID == id.Service }); i >= 0 {
				word = strconv.Itoa(i)
			}
		}
		b.WriteString(" to " + word)
	}
}

// judges are the policies of an RBAC filter, and the kinds of clients they name.
func (a *aliases) judges(b *strings.Builder, r *rbac) {
	for _, rules := range []*rules{r.rules, r.shadow} {
		if rules == nil {
			continue
		}
		for i := range rules.policies {
			p := &rules.policies[i]
			word := p.name
			if at, ok := a.policies[p.name]; ok {
				word = strconv.Itoa(at)
			}
			b.WriteString(" policy " + word + a.who(p.names))
		}
	}
}

func (a *aliases) who(names people) string {
	var kinds []int
	out := ""
	for _, id := range names {
		if k, ok := a.clients[id]; ok {
			kinds = append(kinds, k)
		} else {
			out += " " + string(id)
		}
	}
	slices.Sort(kinds)
	for _, k := range slices.Compact(kinds) {
		out += " " + strconv.Itoa(k)
	}
	return out
}

// table is a route table.
func (a *aliases) table(b *strings.Builder, t *routes) {
	b.WriteString(t.class)
	for _, r := range t.routes {
		a.shares(b, r.shares)
		for _, name := range slices.Sorted(maps.Keys(r.guards)) {
			a.judges(b, r.guards[name])
		}
	}
}

// handshakes is whom a chain's TLS takes.
func (a *aliases) handshakes(t *tlsContext) string {
	if t == nil {
		return " plain"
	}
	return " tls " + strconv.FormatBool(t.required) + " " + strconv.FormatBool(t.presents) + t.class + a.who(t.exact)
}

// chains are those that connections of a port come to.
func (a *aliases) chains(b *strings.Builder, chains []*chain) {
	for _, ch := range chains {
		b.WriteString(" chain " + ch.transport + " " + strings.Join(ch.alpn, ",") + a.handshakes(ch.tls))
		for _, f := range ch.filters {
			switch f := f.(type) {
			case *manager:
				b.WriteString(f.class)
				for _, g := range f.guards {
					a.judges(b, g.rbac)
				}
				if f.routes != nil {
					a.table(b, f.routes)
				}
			case *rbac:
				b.WriteString(f.class)
				a.judges(b, f)
			case *tcp:
				a.shares(b, f.shares)
			}
		}
	}
}
