package diff

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
)

// Proxies is what a change means to proxies. A proxy is counted by its role: all
// replicas of a workload are one.
type Proxies struct {
	Total   int      `json:"total"` // of the new plan
	Added   int      `json:"added"`
	Removed int      `json:"removed"`
	Changed []string `json:"changed,omitempty"` // names of roles that are sent something else
	// Resources are counted once by type and name, however many proxies have them.
	Resources []ResourceCount `json:"resources,omitempty"`
	// Drains are listeners whose connections end when proxies take the change. All
	// else that is sent touches no open connection.
	Drains []Drain `json:"drains,omitempty"`
}

// ResourceCount counts the resources of one type that differ.
type ResourceCount struct {
	Type    ir.ResourceType `json:"type"`
	Changed int             `json:"changed"`
	Added   int             `json:"added"`
	Removed int             `json:"removed"`
}

// Drain is a listener, or one filter chain of it, that is replaced or removed.
type Drain struct {
	Type    ir.ResourceType `json:"type"` // listener or filter-chain
	Name    string          `json:"name"`
	Proxies int             `json:"proxies"`
}

// Empty tells that proxies are sent nothing.
func (p Proxies) Empty() bool { return len(p.Changed)+p.Added+p.Removed == 0 }

// held is what one proxy is sent, by type and name. Addresses, endpoints and
// ports are bound later and are no part of it.
type held map[named][sha256.Size]byte

type named struct {
	kind ir.ResourceType
	name string
}

// planned is a plan with what is looked up in it.
type planned struct {
	*ir.Plan
	sums     [][sha256.Size]byte
	scopes   []held // by scope
	outbound map[ir.PortID]*ir.OutboundPort
	clusters map[ir.PortID]*ir.Cluster
	scope    map[ir.Identity]int
	roles    map[string]*ir.RolePlan
}

func newPlanned(p *ir.Plan) *planned {
	out := &planned{Plan: p, outbound: map[ir.PortID]*ir.OutboundPort{}, clusters: map[ir.PortID]*ir.Cluster{}, scope: map[ir.Identity]int{}, roles: map[string]*ir.RolePlan{}}
	for _, r := range p.Resources {
		out.sums = append(out.sums, sha256.Sum256(r.Body))
	}
	for i := range p.Outbound {
		out.outbound[p.Outbound[i].Port] = &p.Outbound[i]
	}
	for i := range p.Clusters {
		out.clusters[p.Clusters[i].Port] = &p.Clusters[i]
	}
	for _, id := range p.Identities {
		out.scope[id.Identity] = id.Scope
	}
	for i := range p.Roles {
		out.roles[ir.RoleName(p.Roles[i].Identity, p.Roles[i].Services)] = &p.Roles[i]
	}
	for i := range p.Scopes {
		out.scopes = append(out.scopes, out.seen(&p.Scopes[i]))
	}
	return out
}

func (p *planned) put(h held, refs ...ir.Ref) {
	for _, ref := range refs {
		if ref != ir.NoRef {
			r := &p.Resources[ref]
			h[named{r.Type, r.Name}] = p.sums[ref]
		}
	}
}

// seen is what a scope holds.
func (p *planned) seen(s *ir.Scope) held {
	h := held{}
	p.put(h, s.Virtual, s.Ranged)
	p.put(h, s.Extra...)
	for _, id := range s.Outbound {
		out, ok := p.outbound[id]
		if !ok {
			continue
		}
		p.put(h, out.Listener, out.Route, out.Extension, out.Direct)
		for _, c := range out.Clusters {
			if cluster, ok := p.clusters[c]; ok && !slices.Contains(s.Without, c) {
				p.put(h, cluster.Resource)
			}
		}
	}
	return h
}

// inbound is what a role holds beside its scope.
func (p *planned) inbound(r *ir.RolePlan) held {
	h := held{}
	p.put(h, r.Listener)
	for _, port := range r.Ports {
		p.put(h, port.Chains...)
		p.put(h, port.Route, port.Extension)
	}
	return h
}

// Plans are the differences that proxies see between two plans.
func Plans(old, new *ir.Plan) Proxies {
	a, b := newPlanned(old), newPlanned(new)
	out := Proxies{Total: len(b.roles)}
	t := tally{names: map[named]string{}, drains: map[named]int{}}
	between := map[[2]int]deltas{}
	for _, name := range slices.Sorted(maps.Keys(b.roles)) {
		after := b.roles[name]
		before, ok := a.roles[name]
		if !ok {
			out.Added++
			continue
		}
		pair := [2]int{a.scope[before.Identity], b.scope[after.Identity]}
		sight, known := between[pair]
		if !known {
			sight = compareHeld(a.scopes[pair[0]], b.scopes[pair[1]])
			between[pair] = sight
		}
		own := compareHeld(a.inbound(before), b.inbound(after))
		if len(sight)+len(own) > 0 {
			out.Changed = append(out.Changed, name)
			t.add(sight)
			t.add(own)
		}
	}
	for name := range a.roles {
		if _, ok := b.roles[name]; !ok {
			out.Removed++
		}
	}
	out.Resources, out.Drains = t.counts(), t.drained()
	return out
}

// deltas are the resources that differ, and how.
type deltas map[named]string

const (
	added   = "added"
	removed = "removed"
	altered = "changed"
)

func compareHeld(a, b held) deltas {
	out := deltas{}
	for n, sum := range b {
		if before, ok := a[n]; !ok {
			out[n] = added
		} else if before != sum {
			out[n] = altered
		}
	}
	for n := range a {
		if _, ok := b[n]; !ok {
			out[n] = removed
		}
	}
	return out
}

// tally counts resources once and proxies each time.
type tally struct {
	names  map[named]string
	drains map[named]int
}

func (t tally) add(d deltas) {
	for n, how := range d {
		if before, known := t.names[n]; known && before != how {
			how = altered // some proxies gain it and others lose it
		}
		t.names[n] = how
		if (n.kind == ir.TypeListener || n.kind == ir.TypeChain) && d[n] != added {
			t.drains[n]++
		}
	}
}

func (t tally) counts() []ResourceCount {
	var out []ResourceCount
	for _, kind := range []ir.ResourceType{ir.TypeListener, ir.TypeChain, ir.TypeRoute, ir.TypeExtension, ir.TypeCluster} {
		c := ResourceCount{Type: kind}
		for n, how := range t.names {
			if n.kind != kind {
				continue
			}
			switch how {
			case added:
				c.Added++
			case removed:
				c.Removed++
			default:
				c.Changed++
			}
		}
		if c.Added+c.Removed+c.Changed > 0 {
			out = append(out, c)
		}
	}
	return out
}

func (t tally) drained() []Drain {
	var out []Drain
	for n, proxies := range t.drains {
		out = append(out, Drain{Type: n.kind, Name: n.name, Proxies: proxies})
	}
	slices.SortFunc(out, func(a, b Drain) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name)) })
	return out
}
