package cache

import (
	"cmp"
	"slices"

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

// settle announces the moment in which the client has acknowledged everything.
func (s *Session) settle() {
	now := s.inSync()
	if now && !s.settled {
		s.cache.announce()
	}
	s.settled = now
}
