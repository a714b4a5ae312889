package policies

import (
	"maps"
	"slices"

	"github.com/meshc/meshc/compiler/ir"
	"github.com/meshc/meshc/compiler/syntax"
)

// change is what became different of a document since an earlier world.
type change struct {
	all  bool // nothing is known to be the same
	keys map[string]struct{}
}

// touches tells whether what was read is, or may be, different.
func (c change) touches(r read) bool {
	if c.all || r.all && len(c.keys) > 0 {
		return true
	}
	if len(c.keys) == 0 {
		return false
	}
	_, yes := c.keys[r.key]
	return yes
}

func changes[V any](before, now map[string]V, same func(before, now V, key string) bool) change {
	c := change{}
	add := func(key string) {
		if c.keys == nil {
			c.keys = map[string]struct{}{}
		}
		c.keys[key] = struct{}{}
	}
	kept := 0
	for key, v := range before {
		n, there := now[key]
		if there {
			kept++
		}
		if !there || !same(v, n, key) {
			add(key)
		}
	}
	if kept < len(now) {
		for key := range now {
			if _, had := before[key]; !had {
				add(key)
			}
		}
	}
	return c
}

// follow takes over from an earlier world, which is of no use afterwards, what is
// still the same, and tells what is not, for each document.
func (w *World) follow(prior *World) []change {
	w.prior = prior
	for o, v := range prior.values {
		if _, still := w.values[o]; still {
			w.values[o] = v
		}
	}
	out := make([]change, len(w.docs))
	for i, d := range w.docs {
		out[i] = d.follow(prior.docs[i])
	}
	w.prior = nil
	return out
}

func (w *World) sameNamespace(a, b *syntax.Object, name string) bool {
	return w.prior.mesh.Namespace(name) == w.mesh.Namespace(name) &&
		(a == b || a != nil && b != nil && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations))
}

func sameIdentity(a, b *identityIndex, _ string) bool {
	return a.id == b.id && slices.Equal(a.services, b.services) && slices.Equal(a.workloads, b.workloads) &&
		slices.Equal(a.outgoing, b.outgoing) && slices.Equal(a.incoming, b.incoming)
}

func (w *World) sameCalls(a, b *identityIndex, _ string) bool {
	if !slices.Equal(a.outgoing, b.outgoing) {
		return false
	}
	old, now := w.prior.index().grants, w.index().grants
	return !slices.ContainsFunc(a.outgoing, func(g string) bool { return old[g].Destination != now[g].Destination })
}

func (w *World) sameService(a, b *ir.Service, name string) bool {
	old, now := w.prior.index(), w.index()
	return a.ID == b.ID && a.Headless == b.Headless && a.Outside == b.Outside &&
		slices.Equal(a.Accounts, b.Accounts) && slices.Equal(a.Ports, b.Ports) &&
		slices.Equal(old.opened[name], now.opened[name]) && slices.Equal(old.rooted[name], now.rooted[name]) &&
		slices.Equal(old.leaves[name], now.leaves[name])
}

func sameGrant(a, b *ir.Grant, _ string) bool {
	return a.Name == b.Name && a.Destination == b.Destination && slices.Equal(a.Sources, b.Sources) &&
		slices.Equal(a.Ports, b.Ports) && slices.EqualFunc(a.HTTP, b.HTTP, sameMatch)
}

func sameMatch(a, b ir.Match) bool {
	return a.Name == b.Name && a.Path == b.Path && slices.Equal(a.Methods, b.Methods) && slices.Equal(a.Headers, b.Headers)
}

func sameSplit(a, b *ir.Split, _ string) bool {
	return a.Name == b.Name && a.Root == b.Root && slices.EqualFunc(a.Matches, b.Matches, sameMatch) &&
		slices.EqualFunc(a.Backends, b.Backends, func(a, b ir.Backend) bool {
			return a.Service == b.Service && a.Weight == b.Weight && a.Missing == b.Missing && slices.Equal(a.Ports, b.Ports)
		})
}

func sameWorkload(a, b *ir.InventoryWorkload, _ string) bool {
	return a.Kind == b.Kind && a.Identity == b.Identity && a.Replicas == b.Replicas && a.Meshed == b.Meshed &&
		slices.Equal(a.Services, b.Services) && maps.Equal(a.Labels, b.Labels) && maps.Equal(a.Annotations, b.Annotations)
}

func sameReferences(a, b *references, _ string) bool {
	return slices.Equal(a.to, b.to) && slices.Equal(a.from, b.from) && slices.Equal(a.grants, b.grants)
}
