package cache

import (
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// send pushes resources and notes that the client has them.
func (s *Session) send(t link.Type, all []*link.Resource) {
	if len(all) == 0 {
		return
	}
	k := s.kinds[t]
	before := map[string]*entry{}
	for _, r := range all {
		e := k.held[r.Name]
		before[r.Name] = e
		next := &entry{sent: r}
		if e != nil {
			next.good = e.good
		}
		k.held[r.Name] = next
	}
	if !s.push(t, all, nil, false) {
		for name, e := range before {
			if k.held[name] = e; e == nil {
				delete(k.held, name)
			}
		}
		return
	}
	for _, r := range all {
		delete(k.todo, r.Name)
		if t == link.Endpoint {
			s.consider(t, r.Name) // after a version that was sent again comes the new one
		}
		if t == link.Cluster && before[r.Name] != nil {
			s.resend(r.Name)
		}
	}
}

// resend sends the endpoints of a cluster that the client had and was sent
// again: Envoy warms the new one and does not ask for them (T2).
func (s *Session) resend(cluster string) {
	k := s.kinds[link.Endpoint]
	if _, ok := k.names[cluster]; ok && k.open && k.todo[cluster] != urgent {
		k.todo[cluster] = resent
	}
}

// removeLast takes away what is no longer wanted, when nothing else is on its way.
func (s *Session) removeLast() {
	for _, t := range []link.Type{link.Route, link.Listener, link.Extension, link.Secret, link.Cluster} {
		k := s.kinds[t]
		if len(k.gone) == 0 || t == link.Cluster && s.withholding() {
			continue
		}
		var names []string
		for name := range k.gone {
			names = append(names, name)
		}
		slices.Sort(names)
		before := map[string]*entry{}
		for _, name := range names {
			before[name] = k.held[name]
			delete(k.held, name)
		}
		if s.opts.Whole && !wildcards[t] {
			clear(k.gone) // such a client is told nothing: it drops what nothing names
			continue
		}
		if s.push(t, nil, names, false) {
			clear(k.gone)
		} else {
			maps.Copy(k.held, before)
		}
		return
	}
}

// withholding tells whether something newer than the client has is held back: it
// may still use what is to be removed.
func (s *Session) withholding() bool {
	for t := range link.Types {
		if k := s.kinds[t]; len(k.refused) > 0 || len(k.todo) > 0 && t != link.Endpoint && t != link.Secret {
			return true
		}
	}
	return false
}

// push hands one response to the stream.
func (s *Session) push(t link.Type, resources []*link.Resource, removed []string, repair bool) bool {
	k := s.kinds[t]
	b := &batch{resources: resources, removed: removed, at: time.Now(), turn: s.cache.turn.Load(), repair: repair}
	p := Push{Type: t, Resources: resources, Removed: removed, batch: b}
	if s.opts.Whole {
		p.Removed, p.Version = nil, stateVersion(t, k.held)
		if wildcards[t] {
			p.Resources = k.state()
		}
	}
	if !s.opts.Send(p) {
		return false
	}
	k.flying = append(k.flying, b)
	k.sent++
	if t == link.Cluster {
		s.timers[b] = time.AfterFunc(s.opts.AckTimeout, func() { s.expired(b) })
	}
	if s.opts.Observe.Pushed != nil {
		s.opts.Observe.Pushed(t, len(p.Resources), len(removed))
	}
	return true
}
