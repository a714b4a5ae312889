package cache

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/meshc/meshc/xds/link"
)

// maxFlying bounds the unanswered responses of a type: a slow client gets fewer
// and larger ones, and the channel to its stream never fills.
const maxFlying = 4

// pump sends what may be sent now. Types go in the order of make before break:
// a change waits until all earlier types are acknowledged; what is urgent, and
// endpoints and secrets of any kind, never wait for other types. Removals come
// last, in the reverse order, one type after the other.
func (s *Session) pump() {
	if s.closed {
		return
	}
	// A proxy that came back asks for clusters first; one that does not is stuck.
	blocked := s.returned && !s.kinds[link.Cluster].open
	for t := range link.Types {
		s.mend(t)
		if s.kinds[t].open {
			s.answerAbsent(t)
			s.send(t, s.ready(t, blocked))
		}
		blocked = blocked || s.waiting(t)
	}
	if !blocked {
		s.removeLast()
	}
	s.settle()
}

// waiting tells whether later types must wait for a type. Endpoints that were
// sent after the structure last changed hold nothing up, or a service whose
// endpoints never rest would.
func (s *Session) waiting(t link.Type) bool {
	k := s.kinds[t]
	for name, u := range k.todo {
		if t != link.Endpoint && t != link.Secret && u == gated && s.reachable(s.target(t, name)) {
			return true // it could not be sent now, but will be
		}
	}
	return slices.ContainsFunc(k.flying, func(b *batch) bool { return t != link.Endpoint || b.turn <= s.turn })
}

// ready picks what may be sent of a type, by name.
func (s *Session) ready(t link.Type, blocked bool) []*link.Resource {
	k := s.kinds[t]
	if len(k.todo) == 0 || len(k.flying) >= maxFlying {
		return nil
	}
	var out []*link.Resource
	for name, u := range k.todo {
		r := s.target(t, name)
		if r == nil || t == link.Secret && !hasBytes(r) || !s.mayGo(t, r, u, blocked) {
			continue
		}
		if r = k.offer(name, r, u); r != nil {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *link.Resource) int { return cmp.Compare(a.Name, b.Name) })
	return s.alone(k, out)
}

// offer is the version of a resource that goes out: usually the wanted one; the
// one that the client has if it is only sent again; the last good one instead of
// one that the client refused.
func (k *kind) offer(name string, want *link.Resource, u urgency) *link.Resource {
	held := k.held[name]
	switch {
	case u == resent && held != nil && hasBytes(held.sent):
		return held.sent
	case k.refused[name].version != want.Version:
		return want
	case held != nil && hasBytes(held.good):
		return held.good
	}
	delete(k.todo, name)
	return nil
}

func (s *Session) mayGo(t link.Type, r *link.Resource, u urgency, blocked bool) bool {
	k := s.kinds[t]
	switch {
	case u != gated:
		return true
	case t == link.Endpoint:
		// Endpoints that go with a changed cluster follow it.
		clusters := s.kinds[link.Cluster]
		_, pending := clusters.todo[r.Name]
		return !pending && !clusters.inFlight(r.Name)
	case t == link.Secret:
		return true
	case blocked:
		return false
	}
	return len(k.flying) == 0 && s.reachable(r)
}

// reachable tells whether the client has every cluster a resource leads to. One
// that it refused is not there, and a route to it would answer 503.
func (s *Session) reachable(r *link.Resource) bool {
	clusters := s.kinds[link.Cluster]
	if r == nil || !clusters.open {
		return r != nil
	}
	return !slices.ContainsFunc(r.Needs, func(name string) bool {
		return s.view.Get(link.Cluster, name) != nil && clusters.has(name) == ""
	})
}

// alone cuts a response down to one resource while it is not known which of
// several the client refused.
func (s *Session) alone(k *kind, all []*link.Resource) []*link.Resource {
	if len(k.suspects) == 0 {
		return all
	}
	suspect := func(r *link.Resource) bool { _, ok := k.suspects[r.Name]; return ok }
	sound := slices.DeleteFunc(slices.Clone(all), suspect)
	if len(sound) > 0 || len(all) == 0 || len(k.flying) > 0 {
		return sound
	}
	return all[:1]
}

// answerAbsent tells a client at once that names do not exist (T4). Whole
// states tell it by their absence.
func (s *Session) answerAbsent(t link.Type) {
	k := s.kinds[t]
	if len(k.absent) == 0 {
		return
	}
	var names []string
	for name := range k.absent {
		names = append(names, name)
	}
	slices.Sort(names)
	if s.opts.Whole && !wildcards[t] || s.push(t, nil, names, false) {
		clear(k.absent)
	}
}

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

// settle announces the moment in which the client has acknowledged everything.
func (s *Session) settle() {
	now := s.inSync()
	if now && !s.settled {
		s.cache.announce()
	}
	s.settled = now
}
