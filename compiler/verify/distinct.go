package verify

import (
	"slices"
	"strconv"

	"github.com/meshc/meshc/compiler/ir"
)

// distinct are clients one of each sort: the mesh grants all of a sort the same,
// and the configuration says the same of them, each by its own name. What one is
// answered, all are. Where configuration tells clients apart by anything but
// their exact names in RBAC, it is not plain, and each is a sort.
func (c *comparison) distinct(q *portQuestions, clients []ir.Identity) (some []ir.Identity, plain bool) {
	if !q.port.Protocol.IsHTTP() {
		return clients, false
	}
	sorts, plain := q.sorts(clients)
	if !plain {
		return clients, false
	}
	seen := map[string]bool{}
	for _, id := range clients {
		key := string(c.sighted(q, id, sorts[id]))
		if !seen[key] {
			seen[key] = true
			some = append(some, id)
		}
	}
	return some, true
}

// sorts is in words what the mesh and the configuration behind a port say of
// each client, equal where it is the same. It is false where the configuration is
// not plain.
func (q *portQuestions) sorts(clients []ir.Identity) (map[ir.Identity][]byte, bool) {
	sorts := make(map[ir.Identity][]byte, len(clients))
	for i, k := range q.kinds {
		for _, id := range k.clients {
			sorts[id] = append(strconv.AppendInt(sorts[id], int64(i), 10), ' ')
		}
	}
	n, plain := 0, true
	judged := func(r *rbac) {
		plain = plain && !r.vague
		for _, p := range r.all() {
			n++
			for _, id := range p.names {
				if sort, ok := sorts[id]; ok {
					sorts[id] = append(strconv.AppendInt(sort, int64(n), 10), ',')
				}
			}
		}
	}
	for i := range q.behind {
		plain = q.behind[i].judges(judged) && plain
		for _, ch := range q.behind[i].chains {
			if ch.tls == nil {
				continue
			}
			for _, id := range clients {
				sorts[id] = strconv.AppendBool(sorts[id], ch.tls.accepts(string(id)))
			}
		}
	}
	return sorts, plain
}

// judges shows each RBAC filter that a call can come to. It is false where chains
// are picked by who calls.
func (p *inboundParts) judges(see func(*rbac)) bool {
	plain := true
	table := func(t *routes) {
		for _, r := range t.routes {
			for _, g := range r.guards {
				see(g)
			}
		}
	}
	for _, ch := range p.chains {
		plain = plain && len(ch.names) == 0
		for _, f := range ch.filters {
			switch f := f.(type) {
			case *manager:
				for _, g := range f.guards {
					see(g.rbac)
				}
				if f.routes != nil {
					table(f.routes)
				}
			case *rbac:
				see(f)
			}
		}
	}
	if p.routes != nil {
		table(p.routes)
	}
	if r, ok := p.filter.(*rbac); ok {
		see(r)
	}
	return plain
}

// sighted appends what a client's own proxy holds for a port.
func (c *comparison) sighted(q *portQuestions, id ir.Identity, key []byte) []byte {
	own, ok := c.compiled.identity(id)
	if !ok {
		return append(key, id...)
	}
	s := &c.plan.Scopes[own.Scope]
	_, listed := slices.BinarySearch(c.compiled.find.lists(q.id), own.Scope)
	key = strconv.AppendBool(append(key, " lists "...), listed)
	key = strconv.AppendBool(append(key, " leaves "...), c.mesh.MayLeave(id))
	for _, ref := range append([]ir.Ref{s.Virtual, s.Ranged}, s.Extra...) {
		key = strconv.AppendInt(append(key, ' '), int64(ref), 10)
	}
	for _, p := range s.Without {
		key = append(append(key, " without "...), p.String()...)
	}
	return key
}
